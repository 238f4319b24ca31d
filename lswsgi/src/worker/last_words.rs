//! What is sent for a response that was taken from the application because the process is about to end, and how.
//!
//! When that is done is decided in [`answer`](super::answer).

use std::os::fd::BorrowedFd;
use std::sync::OnceLock;
use std::time::Instant;

use lsapi::{CLOSE_AND_END, ResponseHead};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send as send_some};

/// The whole answer to a request nothing was written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastWords {
    /// The process has crashed.
    Crashed,
    /// The process stops and has waited for the request as long as it may.
    Stopped,
    /// The request has run for too long.
    TooLong,
}

/// Built before they are needed, because a crash handler cannot build anything.
static PREPARED: OnceLock<[Vec<u8>; 3]> = OnceLock::new();

/// Builds them.
pub(super) fn prepare() {
    PREPARED.get_or_init(|| {
        [LastWords::Crashed, LastWords::Stopped, LastWords::TooLong].map(|words| {
            let (status, text) = words.page();
            response(status, text)
        })
    });
}

impl LastWords {
    const fn page(self) -> (u16, &'static str) {
        match self {
            Self::Crashed => (500, "500 Internal Server Error: the application crashed\n"),
            Self::Stopped => (503, "503 Service Unavailable: the application is being stopped\n"),
            Self::TooLong => (504, "504 Gateway Timeout: the application took too long\n"),
        }
    }

    /// The status, and the length of the body.
    pub(crate) const fn answer(self) -> (u16, u64) {
        let (status, text) = self.page();
        (status, text.len() as u64)
    }

    /// The packets. Async-signal-safe.
    pub(super) fn bytes(self) -> &'static [u8] {
        PREPARED.get().map_or(&CLOSE_AND_END, |prepared| &prepared[self as usize])
    }
}

fn response(status: u16, body: &str) -> Vec<u8> {
    let mut head = ResponseHead::default();
    let mut out = Vec::new();
    let length = body.len().to_string();
    let lines = [("Content-Type", "text/plain"), ("Content-Length", &length)];
    // Two short lines cannot pass a limit.
    let built = lines.iter().try_for_each(|(name, value)| head.push(name.as_bytes(), value.as_bytes()));
    if built.and_then(|()| head.encode(status, &mut out)).is_ok() {
        lsapi::put_stream(body.as_bytes(), &mut out);
    }
    out.extend(CLOSE_AND_END);
    out
}

/// Sends them. What has just been written may fill the buffer of a peer that is reading all the same. Async-signal-safe.
pub(super) fn send(socket: BorrowedFd<'_>, mut words: &[u8], deadline: Instant) {
    while !words.is_empty() {
        match send_some(socket, words, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
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
    use std::time::Duration;

    use super::*;
    use lsapi::AppPacket;

    /// What a peer gets of the last words behind a buffer full of zeros, if it `reads`.
    fn last_words_behind_a_full_buffer(reads: bool) -> Vec<u8> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        while send_some(&ours, &[0; 1000], SendFlags::DONTWAIT).is_ok() {}
        while send_some(&ours, &[0], SendFlags::DONTWAIT).is_ok() {}
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
        send(ours.as_fd(), &CLOSE_AND_END, Instant::now() + limit);
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
    fn every_prepared_response_is_a_whole_one_that_ends_the_connection() {
        prepare();
        for (words, expected) in
            [(LastWords::Crashed, 500), (LastWords::Stopped, 503), (LastWords::TooLong, 504)]
        {
            let mut rest = words.bytes();
            let mut names = Vec::new();
            while !rest.is_empty() {
                let (header, packet) = AppPacket::decode(rest).unwrap();
                if let AppPacket::RespHeader(head) = packet {
                    assert_eq!((head.status(), head.surplus()), (expected, 0));
                }
                if let AppPacket::RespStream(body) = packet {
                    assert!(body.starts_with(expected.to_string().as_bytes()));
                }
                names.push(packet.packet_type().name());
                rest = &rest[header.len..];
            }
            assert_eq!(names, ["RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"]);
        }
    }
}
