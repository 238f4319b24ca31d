//! One send of a request: its bytes on one connection, and what comes back there.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::body::KeptBody;
use super::failure::Failure;
use super::link::Link;
use super::pool::Place;
use super::process::Process;
use super::tap::Tap;
use crate::connection::BODY_BLOCK;
use crate::reply::{Progress, Reply};
use crate::transcript::SentKind;

/// Blocks of the body written before the application's answer is looked at.
const BLOCKS_A_TURN: usize = 8;

/// One send.
#[derive(Debug)]
pub(super) struct Sending {
    place: Place,
    link: Link,
    tap: Tap,
    begin: Arc<[u8]>,
    /// Bytes of `begin` the socket has taken.
    written: usize,
    /// The block of the body being written, and how much of it has been.
    block: Vec<u8>,
    block_written: usize,
    /// Where in the body the next block begins.
    next_block: u64,
    /// A write failed. What the application said before may still be a whole answer.
    write_failed: Option<io::Error>,
    /// See [`Progress::Stuck`].
    stuck: bool,
    last_activity: Instant,
}

/// What a turn came to.
#[derive(Debug)]
pub(super) enum Turned {
    /// Nothing more can be read or written now.
    Blocked {
        /// There is something to write.
        wants_to_write: bool,
    },
    /// There is more to do at once.
    Busy,
    /// Bytes came.
    Took(Progress),
    /// The connection has ended.
    Failed(Failure),
}

impl Sending {
    pub(super) fn new(place: Place, link: Link, tap: Tap, begin: Arc<[u8]>) -> Self {
        Self {
            place,
            link,
            tap,
            begin,
            written: 0,
            block: Vec::new(),
            block_written: 0,
            next_block: 0,
            write_failed: None,
            stuck: false,
            last_activity: Instant::now(),
        }
    }

    /// Whether the socket has taken the first byte.
    pub(super) const fn has_begun(&self) -> bool {
        self.written > 0
    }

    /// Writes and reads what is possible without waiting.
    pub(super) fn turn(&mut self, body: &mut KeptBody, reply: &mut Reply) -> Turned {
        let to_write = self.write(body);
        match self.read(reply) {
            Turned::Blocked { .. } => {}
            turned => return turned,
        }
        if let Some(error) = self.write_failed.take() {
            return Turned::Failed(Failure::Lost(error));
        }
        match to_write {
            Written::All => Turned::Blocked { wants_to_write: false },
            Written::Full => Turned::Blocked { wants_to_write: true },
            Written::Some => Turned::Busy,
        }
    }

    fn write(&mut self, body: &mut KeptBody) -> Written {
        for _ in 0..BLOCKS_A_TURN {
            if self.write_failed.is_some() {
                return Written::All;
            }
            if self.block_written == self.block.len()
                && let Err(error) = self.load_block(body)
            {
                self.fail_write(error);
                return Written::All;
            }
            let begin = self.begin.get(self.written..).unwrap_or_default();
            let block = self.block.get(self.block_written..).unwrap_or_default();
            if begin.is_empty() && block.is_empty() {
                return Written::All;
            }
            match self.link.socket.send_two(begin, block) {
                Ok(len) => {
                    let of_begin = len.min(begin.len());
                    let of_block = len - of_begin;
                    let kind = if begin.is_empty() { SentKind::Body } else { SentKind::Request };
                    let sent = (begin.get(..of_begin), block.get(..of_block));
                    self.tap.sent(kind, sent.0.unwrap_or_default(), sent.1.unwrap_or_default());
                    self.written += of_begin;
                    self.block_written += of_block;
                    self.last_activity = Instant::now();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Written::Full,
                Err(error) => self.fail_write(error),
            }
        }
        Written::Some
    }

    fn load_block(&mut self, body: &mut KeptBody) -> io::Result<()> {
        self.block_written = 0;
        self.block.clear();
        if self.next_block < body.len() {
            self.block.resize(BODY_BLOCK, 0);
            let read = body.read_at(self.next_block, &mut self.block);
            self.block.truncate(*read.as_ref().unwrap_or(&0));
            self.next_block += self.block.len() as u64;
            read?;
        }
        Ok(())
    }

    fn fail_write(&mut self, error: io::Error) {
        self.tap.send_failed(&error);
        self.write_failed = Some(error);
    }

    fn read(&mut self, reply: &mut Reply) -> Turned {
        if !self.link.partial.is_empty() {
            let early = std::mem::take(&mut self.link.partial);
            return self.take(&early, reply);
        }
        let mut scratch = std::mem::take(&mut self.link.scratch);
        let turned = match self.link.socket.recv(&mut scratch) {
            Ok(0) => {
                self.tap.ended(false);
                Turned::Failed(Failure::Closed)
            }
            Ok(len) => self.take(scratch.get(..len).unwrap_or_default(), reply),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Turned::Blocked { wants_to_write: false }
            }
            Err(error) => {
                self.tap.ended(true);
                Turned::Failed(Failure::Lost(error))
            }
        };
        self.link.scratch = scratch;
        turned
    }

    fn take(&mut self, bytes: &[u8], reply: &mut Reply) -> Turned {
        self.tap.received(bytes);
        if self.stuck {
            return Turned::Busy;
        }
        self.last_activity = Instant::now();
        let progress = reply.take(bytes);
        self.stuck = progress == Progress::Stuck;
        Turned::Took(progress)
    }

    /// Waits until [`turn`](Self::turn) can do something.
    pub(super) async fn ready(&self, wants_to_write: bool) {
        // An error shows again, and in words, when it is tried.
        if wants_to_write {
            let _ = self.link.socket.ready_to_write().await;
        } else {
            let _ = self.link.socket.readable().await;
        }
    }

    /// When it is given up, if it is: the first request of a connection that is not acknowledged, and one the server has
    /// lost its way with (lsapi 4.1.6, 4.3.2).
    pub(super) fn gives_up_at(
        &self,
        is_acknowledged: bool,
        init_timeout: Duration,
    ) -> Option<(Instant, Failure)> {
        let failure = if self.stuck {
            Failure::Stuck
        } else if !self.link.served && !is_acknowledged {
            Failure::InitTimeout
        } else {
            return None;
        };
        Some((self.last_activity + init_timeout, failure))
    }

    /// The response is complete. The connection takes the next request, even if the body of this one did not go out to
    /// its end (lsapi 4.2.3).
    pub(super) fn complete(self, reusable: bool, rest: Vec<u8>) {
        let Self { place, mut link, tap, .. } = self;
        link.partial = rest;
        if reusable && self.written == self.begin.len() && self.write_failed.is_none() {
            link.served = true;
            place.recycle(link);
        } else {
            tap.closed();
            drop(link);
        }
    }

    /// ABORT_REQUEST, and the connection is closed in the same instant (lsapi 4.3.6).
    pub(super) fn abort(self) {
        if self.has_begun()
            && let Ok(len) = self.link.socket.send_two(&lsapi::ABORT_REQUEST, &[])
        {
            self.tap.sent(SentKind::Raw, lsapi::ABORT_REQUEST.get(..len).unwrap_or_default(), &[]);
        }
        self.tap.closed();
    }

    /// Closes the connection. What is left: its place, the process that was started for it, and whether it had
    /// completed a request before.
    pub(super) fn fail(self) -> (Place, Option<Process>, bool) {
        self.tap.closed();
        let Self { place, mut link, .. } = self;
        (place, link.process.take(), link.served)
    }
}

/// How far writing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// There is nothing left to write now.
    All,
    /// The socket takes no more.
    Full,
    /// It could go on, but others have their turn.
    Some,
}
