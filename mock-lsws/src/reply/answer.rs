//! The answer to one request, over all its sends.

use std::collections::VecDeque;

use bytes::Bytes;
use lsapi::{ByteOrder, PacketType, limits};

use super::head::{Head, Stuck};
use super::packets::{Packet, Packets};
use super::piece::{Framing, Piece};
use crate::journal::{Level, Note};

/// Bytes of a body that are gathered before the head leaves without them: until then the end may still turn up, and with it the
/// length. The real server told the length of 16 KiB that came in one go, and not of 1 MiB.
const MOST_GATHERED: usize = 64 * 1024;

/// The longest chunk the server makes: a STREAM of 16 KiB becomes two.
const LONGEST_CHUNK: usize = 8192;

/// Bytes of CGI text without an empty line after which none is expected any more.
const LONGEST_CGI_HEAD: usize = 64 * 1024;

/// The server splits what an application says on STDERR_STREAM into lines of its log of this size.
const STDERR_PIECE: usize = 2048;

/// What a PID notice, the acknowledgement in STDERR_STREAM, begins with.
const PID_MARK: &[u8] = b"\0PID";

/// What bytes of an application came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The response goes on.
    More,
    /// RESP_END has come. `reusable`: the connection can take the next request.
    Complete {
        /// False after CONN_CLOSE, and with bytes behind RESP_END that are no packet of this response.
        reusable: bool,
    },
    /// The server takes this for an I/O error (EIO): the connection is dropped, the request sent again.
    Violation,
    /// The server lost its way without noticing: nothing more comes of this send until initTimeout (lsapi 4.3.2).
    Stuck,
    /// RESP_END without a complete header: ABORT_REQUEST, the connection is closed, a page with this status follows.
    Refused(u16),
    /// An internal redirect: the rest of the answer is dropped, and the connection closed.
    Redirected,
}

/// The answer to one request, over all its sends.
#[derive(Debug)]
pub(crate) struct Reply {
    head_only: bool,
    send: Send,
    client: Client,
    pieces: VecDeque<Piece>,
    notes: Vec<Note>,
}

/// What one connection has said.
#[derive(Debug, Default)]
struct Send {
    packets: Packets,
    acknowledged: bool,
    close: bool,
    /// A RESP_HEADER has come, complete or not.
    has_header_packet: bool,
    head: HeadState,
    /// Bytes of CGI text so far.
    text: usize,
    /// Body bytes that wait for the flush.
    body: Vec<Bytes>,
    gathered: usize,
    /// See [`Reply::take_rest`].
    rest: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
enum HeadState {
    /// Nothing, or RESP_HEADER without (enough) lines: STREAM is read as CGI text.
    #[default]
    Nothing,
    Incomplete {
        head: Head,
    },
    Text {
        head: Head,
        /// A line that is not whole.
        text: Vec<u8>,
    },
    /// Waits for the flush.
    Complete(Head),
    /// With the client, or dropped because the client has one.
    Flushed,
    /// It was an interim one: nothing after it is delivered.
    Interim,
}

/// What the client has got.
#[derive(Debug, Default)]
struct Client {
    has_head: bool,
    bodiless: bool,
    /// What is left of a declared length.
    left: Option<u64>,
}

impl Reply {
    /// Nothing has come yet. `head_only`: the method is HEAD.
    pub(crate) fn new(head_only: bool) -> Self {
        Self {
            head_only,
            send: Send::default(),
            client: Client::default(),
            pieces: VecDeque::new(),
            notes: Vec::new(),
        }
    }

    /// The request goes out (once more): what the new connection says is read from its beginning; what the client has
    /// got already stays.
    pub(crate) fn begin_send(&mut self) {
        self.send = Send::default();
    }

    /// Takes bytes as they were read from the connection.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Progress {
        self.send.packets.push(bytes);
        loop {
            let progress = match self.send.packets.next() {
                Ok(None) => return Progress::More,
                Ok(Some(packet)) => self.packet(packet),
                Err(bad) => {
                    let text = format!("invalid packet header {:02x?}: {}", bad.bytes, bad.reason);
                    self.note(Level::Warn, text);
                    Progress::Violation
                }
            };
            match progress {
                Progress::More => {}
                Progress::Violation => {
                    // What came before it is for the client all the same, what is behind it is not.
                    self.flush_whole(None);
                    return progress;
                }
                _ => return progress,
            }
        }
    }

    /// The read loop would block now, or the connection has ended: what has been understood so far is due.
    pub(crate) fn flush(&mut self) {
        // Of a body, not of CGI text: what that comes to is for the packet loop to say.
        if matches!(self.send.head, HeadState::Complete(_) | HeadState::Flushed)
            && let Some(packet) = self.send.packets.partial_stream()
        {
            self.body(packet.payload);
        }
        self.flush_whole(None);
    }

