//! The template as the manager sees it: none, one that is getting ready, or one that forks workers; and its process.
//!
//! When the next one is started, and what follows from the end of one, is decided in `source`.

use std::collections::BTreeSet;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::group::channel::{Channel, Incoming};
use crate::group::message::FromTemplate;
use crate::log;
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
    /// The how-manieth template of the group it is, from 1.
    pub(super) number: u64,
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
    /// Slots for which it has been told to fork a worker, and has not answered.
    pub(super) asked: BTreeSet<usize>,
    /// Since when it owes an answer.
    pub(super) asked_at: Instant,
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

    /// Its process, if there is one.
    pub(super) fn into_process(self) -> Option<Process> {
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
}

impl Process {
    /// The how-manieth it is; one that has just been started, when the application's file was in the state `file`.
    pub(super) fn new(number: u64, pid: Pid, channel: Channel, file: Option<Stamp>, now: Instant) -> Self {
        Self {
            number,
            pid,
            channel,
            since: now,
            over: false,
            killed: false,
            last: None,
            file,
            has_forked: false,
            asked: BTreeSet::new(),
            asked_at: now,
        }
    }

    /// Kills it, once.
    pub(super) fn kill(&mut self) {
        if !self.killed {
            self.killed = true;
            // One that has ended already is as good as killed.
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }

    /// It is to fork a worker for `slot`.
    pub(super) fn ask(&mut self, slot: usize, now: Instant) {
        if self.asked.is_empty() {
            self.asked_at = now;
        }
        self.asked.insert(slot);
    }

    /// It has said what became of that.
    pub(super) fn answered(&mut self, slot: usize, now: Instant) {
        self.asked_at = now;
        self.asked.remove(&slot);
    }

    /// The next thing it has to say.
    pub(super) fn read(&mut self) -> Option<FromTemplate> {
        while !self.over {
            match self.channel.receive() {
                Incoming::Message(bytes, _) => match FromTemplate::decode(&bytes) {
                    Ok(message) => return Some(message),
                    Err(unknown) => log::error(format_args!("template {}: {unknown}", self.pid.as_raw_pid())),
                },
                Incoming::Nothing => return None,
                Incoming::Ended => self.over = true,
            }
        }
        None
    }
}
