//! New code: a new template imports it, and if that works new workers take over from the old.

use std::time::{Instant, SystemTime};

use super::run::Manager;
use crate::board::Order;
use crate::group::workers::{Phase, Worker};
use crate::log;

/// A reload somebody has asked for: the number of the attempt that will have read everything that was there when they asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::group) struct Ticket(u64);

/// What has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::group) enum Outcome {
    /// It is under way, or waits for the one that is.
    Pending,
    /// New code serves, and the old begins no request any more.
    Done,
    /// The old code serves on, for this reason.
    Failed(String),
}

impl Manager<'_> {
    /// Asks for a reload, because of `why`.
    pub(super) fn reload(&mut self, why: &str, now: Instant) -> Ticket {
        if self.stopping.is_some() {
            return Ticket(u64::MAX);
        }
        let is_renewing = self.source.is_renewing();
        let attempt = self.source.want_new_code(now);
        let follows = if is_renewing { ", after the one under way" } else { "" };
        log::info(format_args!("reload {attempt}{follows}: {why}"));
        Ticket(attempt)
    }

    /// Whether one is under way.
    pub(super) fn is_reloading(&self) -> bool {
        self.source.is_renewing()
    }

    /// What has become of one. Outcomes are kept for the last attempt only: whoever asks later than the next is told that.
    pub(super) fn outcome(&self, ticket: Ticket) -> Outcome {
        match self.source.outcome(ticket.0) {
            Some(Ok(())) if self.old_code_may_begin() => Outcome::Pending,
            Some(Ok(())) => Outcome::Done,
            Some(Err(reason)) => Outcome::Failed(reason.clone()),
            None if self.stopping.is_some() => Outcome::Failed("the group stops".to_owned()),
            None => Outcome::Pending,
        }
    }

    /// Whether a worker of old code could yet begin a request, because it has not noticed that it is to leave. One that runs a
    /// request notices at its end.
    fn old_code_may_begin(&self) -> bool {
        self.workers.iter().any(|(_, worker)| {
            let has_work = worker.phase == Phase::Serving || worker.phase == Phase::Starting && worker.holds;
            let is_last = worker.is_busy() && worker.order.is_leave();
            worker.generation < self.source.current_from() && has_work && !is_last && !worker.is_stopped
        })
    }

    /// Does what new code needs by way of workers.
    pub(super) fn renew(&mut self, now: Instant) {
        self.fork_trial(now);
        self.end_trials(now);
        while let Some(result) = self.source.take_outcome() {
            self.note_outcome(result);
        }
        if self.stopping.is_none() {
            for slot in self.policy.outdated(&self.workers, self.source.current_from()) {
                self.order(slot, Order::LeaveReload, now);
            }
        }
    }

    fn note_outcome(&mut self, result: Result<(), String>) {
        match &result {
            Ok(()) => {
                self.tally.reloads += 1;
                let outdated = self.policy.outdated(&self.workers, self.source.current_from()).len();
                log::info(format_args!(
                    "reloaded: new code serves; workers of the old code that finish and leave: {outdated}"
                ));
            }
            Err(_) => self.tally.failed_reloads += 1,
        }
        self.tally.last_reload = Some((SystemTime::now(), result.err()));
    }

    /// Forks the worker that shows whether new code can serve.
    fn fork_trial(&mut self, now: Instant) {
        if !self.source.wants_trial() || self.stopping.is_some() {
            return;
        }
        // Without a free slot: as soon as there is one.
        let Some(slot) = self.clear_slot() else { return };
        let Some((channel, generation)) = self.source.fork_trial(slot, now) else { return };
        let mut worker = Worker::new(generation, now);
        worker.is_trial = true;
        self.enter(slot, worker, channel);
    }

    /// A worker is ready. If it is the one on trial, new code takes over: as many workers of it are forked as of the old have
    /// connections, which are about to end.
    pub(super) fn try_out(&mut self, slot: usize, now: Instant) {
        if !self.source.trial_ready(slot) {
            return;
        }
        if let Some(worker) = self.workers.get_mut(slot) {
            worker.is_trial = false;
        }
        let outdated = |worker: &Worker| worker.holds && worker.generation < self.source.current_from();
        let holding = self.workers.staying().filter(|(_, worker)| outdated(worker)).count();
        // Those of the old code do not count from here on.
        self.renew(now);
        for _ in 0..self.policy.successors(&self.workers, holding) {
            let means = self.means(now);
            if !means.can_fork || means.sparing || self.fork(now).is_none() {
                break;
            }
        }
    }

    /// The worker in `slot` cannot serve.
    pub(super) fn unusable(&mut self, slot: usize, reason: &str) {
        if self.workers.get(slot).is_some_and(|worker| worker.is_trial) {
            self.source.trial_failed(slot, reason);
        }
    }

    /// Lets go of workers on trial whose trial is over.
    fn end_trials(&mut self, now: Instant) {
        let trial = self.source.trial_slot();
        let over = self.workers.iter().filter(|(slot, worker)| worker.is_trial && trial != Some(*slot));
        let over: Vec<usize> = over.map(|(slot, _)| slot).collect();
        for slot in over {
            if let Some(worker) = self.workers.get_mut(slot) {
                worker.is_trial = false;
                // It may have become the first of the template there is, because the other has died.
                let is_current = worker.generation == self.source.number();
                if worker.phase == Phase::Done || is_current && self.stopping.is_none() {
                    continue;
                }
            }
            self.order(slot, Order::LeaveReload, now);
        }
    }
}