    /// The next piece that is due. `None` until more comes.
    pub(crate) fn next_piece(&mut self) -> Option<Piece> {
        self.pieces.pop_front()
    }

    /// Whether REQ_RECEIVED or a PID notice has come in this send.
    pub(crate) const fn is_acknowledged(&self) -> bool {
        self.send.acknowledged
    }

    /// Whether the client has got (or is about to get) a part of the response.
    pub(crate) const fn has_started(&self) -> bool {
        self.client.has_head
    }

    /// Lines for the log, oldest first; they are taken out.
    pub(crate) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    fn note(&mut self, level: Level, text: impl Into<String>) {
        self.notes.push(Note::new(level, text));
    }

    fn packet(&mut self, packet: Packet) -> Progress {
        match packet.ty {
            PacketType::RespHeader => return self.header(packet.order, &packet.payload),
            PacketType::RespStream => return self.stream(packet.payload),
            PacketType::RespEnd => return self.end(),
            PacketType::ReqReceived => self.send.acknowledged = true,
            PacketType::StderrStream => self.stderr(&packet.payload),
            PacketType::ConnClose => {
                self.send.close = true;
                self.flush_whole(None);
            }
            PacketType::InternalError if packet.payload.is_empty() => {}
            PacketType::InternalError | PacketType::BeginRequest | PacketType::AbortRequest => {
                self.note(Level::Warn, "INTERNAL_ERROR with content: the server knows no such packet");
                return Progress::Violation;
            }
        }
        Progress::More
    }

    fn stderr(&mut self, text: &[u8]) {
        if text.len() == PID_MARK.len() + 4 && text.starts_with(PID_MARK) {
            self.send.acknowledged = true;
            return;
        }
        for piece in text.chunks(STDERR_PIECE) {
            let piece = String::from_utf8_lossy(piece);
            self.note(Level::Notice, format!("[STDERR] {}", piece.trim_end_matches('\n')));
        }
    }

    fn header(&mut self, order: ByteOrder, payload: &[u8]) -> Progress {
        if matches!(self.send.head, HeadState::Interim) {
            return Progress::More;
        }
        if self.send.has_header_packet || !matches!(self.send.head, HeadState::Nothing) {
            self.note(Level::Warn, "a second RESP_HEADER in one response");
            return Progress::Violation;
        }
        self.send.has_header_packet = true;
        let Some((fixed, rest)) = payload.split_first_chunk::<8>() else { return Progress::Violation };
        let [c0, c1, c2, c3, s0, s1, s2, s3] = *fixed;
        let (count, status) = (order.i32_from([c0, c1, c2, c3]), order.i32_from([s0, s1, s2, s3]));
        let most = limits::MAX_SERVER_RESPONSE_HEADERS;
        let Some(count) = usize::try_from(count).ok().filter(|&count| count <= most) else {
            self.note(Level::Warn, format!("RESP_HEADER says it has {count} headers; 0 to {most} can be"));
            return Progress::Violation;
        };
        let mut head = Head::new(status);
        if head.is_interim() {
            return self.interim(head.status());
        }
        let (lengths, mut lines) = rest.split_at_checked(2 * count).unwrap_or((rest, &[]));
        let mut is_whole = count > 0 && lengths.len() == 2 * count;
        for length in lengths.chunks_exact(2) {
            let length = usize::from(order.u16_from([length[0], length[1]]));
            let Some((line, behind)) = lines.split_at_checked(length) else {
                is_whole = false;
                break;
            };
            lines = behind;
            // Its last byte is taken for the NUL, whatever it is.
            let line = line.split_last().map_or(&[][..], |(_, line)| line);
            if let Err(stuck) = head.line(line) {
                return self.stuck(stuck);
            }
        }
        if is_whole {
            return self.complete_head(head);
        }
        self.send.head = HeadState::Incomplete { head };
        Progress::More
    }

    fn interim(&mut self, status: u16) -> Progress {
        self.send.head = HeadState::Interim;
        if !self.client.has_head {
            self.client.has_head = true;
            // Nor does anything of a later send.
            self.client.bodiless = true;
            let text = format!("status {status} is passed on; nothing after it reaches the client");
            self.note(Level::Notice, text);
            self.pieces.push_back(Piece::Interim(status));
        }
        Progress::More
    }

    fn stuck(&mut self, stuck: Stuck) -> Progress {
        let Stuck(why) = stuck;
        let text = format!("{why}: the real server says nothing and waits for initTimeout");
        self.note(Level::Notice, text);
        Progress::Stuck
    }

    fn complete_head(&mut self, head: Head) -> Progress {
        if let Some(path) = head.redirect()
            && !self.client.has_head
        {
            let path = path.to_vec();
            let shown = String::from_utf8_lossy(&path).into_owned();
            let text = format!("internal redirect to {shown}; the rest of the response is dropped");
            self.note(Level::Info, text);
            self.pieces.push_back(Piece::Redirect(path));
            return Progress::Redirected;
        }
        if head.is_interim() {
            return self.interim(head.status());
        }
        self.send.head = HeadState::Complete(head);
        Progress::More
    }

