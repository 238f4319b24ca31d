//! What template and workers say, and what follows from it.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::run::Manager;
use crate::board::{Order, Slot};
use crate::group::channel::Incoming;
use crate::group::message::FromWorker;
use crate::group::source::Event;
use crate::group::workers::Phase;
use crate::log;
use crate::worker::Recycle;

impl Manager<'_> {
    pub(super) fn read_template(&mut self, now: Instant) {
        for event in self.source.read(now) {
            match event {
                Event::Imported(files) => self.files.add(files, now),
                Event::Ready => {
                    self.was_ready = true;
                    let stand_ins = self.workers.staying().filter(|(_, worker)| worker.stand_in);
                    let stand_ins: Vec<usize> = stand_ins.map(|(slot, _)| slot).collect();
                    for slot in stand_ins {
                        self.order(slot, Order::LeaveStop, now);
                    }
                }
                Event::Forked(slot, pid) => {
                    let Some(worker) = self.workers.get_mut(slot) else { continue };
                    worker.pid = Some(pid);
                    log::debug(format_args!("worker {pid} started (slot {slot})"));
                    if self.links.get(&slot).is_some_and(|link| link.is_early) {
                        self.ready(slot, now);
                    }
                    let stray = self.strays.iter().position(|(stray, _)| *stray == pid);
                    if let Some((_, status)) = stray.map(|stray| self.strays.swap_remove(stray)) {
                        self.worker_ended(slot, status, now);
                    } else if let Some(order) =
                        self.workers.get(slot).map(|worker| worker.order).filter(|order| order.is_leave())
                    {
                        // Told before one knew whom to signal.
                        self.order(slot, order, now);
                    }
                }
                Event::NotForked(slot) => self.forget(slot, now),
            }
        }
        if !self.source.owes_answer() {
            self.strays.clear();
        }
    }

    pub(super) fn read_worker(&mut self, slot: usize, now: Instant) {
        loop {
            let Some(link) = self.links.get_mut(&slot) else { return };
            let Some(channel) = &link.channel else { return };
            let message = match channel.receive() {
                Incoming::Message(bytes, _) => FromWorker::decode(&bytes),
                Incoming::Nothing => return,
                Incoming::Ended => {
                    link.channel = None;
                    self.last_done(slot, None, now);
                    // Its slot is not free yet: the template has still to say what became of it, or to die.
                    return;
                }
            };
            match message {
                Ok(FromWorker::Ready)
                    if self.workers.get(slot).is_some_and(|worker| worker.pid.is_none()) =>
                {
                    if self.source.owes_answer() {
                        link.is_early = true;
                    } else {
                        // The template has died before it could tell. Without a channel the worker leaves.
                        self.forget(slot, now);
                        return;
                    }
                }
                Ok(FromWorker::Ready) => self.ready(slot, now),
                Ok(FromWorker::Unusable { reason }) => self.unusable(slot, &reason),
                Ok(FromWorker::Taken) => {
                    link.copy = None;
                    if let Some(worker) = self.workers.get_mut(slot) {
                        worker.taken = true;
                    }
                }
                Ok(FromWorker::Ended) => {
                    link.copy = None;
                    self.connection_ended(slot, now);
                }
                Ok(FromWorker::Imported(files)) => self.files.add(files, now),
                Ok(FromWorker::LastDone { counts_as, reason }) => {
                    self.last_done(slot, Some((counts_as, reason)), now);
                }
                Err(unknown) => log::error(format_args!("worker in slot {slot}: {unknown}")),
            }
        }
    }

    pub(super) fn ready(&mut self, slot: usize, now: Instant) {
        let Some(worker) = self.workers.get_mut(slot) else { return };
        if worker.phase == Phase::Starting {
            worker.phase = Phase::Serving;
            worker.was_ready = true;
            worker.since = now;
            if !worker.stand_in {
                self.tally.workers += 1;
                self.source.worker_ready();
                self.try_out(slot, now);
            }
        }
        self.recycled(slot);
    }

    pub(super) fn connection_ended(&mut self, slot: usize, now: Instant) {
        let Some(worker) = self.workers.get_mut(slot) else { return };
        worker.holds = false;
        worker.taken = false;
        worker.is_late = false;
        worker.since = now;
        if worker.order == Order::Release {
            worker.order = Order::None;
        }
        if let Some(slot) = self.board.slots.get(slot) {
            slot.released();
        }
        self.count_connections();
    }

    /// A worker takes nothing more.
    pub(super) fn last_done(&mut self, slot: usize, reason: Option<(Recycle, String)>, now: Instant) {
        let Some(link) = self.links.get_mut(&slot) else { return };
        link.reason = reason.or(link.reason.take());
        let is_too_large = matches!(link.reason, Some((Recycle::MaxRss, _)));
        if let Some(copy) = link.copy.take() {
            self.door.waiting.push_front(copy);
        }
        let Some(worker) = self.workers.get_mut(slot).filter(|worker| worker.phase != Phase::Done) else {
            return;
        };
        worker.phase = Phase::Done;
        worker.holds = false;
        worker.since = now;
        let order = worker.order;
        self.count_connections();
        let is_recycled = self.is_recycled(slot);
        let served = self.board.slots.get(slot).map_or(0, Slot::requests);
        let is_used_up = is_recycled
            || is_too_large
            || served >= self.settings.max_requests
            || order == Order::LeaveLifetime;
        let means = || self.means(now);
        if is_used_up && self.stopping.is_none() && self.policy.wants_replacement(&self.workers, means) {
            let replacement = self.fork(now);
            if is_recycled {
                self.replacement = replacement;
            }
        }
        if is_recycled && self.replacement.is_none() {
            self.end_recycling();
        }
    }

    /// Whether the worker in `slot` is the one that leaves before it must, because of LSAPI_MAX_REQS.
    pub(super) fn is_recycled(&self, slot: usize) -> bool {
        let mark = u32::try_from(slot + 1).unwrap_or(0);
        self.board.group.recycling.load(Ordering::SeqCst) == mark
    }

    /// If `slot` is that of the replacement for a worker that is being recycled, the next may be.
    pub(super) fn recycled(&mut self, slot: usize) {
        if self.replacement == Some(slot) {
            self.replacement = None;
            self.end_recycling();
        }
    }

    pub(super) fn end_recycling(&self) {
        self.board.group.recycling.store(0, Ordering::SeqCst);
    }

    pub(super) fn count_connections(&self) {
        let count = u32::try_from(self.workers.connections()).unwrap_or(u32::MAX);
        self.board.group.connections.store(count, Ordering::Relaxed);
    }
}
