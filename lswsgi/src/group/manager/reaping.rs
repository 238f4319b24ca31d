//! Processes that have ended.

use std::time::Instant;

use rustix::process::{Pid, WaitStatus};

use super::run::Manager;
use crate::board::{Order, Slot};
use crate::group::exits::Exit;
use crate::group::source::End;
use crate::group::workers::Worker;
use crate::log;
use crate::worker::Recycle;

impl Manager<'_> {
    pub(super) fn reaped(&mut self, pid: Pid, status: WaitStatus, now: Instant) -> Option<String> {
        if let Some(number) = self.source.number_of(pid) {
            // Its last words.
            self.read_template(now);
            let exit = Exit::new(status, None, self.source.measure(pid), &mut self.memory);
            let end = self.source.ended(pid, &exit, now);
            if !self.source.owes_answer() {
                self.strays.clear();
            }
            // It was asked for these and has not told who they are. Without a channel they leave, if they exist at all.
            let is_unknown = |worker: &Worker| worker.pid.is_none() && worker.generation == number;
            let unknown = self.workers.iter().filter(|(_, worker)| is_unknown(worker));
            let unknown: Vec<usize> = unknown.map(|(slot, _)| slot).collect();
            for slot in unknown {
                self.forget(slot, now);
            }
            return match end {
                End::Failed if self.by_hand && !self.was_ready => {
                    Some("the application cannot be used".to_owned())
                }
                End::Failed | End::Another => None,
            };
        }
        match self.workers.slot_of(pid) {
            Some(slot) => self.worker_ended(slot, status, now),
            None if self.source.owes_answer() => self.strays.push((pid, status)),
            // A process some worker has left behind.
            None => {}
        }
        None
    }

    pub(super) fn worker_ended(&mut self, slot: usize, status: WaitStatus, now: Instant) {
        // Its last words.
        self.read_worker(slot, now);
        self.last_done(slot, None, now);
        let Some(worker) = self.workers.remove(slot) else { return };
        let reason = self.links.remove(&slot).and_then(|link| link.reason);
        // Without a word leaves who is told to before it is ready, and whose request the graceful timeout ends.
        let told = self.board.slots.get(slot).map_or(Order::None, Slot::ordered);
        let reason = reason.or_else(|| match told {
            Order::LeaveReload if !worker.was_ready => Some((Recycle::Reload, "reload".to_owned())),
            told if told.is_leave() && (!worker.was_ready || self.stopping.is_some()) => {
                Some((Recycle::Stop, "stop".to_owned()))
            }
            _ => None,
        });
        let (counts_as, reason) = reason.unzip();
        if self.is_recycled(slot) && self.replacement.is_none() {
            self.end_recycling();
        }
        self.recycled(slot);
        let exit = Exit::new(status, reason, worker.measure.map(|(measure, _)| measure), &mut self.memory);
        if !worker.stand_in {
            self.tally.count(exit.recycle(counts_as));
        }
        let what = if worker.stand_in { "stand-in" } else { "worker" };
        let pid = worker.pid.map_or(0, |pid| pid.as_raw_pid());
        match exit {
            Exit::Left(_) => log::info(format_args!("{what} {pid} {exit}")),
            _ => log::warning(format_args!("{what} {pid} {exit}")),
        }
        let is_own_end = !matches!(exit, Exit::Left(_)) && !exit.is_from_outside();
        if worker.is_trial {
            let reason = match worker.measure {
                Some(_) => {
                    let limit = self.settings.start_timeout.as_secs_f64();
                    format!("the first worker was not ready within {limit} s (--start-timeout)")
                }
                None => format!("the first worker {exit} before it was ready"),
            };
            self.source.trial_failed(slot, &reason);
        } else if !worker.was_ready && is_own_end && !worker.stand_in && worker.measure.is_none() {
            self.source.worker_stillborn(&exit);
        }
        self.childless = now;
    }

    /// Strikes out a worker that has never been one.
    pub(super) fn forget(&mut self, slot: usize, now: Instant) {
        self.last_done(slot, None, now);
        self.workers.remove(slot);
        self.links.remove(&slot);
        self.recycled(slot);
        self.childless = now;
    }
}