    fn stream(&mut self, payload: Vec<u8>) -> Progress {
        match std::mem::take(&mut self.send.head) {
            HeadState::Interim => {
                self.send.head = HeadState::Interim;
                Progress::More
            }
            state @ (HeadState::Complete(_) | HeadState::Flushed) => {
                self.send.head = state;
                self.body(payload);
                Progress::More
            }
            HeadState::Nothing => self.text(Head::new(200), Vec::new(), &payload),
            HeadState::Incomplete { head } => self.text(head, Vec::new(), &payload),
            HeadState::Text { head, text } => self.text(head, text, &payload),
        }
    }

    /// Body bytes before a head is complete are header lines, as a CGI program writes them.
    fn text(&mut self, mut head: Head, mut line: Vec<u8>, mut text: &[u8]) -> Progress {
        while let Some(len) = text.iter().position(|&byte| byte == b'\n') {
            let (end, rest) = text.split_at_checked(len).unwrap_or_default();
            text = rest.get(1..).unwrap_or_default();
            self.send.text += len + 1;
            line.extend_from_slice(end);
            let whole = line.strip_suffix(b"\r").unwrap_or(&line);
            if whole.is_empty() {
                let progress = self.complete_head(head);
                if progress == Progress::More && !matches!(self.send.head, HeadState::Interim) {
                    self.body(text.to_vec());
                }
                return progress;
            }
            if let Err(stuck) = head.line(whole) {
                return self.stuck(stuck);
            }
            line.clear();
        }
        self.send.text += text.len();
        if self.send.text > LONGEST_CGI_HEAD {
            return self.refuse();
        }
        line.extend_from_slice(text);
        self.send.head = HeadState::Text { head, text: line };
        Progress::More
    }

    fn body(&mut self, payload: Vec<u8>) {
        self.send.gathered += payload.len();
        let mut payload = Bytes::from(payload);
        while !payload.is_empty() {
            self.send.body.push(payload.split_to(payload.len().min(LONGEST_CHUNK)));
        }
        if self.send.gathered > MOST_GATHERED {
            self.flush_whole(None);
        }
    }

    fn refuse(&mut self) -> Progress {
        self.note(Level::Notice, "the response has no complete header: 500");
        Progress::Refused(500)
    }

    fn end(&mut self) -> Progress {
        match self.send.head {
            HeadState::Interim => {}
            HeadState::Complete(_) | HeadState::Flushed => {
                self.surplus();
                let whole = self.send.body.iter().map(|bytes| bytes.len() as u64).sum();
                self.flush_whole(Some(whole));
                self.pieces.push_back(Piece::End);
            }
            _ => return self.refuse(),
        }
        self.send.rest = self.send.packets.take_idle_rest();
        Progress::Complete { reusable: !self.send.close && self.send.rest.is_some() }
    }

    /// What was read along with RESP_END still counts: STREAM is body, STDERR is logged.
    fn surplus(&mut self) {
        while let Ok(Some(packet)) = self.send.packets.next() {
            match packet.ty {
                PacketType::RespStream => self.body(packet.payload),
                PacketType::StderrStream => self.stderr(&packet.payload),
                PacketType::ReqReceived => {}
                PacketType::InternalError if packet.payload.is_empty() => {}
                // Nothing of a response has a request here that it could belong to.
                _ => self.send.close = true,
            }
        }
    }

    /// What was read behind the response and is not a whole packet yet: the next thing the connection says begins so.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        self.send.rest.take().unwrap_or_default()
    }

    /// Hands out what is understood. `whole`: the length of the body, if this is all of it.
    fn flush_whole(&mut self, whole: Option<u64>) {
        match std::mem::take(&mut self.send.head) {
            HeadState::Complete(head) => {
                self.send.head = HeadState::Flushed;
                if !self.client.has_head {
                    self.client.has_head = true;
                    self.client.bodiless = self.head_only || head.is_bodiless();
                    let head = head.finish(self.head_only, whole);
                    if let Framing::Length(length) = head.framing {
                        self.client.left = Some(length);
                    }
                    self.pieces.push_back(Piece::Head(head));
                }
            }
            HeadState::Flushed => self.send.head = HeadState::Flushed,
            other => {
                self.send.head = other;
                return;
            }
        }
        self.send.gathered = 0;
        for mut bytes in std::mem::take(&mut self.send.body) {
            if self.client.bodiless {
                continue;
            }
            if let Some(left) = &mut self.client.left {
                bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= bytes.len() as u64;
            }
            if !bytes.is_empty() {
                self.pieces.push_back(Piece::Body(bytes));
            }
        }
    }
}
