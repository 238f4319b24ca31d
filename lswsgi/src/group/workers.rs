//! The table of workers: what the manager knows of each. Decides nothing and does nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::board::{Order, Slot};

/// How long a worker may take to release a connection. Its peer has half a second to close it.
const RELEASE: Duration = Duration::from_secs(1);

/// How far a worker has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has been asked for, and has not said that it is ready.
    Starting,
    /// It takes connections, one at a time.
    Serving,
    /// It takes nothing more. Its exit handlers may still run.
    Done,
}

/// What a worker did when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// It starts.
    Unknown,
    /// It has been running a request for so long.
    Busy(Duration),
    /// It has been without a request for so long, whether or not it has a connection.
    Idle(Duration),
}

/// A signal to a worker that does not end as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Measure {
    /// TERM.
    Terminate,
    /// KILL.
    Kill,
}

/// One worker.
#[derive(Clone, Debug)]
pub(super) struct Worker {
    /// Its process; `None` until the template has told.
    pub(super) pid: Option<Pid>,
    /// It answers for an application that cannot be used, and has no Python.
    pub(super) stand_in: bool,
    /// The number of the template it was forked from; 0 of a stand-in.
    pub(super) generation: u64,
    /// It is to show whether new code can serve. Until it has, it is not one of those that do.
    pub(super) is_trial: bool,
    /// How far it has come.
    pub(super) phase: Phase,
    /// It has been ready.
    pub(super) was_ready: bool,
    /// It has been handed a connection whose end it has not reported.
    pub(super) holds: bool,
    /// It has said that it has taken that connection.
    pub(super) taken: bool,
    /// It has not taken one in time, so that another got it, and it has not said that it knows.
    pub(super) is_late: bool,
    /// When it was asked for.
    pub(super) born: Instant,
    /// When phase or connection changed last.
    pub(super) since: Instant,
    /// What it has been told and has not reported done.
    pub(super) order: Order,
    /// When it was told.
    pub(super) ordered_at: Instant,
    /// When it is too old; `None`: never.
    pub(super) expires: Option<Instant>,
    /// The harshest signal it has been sent, and when.
    pub(super) measure: Option<(Measure, Instant)>,
    /// Somebody has stopped its process, by SIGSTOP: nothing can be expected of it.
    pub(super) is_stopped: bool,
    /// What it was doing when it was last looked at.
    pub(super) activity: Activity,
    /// The end of the response to its last request has left.
    pub(super) is_ending: bool,
}

impl Worker {
    /// One that has just been asked for of the template with this number.
    pub(super) fn new(generation: u64, now: Instant) -> Self {
        Self {
            pid: None,
            stand_in: false,
            generation,
            is_trial: false,
            phase: Phase::Starting,
            was_ready: false,
            holds: false,
            taken: false,
            is_late: false,
            born: now,
            since: now,
            order: Order::None,
            ordered_at: now,
            expires: None,
            measure: None,
            is_stopped: false,
            activity: Activity::Unknown,
            is_ending: false,
        }
    }

    /// It counts towards the limits. Not one of old code: a long request of it must not hold the place of a worker of new
    /// code.
    pub(super) fn is_member(&self) -> bool {
        self.phase != Phase::Done && self.order != Order::LeaveReload && !self.is_trial
    }

    /// It has been told to leave, or leaves.
    pub(super) fn is_leaving(&self) -> bool {
        self.phase == Phase::Done || self.order.is_leave()
    }

    /// A connection can be handed to it.
    pub(super) fn is_free(&self) -> bool {
        let is_unable = self.is_late || self.is_stopped || self.order.is_leave();
        self.phase == Phase::Serving && !self.holds && !is_unable
    }

