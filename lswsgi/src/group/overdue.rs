//! Workers that do not do as they should: when which signal is due. Decisions only, as in `policy`.

use std::fmt;
use std::time::{Duration, Instant};

use crate::board::Order;
use crate::group::policy::Policy;
use crate::group::workers::{Activity, Measure, Phase, Worker};

/// How long past LSAPI_MAX_PROCESS_TIME a worker's own watchdog has to answer. TERM does not keep it from that.
pub(super) const WATCHDOG_GRACE: Duration = Duration::from_secs(1);

/// How long a worker without a request may take to take a connection, or to leave, when it is told to.
const REACTION: Duration = Duration::from_secs(5);

/// How long a worker may take to take a connection before another may have it. A busy machine makes everybody slow.
const HAND_OVER: Duration = Duration::from_millis(200);

/// How long after the graceful timeout, at which the workers' watchdogs answer, the rest is killed.
const AFTER_GRACEFUL: Duration = Duration::from_secs(1);

/// An order that has not been followed is given again after this long.
pub(super) const REMIND: Duration = Duration::from_secs(1);

/// Why a worker is signalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// It has not become ready.
    Start,
    /// It has not taken the connection it was handed.
    HandOver,
    /// Its request is over the limit.
    Request,
    /// It has not left.
    Leaving,
    /// Its exit handlers take too long.
    ExitHandlers,
    /// The graceful timeout is over.
    Stop,
}

impl fmt::Display for Overdue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "has not become ready (LSAPI_MAX_PROCESS_TIME)",
            Self::HandOver => "does not take its connection",
            Self::Request => "runs away (LSAPI_MAX_PROCESS_TIME)",
            Self::Leaving => "does not leave",
            Self::ExitHandlers => "does not end (--exit-timeout)",
            Self::Stop => "has not ended its request (--graceful-timeout)",
        })
    }
}

impl Policy {
    /// When, how and why a worker has to be signalled next, if nothing changes before. `stopping`: since when the group does.
    pub(super) fn deadline(
        &self,
        worker: &Worker,
        now: Instant,
        stopping: Option<Instant>,
    ) -> Option<(Instant, Measure, Overdue)> {
        if matches!(worker.measure, Some((Measure::Kill, _))) {
            return None;
        }
        let stop = stopping
            .map(|since| (since + self.graceful_timeout + AFTER_GRACEFUL, Measure::Kill, Overdue::Stop));
        let own = match (worker.measure, worker.phase, worker.activity) {
            (Some((_, at)), ..) => Some((at + self.kill_after, Measure::Kill, Overdue::Request)),
            (None, Phase::Done, _) => {
                let at = worker.since + self.exit_timeout + self.kill_after;
                Some((at, Measure::Kill, Overdue::ExitHandlers))
            }
            (None, Phase::Starting, _) => {
                self.max_process_time.map(|limit| (worker.since + limit, Measure::Kill, Overdue::Start))
            }
            (None, Phase::Serving, Activity::Busy(age)) => self.max_process_time.map(|limit| {
                let left = (limit + WATCHDOG_GRACE).saturating_sub(age);
                (now + left, Measure::Terminate, Overdue::Request)
            }),
            // Whoever has stopped a process wants to look at it.
            (None, Phase::Serving, _) if worker.is_late => {
                (!worker.is_stopped).then(|| (worker.since + REACTION, Measure::Kill, Overdue::HandOver))
            }
            (None, Phase::Serving, _) if worker.order.is_leave() => {
                let idle = worker.idle(now).unwrap_or_default();
                let since_both = (now - worker.ordered_at).min(idle);
                Some((now + REACTION.saturating_sub(since_both), Measure::Kill, Overdue::Leaving))
            }
            // A request may begin at any moment.
            (None, Phase::Serving, _) => None,
        };
        stop.into_iter().chain(own).min_by_key(|(at, ..)| *at)
    }

    /// When another worker may have the connection this one has been handed and has not taken.
    pub(super) fn late_at(&self, worker: &Worker) -> Option<Instant> {
        let patience = if worker.is_stopped { Duration::ZERO } else { HAND_OVER };
        (worker.holds && !worker.taken).then(|| worker.since + patience)
    }

    /// Whether an order has to be given again: a worker may have missed it at the end of a connection.
    pub(super) fn wants_reminder(&self, worker: &Worker, now: Instant) -> bool {
        worker.phase == Phase::Serving
            && worker.order != Order::None
            && !worker.is_busy()
            && now - worker.ordered_at >= REMIND
    }
}
