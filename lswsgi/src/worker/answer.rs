//! Who owns the response of the request under way.
//!
//! An end without RESP_END makes the server send the request again, so whoever is left must be able to answer: normally
//! whichever thread of the application writes, and for a crash the signal handler. One atomic decides between them. A
//! writer moves it to WRITING before every write and, after a whole packet, to BETWEEN once the head is out; if it finds the
//! response taken, it parks for ever, because the process is about to end. A crash of another thread gives the writer a
//! moment to finish what it is writing, because half a packet can only be followed by its other half.

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use lsapi::{CLOSE_AND_END, ResponseHead};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::sys;
use crate::worker::discard;

/// No request is under way.
const IDLE: u8 = 0;
/// A request is under way and the head of its response has not been written.
const NONE: u8 = 1;
/// A thread is writing.
const WRITING: u8 = 2;
/// The head has been written, and nothing but whole packets since; more are to come.
const BETWEEN: u8 = 3;
/// Somebody else has taken the response over.
const TAKEN: u8 = 4;

/// How long a crash handler waits for a write of another thread to end, and for room for its own. A peer that takes longer
/// is not reading.
const WRITE_GRACE: Duration = Duration::from_secs(1);

/// How often it looks.
const GLANCE: Duration = Duration::from_millis(1);

static OWNER: AtomicU8 = AtomicU8::new(IDLE);
static SOCKET: AtomicI32 = AtomicI32::new(-1);

/// Whether bytes of the request's body may still arrive; decides if the connection needs the discard.
static BODY_PENDING: AtomicBool = AtomicBool::new(false);

/// The whole answer to a request nothing was written for, prepared because a crash handler cannot build it.
static CRASH_RESPONSE: OnceLock<Vec<u8>> = OnceLock::new();

/// Prepares the answer a crash handler gives.
pub(crate) fn prepare() {
    CRASH_RESPONSE.get_or_init(crash_response);
}

fn crash_response() -> Vec<u8> {
    let body = b"500 Internal Server Error: the application crashed\n";
    let mut head = ResponseHead::default();
    let mut out = Vec::new();
    let lines = [(&b"Content-Type"[..], &b"text/plain"[..]), (b"Content-Length", b"51")];
    debug_assert_eq!(body.len(), 51, "the Content-Length above is that of the body");
    // Two short lines cannot pass a limit.
    let built = lines.iter().try_for_each(|(name, value)| head.push(name, value));
    if built.and_then(|()| head.encode(500, &mut out)).is_ok() {
        lsapi::put_stream(body, &mut out);
    }
    out.extend(CLOSE_AND_END);
    out
}

/// A request has been acknowledged on `socket`.
pub(crate) fn begin(socket: BorrowedFd<'_>, body_pending: bool) {
    SOCKET.store(socket.as_raw_fd(), Ordering::SeqCst);
    BODY_PENDING.store(body_pending, Ordering::SeqCst);
    OWNER.store(NONE, Ordering::SeqCst);
}

/// The request's body has been read to its end.
pub(crate) fn body_received() {
    BODY_PENDING.store(false, Ordering::SeqCst);
}

/// Takes the right to write. Does not return if somebody else has taken the response over.
pub(crate) fn start_write() {
    let state = OWNER.load(Ordering::SeqCst);
    if state == TAKEN || OWNER.compare_exchange(state, WRITING, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        loop {
            std::thread::park();
        }
    }
}

/// How far the response has come with a write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Written {
    /// Error text only: the head has not been written.
    NoHead,
    /// The head, now or earlier.
    Head,
    /// RESP_END.
    End,
}

/// Gives the right back: whole packets have been written.
pub(crate) fn end_write(written: Written) {
    let state = match written {
        Written::NoHead => NONE,
        Written::Head => BETWEEN,
        Written::End => IDLE,
    };
    OWNER.store(state, Ordering::SeqCst);
}

/// The request is over without a whole response: the connection is lost.
pub(crate) fn end() {
    OWNER.store(IDLE, Ordering::SeqCst);
}

/// Answers for a process that is about to die: 500 if no head was written, else the end of the response. Called in a
/// signal handler.
pub(crate) fn for_crash() {
    let take = |state| OWNER.compare_exchange(state, TAKEN, Ordering::SeqCst, Ordering::SeqCst);
    let deadline = Instant::now() + WRITE_GRACE;
    let end: &[u8] = loop {
        match take(NONE) {
            Ok(_) => break CRASH_RESPONSE.get().map_or(&[], Vec::as_slice),
            Err(BETWEEN) if take(BETWEEN).is_ok() => break &CLOSE_AND_END,
            Err(BETWEEN) => {}
            Err(WRITING) if Instant::now() < deadline => {
                // Sleeps, in the way a signal handler may.
                let _ = GLANCE.try_into().map(|glance| poll(&mut [], Some(&glance)));
            }
            Err(_) => return,
        }
    };
    let Some(socket) = sys::borrow_socket(SOCKET.load(Ordering::SeqCst)) else { return };
    send_last(socket, end, deadline);
    if BODY_PENDING.load(Ordering::SeqCst) {
        discard::shut_and_discard(socket);
    }
}

/// Sends the process's last words. What has just been written may fill the buffer of a peer that is reading all the same.
fn send_last(socket: BorrowedFd<'_>, mut words: &[u8], deadline: Instant) {
    while !words.is_empty() {
        match send(socket, words, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) => words = words.get(sent..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::OUT)];
                if !matches!(
                    left.try_into().map(|left| poll(&mut fds, Some(&left))),
                    Ok(Ok(1..) | Err(Errno::INTR))
                ) {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;

    use super::*;
    use lsapi::AppPacket;

    /// What a peer gets of the last words behind a buffer full of zeros, if it `reads`.
    fn last_words_behind_a_full_buffer(reads: bool) -> Vec<u8> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        while send(&ours, &[0; 1000], SendFlags::DONTWAIT).is_ok() {}
        while send(&ours, &[0], SendFlags::DONTWAIT).is_ok() {}
        let (start, started) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            started.recv().unwrap();
            let mut bytes = Vec::new();
            theirs.read_to_end(&mut bytes).unwrap();
            bytes.into_iter().skip_while(|byte| *byte == 0).collect()
        });
        if reads {
            start.send(()).unwrap();
        }
        let limit = if reads { Duration::from_secs(60) } else { Duration::from_millis(10) };
        send_last(ours.as_fd(), &CLOSE_AND_END, Instant::now() + limit);
        drop(ours);
        let _ = start.send(());
        reader.join().unwrap()
    }

    #[test]
    fn the_last_words_wait_for_room_and_not_for_a_peer_that_does_not_read() {
        assert_eq!(last_words_behind_a_full_buffer(true), CLOSE_AND_END);
        assert_eq!(last_words_behind_a_full_buffer(false), b"");
    }

    #[test]
    fn the_prepared_crash_response_is_a_whole_response_that_ends_the_connection() {
        let bytes = crash_response();
        let mut rest = &bytes[..];
        let mut names = Vec::new();
        while !rest.is_empty() {
            let (header, packet) = AppPacket::decode(rest).unwrap();
            if let AppPacket::RespHeader(head) = packet {
                assert_eq!((head.status(), head.surplus()), (500, 0));
            }
            if let AppPacket::RespStream(body) = packet {
                assert_eq!(body.len(), 51);
            }
            names.push(packet.packet_type().name());
            rest = &rest[header.len..];
        }
        assert_eq!(names, ["RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"]);
    }
}
