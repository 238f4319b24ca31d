//! The listening socket: accepting connections, those that wait for a worker, and saying so when they wait for long.

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use crate::endpoint::Listener;
use crate::log;
use crate::worker::socket::is_hung_up;

/// How long a worker whose request has just ended has to report the end of its connection.
const PATIENCE: Duration = Duration::from_millis(2);

/// How long all have been busy when it is worth a line in the log.
const WORTH_A_LINE: Duration = Duration::from_millis(200);

/// How long connections wait before a busy worker is told to give up its connection after its request.
const INTERRUPT_AFTER: Duration = Duration::from_millis(100);

/// How long accepting pauses when there are no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The way in.
#[derive(Debug)]
pub(super) struct Door {
    /// `None` once the group stops.
    listener: Option<Listener>,
    /// Connections that have been accepted and that no worker has.
    pub(super) waiting: VecDeque<OwnedFd>,
    /// A connection is there that has not been accepted.
    pub(super) knocking: bool,
    /// Until when a worker is waited for that has just served.
    patience: Option<Instant>,
    /// Since when nobody can take a connection that is there.
    full: Option<Full>,
    /// Nothing is accepted before.
    paused_until: Option<Instant>,
}

/// A time in which nobody can take a connection.
#[derive(Clone, Copy, Debug)]
struct Full {
    since: Instant,
    /// It has been logged.
    told: bool,
    /// When a busy worker was interrupted last, or the time began.
    interrupted: Instant,
}

impl Door {
    pub(super) fn new(listener: Listener) -> Self {
        Self {
            listener: Some(listener),
            waiting: VecDeque::new(),
            knocking: false,
            patience: None,
            full: None,
            paused_until: None,
        }
    }

    /// The socket to listen on: if somebody could take a connection, and nobody is known to be there.
    pub(super) fn poll_fd(&self, now: Instant) -> Option<BorrowedFd<'_>> {
        if self.knocking || self.is_paused(now) {
            return None;
        }
        self.listener.as_ref().map(|listener| listener.fd.as_fd())
    }

    /// Whether nobody is let in for want of descriptors.
    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| now < until)
    }

    /// When to come back at the latest.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let paused = self.paused_until.filter(|_| self.listener.is_some());
        [self.patience, paused].into_iter().flatten().filter(|&at| at > now).min()
    }

    /// Whether to wait a little for a worker that has just served. Once for each connection.
    pub(super) fn is_patient(&mut self, now: Instant) -> bool {
        now < *self.patience.get_or_insert(now + PATIENCE)
    }

    /// Accepts the connection that is there. `None`: there was none after all, or it cannot be accepted now.
    pub(super) fn accept(&mut self, now: Instant) -> Option<OwnedFd> {
        self.knocking = false;
        self.patience = None;
        let listener = self.listener.as_ref()?;
        match accept_with(&listener.fd, SocketFlags::CLOEXEC) {
            // The server has given this connection up and has sent its request, if any, on another one.
            Ok(fd) if is_hung_up(fd.as_fd()) => {
                log::debug(format_args!("dropping a connection its peer has closed already"));
                None
            }
            Ok(fd) => Some(fd),
            // Another process was quicker, or the peer has changed its mind.
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED | Errno::PROTO) => None,
            Err(errno) => {
                log::error(format_args!(
                    "cannot accept a connection: {errno}; trying again in {} s",
                    ACCEPT_PAUSE.as_secs()
                ));
                self.paused_until = Some(now + ACCEPT_PAUSE);
                None
            }
        }
    }

    /// Nobody can take the connection that is there. Returns whether a busy worker is to be interrupted for it.
    pub(super) fn full(&mut self, workers: usize, now: Instant) -> bool {
        let full = self.full.get_or_insert(Full { since: now, told: false, interrupted: now });
        if !full.told && now - full.since >= WORTH_A_LINE {
            full.told = true;
            log::warning(format_args!(
                "all {workers} workers are busy; further connections wait (LSAPI_CHILDREN)"
            ));
        }
        let interrupt = now - full.interrupted >= INTERRUPT_AFTER;
        if interrupt {
            full.interrupted = now;
        }
        interrupt
    }

    /// Somebody can take a connection, or none is there.
    pub(super) fn not_full(&mut self, now: Instant) {
        if let Some(full) = self.full.take().filter(|full| full.told) {
            let lasted = (now - full.since).as_secs_f64();
            log::info(format_args!(
                "connections do not wait any longer; all workers were busy for {lasted:.1} s"
            ));
        }
    }

    /// Whether connections wait because nobody can take them.
    pub(super) fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// Lets nobody in any more, and removes a socket file of our own.
    pub(super) fn close(&mut self) {
        self.listener = None;
        self.knocking = false;
    }
}
