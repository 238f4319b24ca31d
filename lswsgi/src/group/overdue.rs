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
            Self::Start => "has not become ready (--start-timeout)",
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
                Some((worker.since + self.start_timeout, Measure::Kill, Overdue::Start))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::policy::tests::{Kind, policy, worker};

    fn due(change: impl Fn(&mut Worker, Instant), kind: Kind) -> Option<(u64, Measure, Overdue)> {
        let now = Instant::now();
        let mut worker = worker(kind, now);
        change(&mut worker, now);
        let (at, measure, why) = policy().deadline(&worker, now, None)?;
        Some(((at - now).as_secs(), measure, why))
    }

    #[test]
    fn a_runaway_is_told_to_end_a_second_after_its_watchdog_and_then_killed() {
        let unchanged = |_: &mut Worker, _: Instant| {};
        assert_eq!(due(unchanged, Kind::Busy(4000)), Some((7, Measure::Terminate, Overdue::Request)));
        assert_eq!(due(unchanged, Kind::Busy(60_000)), Some((0, Measure::Terminate, Overdue::Request)));
        let told = |worker: &mut Worker, now| worker.measure = Some((Measure::Terminate, now));
        assert_eq!(due(told, Kind::Busy(60_000)), Some((5, Measure::Kill, Overdue::Request)));
        let killed = |worker: &mut Worker, now| worker.measure = Some((Measure::Kill, now));
        assert_eq!(due(killed, Kind::Busy(60_000)), None);
    }

    #[test]
    fn one_that_only_waits_is_left_alone() {
        let unchanged = |_: &mut Worker, _: Instant| {};
        assert_eq!(due(unchanged, Kind::Free(900_000)), None);
        assert_eq!(due(unchanged, Kind::Quiet(900_000)), None);
    }

    #[test]
    fn one_that_does_not_leave_is_killed_but_not_in_the_middle_of_a_request() {
        let told = |worker: &mut Worker, now: Instant| {
            worker.order = Order::LeaveSurplus;
            worker.ordered_at = now.checked_sub(Duration::from_secs(2)).unwrap();
        };
        assert_eq!(due(told, Kind::Free(9000)), Some((3, Measure::Kill, Overdue::Leaving)));
        // Its request has only just ended.
        assert_eq!(due(told, Kind::Quiet(0)), Some((5, Measure::Kill, Overdue::Leaving)));
        assert_eq!(due(told, Kind::Busy(0)), Some((11, Measure::Terminate, Overdue::Request)));
    }

    #[test]
    fn starting_and_exit_handlers_have_their_time() {
        let just = |worker: &mut Worker, now| worker.since = now;
        assert_eq!(due(just, Kind::Starting), Some((60, Measure::Kill, Overdue::Start)));
        let done = |worker: &mut Worker, now| {
            worker.since = now;
            worker.phase = Phase::Done;
        };
        assert_eq!(due(done, Kind::Free(0)), Some((8, Measure::Kill, Overdue::ExitHandlers)));
    }

    #[test]
    fn a_late_worker_is_killed_unless_somebody_has_stopped_it_to_look_at_it() {
        let late = |worker: &mut Worker, now| {
            worker.since = now;
            worker.is_late = true;
        };
        assert_eq!(due(late, Kind::Free(0)), Some((5, Measure::Kill, Overdue::HandOver)));
        let stopped = |worker: &mut Worker, now| {
            late(worker, now);
            worker.is_stopped = true;
        };
        assert_eq!(due(stopped, Kind::Free(0)), None);
    }

    #[test]
    fn a_connection_that_is_not_taken_is_for_another_at_once_if_the_worker_is_stopped() {
        let now = Instant::now();
        let mut worker = worker(Kind::Quiet(0), now);
        worker.since = now;
        assert_eq!(policy().late_at(&worker), None);
        worker.taken = false;
        assert_eq!(policy().late_at(&worker), Some(now + HAND_OVER));
        worker.is_stopped = true;
        assert_eq!(policy().late_at(&worker), Some(now));
    }

    #[test]
    fn everybody_is_killed_a_second_after_the_graceful_timeout() {
        let now = Instant::now();
        let stopping = now.checked_sub(Duration::from_secs(20)).unwrap();
        let due = policy().deadline(&worker(Kind::Busy(0), now), now, Some(stopping)).unwrap();
        assert_eq!(due, (now + Duration::from_secs(4), Measure::Kill, Overdue::Stop));
    }

    #[test]
    fn an_order_is_repeated_after_a_second_to_a_worker_that_could_follow_it() {
        let now = Instant::now();
        let mut worker = worker(Kind::Quiet(9000), now);
        assert!(!policy().wants_reminder(&worker, now));
        worker.order = Order::Release;
        worker.ordered_at = now.checked_sub(REMIND).unwrap();
        assert!(policy().wants_reminder(&worker, now));
        worker.activity = Activity::Busy(Duration::ZERO);
        assert!(!policy().wants_reminder(&worker, now));
    }
}
