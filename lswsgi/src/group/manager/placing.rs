//! Getting workers for connections.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use super::run::{Link, Manager};
use crate::board::{Order, Slot};
use crate::group::channel::Channel;
use crate::group::message::ToWorker;
use crate::group::policy::{Means, Obtain};
use crate::group::workers::Worker;
use crate::worker::socket::is_hung_up;
use crate::{log, sys};

impl Manager<'_> {
    pub(super) fn means(&self, now: Instant) -> Means {
        Means {
            can_fork: self.source.can_fork(now),
            sparing: self.source.is_failing() || self.gauge.is_short(now),
        }
    }

    /// Sees to it that connections get workers.
    pub(super) fn place(&mut self, now: Instant) {
        self.reclaim(now);
        self.hand_over_waiting(now);
        let waiting = self.door.waiting.len();
        // What is on its way may have turned out not to be.
        if waiting > 0 && !self.obtain(waiting, now) {
            self.wait_for_the_busy(now);
            return;
        }
        if !self.door.knocking {
            self.door.not_full(now);
            return;
        }
        let is_free = self.policy.place(&self.workers).is_some();
        if self.policy.is_worth_waiting(&self.workers, now) && self.door.is_patient(now) {
            return;
        }
        if !is_free && !self.obtain(waiting + 1, now) {
            self.wait_for_the_busy(now);
            return;
        }
        if let Some(connection) = self.door.accept(now) {
            self.childless = now;
            self.door.waiting.push_back(connection);
            self.hand_over_waiting(now);
        }
        self.door.not_full(now);
    }

    /// Whether a connection is there that nobody has.
    pub(super) fn is_wanted(&self) -> bool {
        !self.door.waiting.is_empty() || self.door.knocking
    }

    /// Nobody can be had for a connection that is there. One of the busy gives up its own, if that lasts.
    fn wait_for_the_busy(&mut self, now: Instant) {
        let members = self.workers.members().count();
        if members > 0
            && self.door.full(members, now)
            && let Some(slot) = self.policy.interrupt(&self.workers)
        {
            self.order(slot, Order::Release, now);
        }
    }

    pub(super) fn hand_over_waiting(&mut self, now: Instant) {
        while let Some(slot) = self.policy.place(&self.workers) {
            let Some(connection) = self.door.waiting.pop_front() else { return };
            if is_hung_up(connection.as_fd()) {
                log::debug(format_args!("dropping a connection its peer has closed already"));
                continue;
            }
            self.hand_over(slot, connection, now);
        }
    }

    /// Takes connections back from workers that have not taken them.
    pub(super) fn reclaim(&mut self, now: Instant) {
        let late = |worker: &Worker| self.policy.late_at(worker).is_some_and(|at| at <= now);
        let late: Vec<usize> =
            self.workers.iter().filter(|(_, worker)| late(worker)).map(|(slot, _)| slot).collect();
        for slot in late {
            let (Some(worker), Some(link)) = (self.workers.get_mut(slot), self.links.get_mut(&slot)) else {
                continue;
            };
            if self.board.slots.get(slot).is_some_and(Slot::claim) {
                log::debug(format_args!(
                    "the worker in slot {slot} does not take its connection: another gets it"
                ));
                worker.holds = false;
                worker.is_late = true;
                worker.since = now;
                if let Some(copy) = link.copy.take() {
                    self.door.waiting.push_front(copy);
                }
            } else {
                // It was quicker, and its word is under way.
                worker.taken = true;
            }
        }
    }

    pub(super) fn hand_over(&mut self, slot: usize, connection: OwnedFd, now: Instant) {
        let Some(worker) = self.workers.get_mut(slot) else {
            self.door.waiting.push_front(connection);
            return;
        };
        worker.since = now;
        worker.holds = true;
        worker.taken = false;
        if let Some(board) = self.board.slots.get(slot) {
            board.offer();
        }
        let send = |channel: &Channel| channel.send(ToWorker::Connection.encode(), Some(connection.as_fd()));
        // Before that: the worker may answer at once, and look at the count then.
        self.count_connections();
        let is_sent = self.links.get(&slot).and_then(|link| link.channel.as_ref()).map(send) == Some(Ok(()));
        if let Some(link) = self.links.get_mut(&slot) {
            link.copy = Some(connection);
        }
        if !is_sent {
            // It has gone; its status will say why.
            self.last_done(slot, None, now);
        }
    }

    /// Gets a worker for the last of `waiting` connections. Returns whether one is on its way.
    pub(super) fn obtain(&mut self, waiting: usize, now: Instant) -> bool {
        match self.policy.obtain(&self.workers, waiting, self.means(now), now) {
            Obtain::Coming => true,
            Obtain::Fork => self.fork(now).is_some(),
            Obtain::Release(slot) => {
                self.order(slot, Order::Release, now);
                true
            }
            Obtain::Nowhere => false,
        }
    }

    /// Asks for another worker. Returns its slot.
    pub(super) fn fork(&mut self, now: Instant) -> Option<usize> {
        let slot = self.clear_slot()?;
        let generation = self.source.number();
        let (channel, pid) = self.source.fork(slot, now)?;
        let mut worker = Worker::new(generation, now);
        worker.stand_in = pid.is_some();
        worker.pid = pid;
        if let Some(pid) = pid {
            log::debug(format_args!("stand-in {pid} started (slot {slot})"));
        }
        self.enter(slot, worker, channel);
        Some(slot)
    }

    /// A slot nobody uses, made ready for another worker.
    pub(super) fn clear_slot(&mut self) -> Option<usize> {
        let slot = self.workers.free_slot(self.board.slots.len())?;
        self.board.slots.get(slot)?.reset();
        self.slots_used = self.slots_used.max(slot + 1);
        Some(slot)
    }

    /// Enters a worker that has been asked for, at the other end of `channel`.
    pub(super) fn enter(&mut self, slot: usize, mut worker: Worker, channel: Channel) {
        worker.expires = self.policy.expires(worker.since, chance());
        self.workers.insert(slot, worker);
        let link = Link { channel: Some(channel), copy: None, is_early: false, reason: None };
        self.links.insert(slot, link);
    }

    pub(super) fn order(&mut self, slot: usize, order: Order, now: Instant) {
        let (Some(worker), Some(place)) = (self.workers.get_mut(slot), self.board.slots.get(slot)) else {
            return;
        };
        worker.order = order;
        worker.ordered_at = now;
        place.order(order);
        if let Some(pid) = worker.pid {
            sys::tell_worker(pid);
        }
    }
}

/// From 0 to 1. Only has to differ between workers.
fn chance() -> f64 {
    f64::from(u32::try_from(clock_gettime(ClockId::Monotonic).tv_nsec % 1_000_000).unwrap_or(0)) / 1e6
}
