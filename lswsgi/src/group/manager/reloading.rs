//! New code: a new template imports it, and if that works new workers take over from the old.

use std::time::Instant;

use super::run::Manager;
use crate::log;

/// A reload somebody has asked for: the number of the attempt that will have read everything that was there when they asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::group) struct Ticket(pub(super) u64);

/// What has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::group) enum Outcome {
    /// It is under way, or waits for the one that is.
    Pending,
    /// New code serves.
    Done,
    /// The old code serves on, for this reason.
    Failed(String),
}

impl Manager<'_> {
    /// Asks for a reload, because of `why`.
    pub(super) fn reload(&mut self, why: &str, _now: Instant) -> Ticket {
        log::info(format_args!("{why}: reloading is not there yet"));
        Ticket(0)
    }

    /// Whether one is under way.
    pub(super) fn is_reloading(&self) -> bool {
        false
    }

    /// What has become of one. Outcomes are kept for the last attempt only: whoever asks later than the next is told that.
    pub(super) fn outcome(&self, _ticket: Ticket) -> Outcome {
        Outcome::Failed("reloading is not there yet".to_owned())
    }
}
