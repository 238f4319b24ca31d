//! The template as the manager sees it: none, one that is getting ready, or one that forks workers; and its process.
//!
//! When the next one is started, and what follows from the end of one, is decided in `source`.

use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::group::channel::Channel;
use crate::watch::{Stamp, Watch};

/// The template there is.
#[derive(Debug)]
pub(super) enum Template {
    /// None, until the next is started.
    Absent(Retry),
    /// One that is getting ready.
    Starting(Process),
    /// One that forks workers.
    Ready(Process),
}

/// When the next template is started.
#[derive(Debug)]
pub(super) enum Retry {
    /// As soon as possible.
    Now,
    /// When this is over.
    When(Watch),
}

/// A template's process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: Pid,
    pub(super) channel: Channel,
    pub(super) since: Instant,
    /// Its channel has ended: nothing more comes from it but its status.
    pub(super) over: bool,
    /// It has been killed by us.
    pub(super) killed: bool,
    /// What it said last of why it ends, or why it was ended.
    pub(super) last: Option<Last>,
    /// The state of the application's file before it was imported.
    pub(super) file: Option<Stamp>,
    /// A worker of it exists, or has.
    pub(super) has_forked: bool,
}

/// Why a template ends.
#[derive(Debug)]
pub(super) enum Last {
    /// With this exit code, for this reason.
    Failed(u8, String),
    /// Threads run after its import: the next one is not to import anything.
    Threads,
}

impl Template {
    /// Its process, if there is one.
    pub(super) fn process(&self) -> Option<&Process> {
        match self {
            Self::Absent(_) => None,
            Self::Starting(process) | Self::Ready(process) => Some(process),
        }
    }

    pub(super) fn process_mut(&mut self) -> Option<&mut Process> {
        match self {
            Self::Absent(_) => None,
            Self::Starting(process) | Self::Ready(process) => Some(process),
        }
    }

    /// The one that was getting ready is.
    pub(super) fn ready(&mut self) {
        *self = match std::mem::replace(self, Self::Absent(Retry::Now)) {
            Self::Starting(process) => Self::Ready(process),
            other => other,
        };
    }

    /// Kills it, once.
    pub(super) fn kill(&mut self) {
        let Some(process) = self.process_mut().filter(|process| !process.killed) else { return };
        process.killed = true;
        // One that has ended already is as good as killed.
        let _ = kill_process(process.pid, Signal::KILL);
    }
}

impl Process {
    /// One that has just been started, when the application's file was in the state `file`.
    pub(super) fn new(pid: Pid, channel: Channel, file: Option<Stamp>, now: Instant) -> Self {
        Self { pid, channel, since: now, over: false, killed: false, last: None, file, has_forked: false }
    }
}