    /// A request runs in it.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.activity, Activity::Busy(_))
    }

    /// It holds a connection, no request runs, and it has not been told anything.
    pub(super) fn can_release(&self) -> bool {
        self.phase == Phase::Serving
            && !self.is_stopped
            && self.holds
            && self.taken
            && self.order == Order::None
            && !self.is_busy()
    }

    /// A connection can be handed to it soon. A release is not counted on for long: half of a request may have come.
    pub(super) fn is_coming(&self, now: Instant) -> bool {
        let is_told = self.order == Order::Release && now - self.ordered_at < RELEASE;
        let releases = self.holds && is_told && !self.is_busy();
        !self.is_leaving()
            && !self.is_stopped
            && !self.is_trial
            && (self.phase == Phase::Starting || releases)
    }

    /// For how long no request has run, counted anew from a hand-over; nothing while one does, or the worker starts.
    pub(super) fn idle(&self, now: Instant) -> Option<Duration> {
        match self.activity {
            Activity::Idle(_) if self.phase != Phase::Serving => None,
            Activity::Idle(idle) if self.holds => Some(idle.min(now - self.since)),
            Activity::Idle(idle) => Some(idle),
            Activity::Unknown | Activity::Busy(_) => None,
        }
    }
}

/// All workers there are, by the number of their slot on the board.
#[derive(Debug, Default)]
pub(super) struct Workers(BTreeMap<usize, Worker>);

impl Workers {
    /// The lowest of the `count` slots nobody uses.
    pub(super) fn free_slot(&self, count: usize) -> Option<usize> {
        let used = self.0.keys().zip(0..).take_while(|(slot, index)| *slot == index).count();
        (used < count).then_some(used)
    }

    /// Enters a worker.
    pub(super) fn insert(&mut self, slot: usize, worker: Worker) {
        self.0.insert(slot, worker);
    }

    /// Strikes one out.
    pub(super) fn remove(&mut self, slot: usize) -> Option<Worker> {
        self.0.remove(&slot)
    }

    pub(super) fn get(&self, slot: usize) -> Option<&Worker> {
        self.0.get(&slot)
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut Worker> {
        self.0.get_mut(&slot)
    }

    /// The slot of the worker that is process `pid`.
    pub(super) fn slot_of(&self, pid: Pid) -> Option<usize> {
        self.iter().find(|(_, worker)| worker.pid == Some(pid)).map(|(slot, _)| slot)
    }

    /// All of them, in the order of their slots.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Worker)> {
        self.0.iter().map(|(&slot, worker)| (slot, worker))
    }

    /// Those that count towards the limits.
    pub(super) fn members(&self) -> impl Iterator<Item = (usize, &Worker)> {
        self.iter().filter(|(_, worker)| worker.is_member())
    }

    /// Those that have not been told to leave, but for one that is on trial.
    pub(super) fn staying(&self) -> impl Iterator<Item = (usize, &Worker)> {
        self.iter().filter(|(_, worker)| !worker.is_leaving() && !worker.is_trial)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that hold a connection.
    pub(super) fn connections(&self) -> usize {
        self.iter().filter(|(_, worker)| worker.holds).count()
    }

    /// Looks at what everybody does.
    pub(super) fn look(&mut self, slots: &[Slot]) {
        for (&slot, worker) in &mut self.0 {
            let Some(slot) = slots.get(slot) else { continue };
            worker.activity = match (slot.busy_for(), slot.idle_for()) {
                (Some(busy), _) => Activity::Busy(busy),
                (None, Some(idle)) => Activity::Idle(idle),
                (None, None) => Activity::Unknown,
            };
            worker.is_ending = slot.is_ending();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_slot_is_taken_first() {
        let now = Instant::now();
        let mut workers = Workers::default();
        for expected in [0, 1, 2] {
            let slot = workers.free_slot(3).unwrap();
            assert_eq!(slot, expected);
            workers.insert(slot, Worker::new(1, now));
        }
        assert_eq!(workers.free_slot(3), None);
        workers.remove(1);
        assert_eq!(workers.free_slot(3), Some(1));
    }
}
