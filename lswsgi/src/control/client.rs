//! One connection to the control socket: what has come of a request, and what has left of the answer. Never waits.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::{Errno, read};
use rustix::net::{SendFlags, send};

use super::request::{Answer, Kind, LONGEST, Request};

/// How long a request may take to come, and an answer to be read.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: OwnedFd,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A request is coming: what has, and until when the rest has to.
    Reading(Vec<u8>, Instant),
    /// It has come whole, and has not been answered.
    Asked,
    /// The answer leaves: how much of it has left, and until when it has to.
    Writing { answer: Vec<u8>, sent: usize, until: Instant, then: Then },
    /// It stays until the process ends.
    Held,
    /// It is over.
    Over,
}

/// What becomes of a connection when its answer has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is closed.
    Close,
    /// It stays until the process ends, which is what tells its peer so.
    Hold,
}

impl Client {
    /// A new one.
    pub(super) fn new(stream: OwnedFd, now: Instant) -> Self {
        Self { stream, state: State::Reading(Vec::new(), now + PATIENCE) }
    }

    /// What to wait for.
    pub(super) fn poll_fd(&self) -> PollFd<'_> {
        let events = match self.state {
            State::Reading(..) => PollFlags::IN,
            State::Writing { .. } => PollFlags::OUT,
            // The end of a peer is told of all the same.
            State::Asked | State::Held | State::Over => PollFlags::empty(),
        };
        PollFd::new(&self.stream, events)
    }

    /// When it has waited for its peer for too long.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Reading(_, until) | State::Writing { until, .. } => Some(until),
            State::Asked | State::Held | State::Over => None,
        }
    }

    pub(super) fn is_reading(&self) -> bool {
        matches!(self.state, State::Reading(..))
    }

    pub(super) fn is_held(&self) -> bool {
        matches!(self.state, State::Held)
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// The peer has gone, as poll has told.
    pub(super) fn hung_up(&mut self) {
        if !self.is_reading() {
            self.state = State::Over;
        }
    }

    /// Gets on as far as that is possible at once. Returns the request when it has come whole.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Request> {
        let request = if self.is_reading() { self.read(now) } else { None };
        self.write();
        if self.due().is_some_and(|due| due <= now) {
            self.state = State::Over;
        }
        request
    }

    fn read(&mut self, now: Instant) -> Option<Request> {
        let State::Reading(line, _) = &mut self.state else { return None };
        let is_whole = loop {
            let mut buffer = [0; LONGEST];
            match read(&self.stream, &mut buffer) {
                // A peer that sends nothing more, and perhaps no end of the line either.
                Ok(0) if line.is_empty() => {
                    self.state = State::Over;
                    return None;
                }
                Ok(0) => break true,
                Ok(count) => line.extend(&buffer[..count]),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return None,
                Err(_) => {
                    self.state = State::Over;
                    return None;
                }
            }
            if line.contains(&b'\n') {
                break true;
            }
            if line.len() >= LONGEST {
                break false;
            }
        };
        let end = line.iter().position(|&byte| byte == b'\n').unwrap_or(line.len());
        let request = match line.get(..end) {
            Some(line) if is_whole && end < LONGEST => {
                serde_json::from_slice(line).map_err(|error| error.to_string())
            }
            _ => Err(format!("a request has at most {LONGEST} bytes")),
        };
        match request {
            Ok(request) => {
                self.state = State::Asked;
                Some(request)
            }
            Err(message) => {
                self.answer(Answer::<()>::refuse(Kind::Request, message).encode(), Then::Close, now);
                None
            }
        }
    }

    /// Answers with a line.
    pub(super) fn answer(&mut self, line: Vec<u8>, then: Then, now: Instant) {
        self.state = State::Writing { answer: line, sent: 0, until: now + PATIENCE, then };
        self.write();
    }

    fn write(&mut self) {
        let State::Writing { answer, sent, then, .. } = &mut self.state else { return };
        let over = loop {
            match answer.get(*sent..) {
                None | Some([]) => break if *then == Then::Hold { State::Held } else { State::Over },
                Some(rest) => match send(&self.stream, rest, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                    Ok(count) => *sent += count,
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => return,
                    Err(_) => break State::Over,
                },
            }
        };
        self.state = over;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use super::*;

    fn client(now: Instant) -> (Client, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Client::new(ours.into(), now), theirs)
    }

    #[test]
    fn a_request_may_come_in_pieces_until_its_time_is_over() {
        let now = Instant::now();
        let (mut slow, mut peer) = client(now);
        for piece in ["{\"command\":", "\"status\"", "}"] {
            peer.write_all(piece.as_bytes()).unwrap();
            assert_eq!(slow.advance(now), None);
        }
        peer.write_all(b"\n").unwrap();
        assert_eq!(slow.advance(now), Some(Request::Status));
        assert_eq!(slow.due(), None);

        let (mut late, mut peer) = client(now);
        peer.write_all(b"{").unwrap();
        assert_eq!(late.advance(late.due().unwrap()), None);
        assert!(late.is_over());
    }

    #[test]
    fn an_answer_that_is_not_read_is_given_up_and_one_that_is_arrives_whole() {
        let now = Instant::now();
        let line = vec![b'x'; 4 << 20];
        for is_read in [false, true] {
            let (mut client, mut peer) = client(now);
            client.answer(line.clone(), Then::Close, now);
            assert!(!client.is_over(), "no socket holds that much");
            let mut received = 0;
            peer.set_nonblocking(true).unwrap();
            while is_read && !client.is_over() {
                client.advance(now);
                let mut buffer = vec![0; 1 << 20];
                received += peer.read(&mut buffer).unwrap_or(0);
            }
            client.advance(now + PATIENCE);
            assert!(client.is_over());
            drop(client);
            peer.set_nonblocking(false).unwrap();
            let mut rest = Vec::new();
            received += peer.read_to_end(&mut rest).unwrap();
            assert_eq!(received == line.len(), is_read, "{received}");
        }
    }

    #[test]
    fn who_has_been_answered_and_stays_is_let_go_when_it_goes() {
        let now = Instant::now();
        let (mut client, peer) = client(now);
        client.answer(b"{}\n".to_vec(), Then::Hold, now);
        client.advance(now + 2 * PATIENCE);
        assert!(client.is_held() && client.due().is_none());
        drop(peer);
        client.hung_up();
        assert!(client.is_over());
    }
}
