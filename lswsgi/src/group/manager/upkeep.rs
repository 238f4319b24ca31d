//! Workers that are not needed, those that are missing, and those that do not do as they should.

use std::time::Instant;

use rustix::process::{Signal, kill_process};

use super::run::Manager;
use crate::board::Slot;
use crate::group::workers::Measure;
use crate::log;

impl Manager<'_> {
    /// Lets go of workers that are not needed, and gets those that are.
    pub(super) fn trim(&mut self, now: Instant) {
        let reminders = self.workers.iter().filter(|(_, worker)| self.policy.wants_reminder(worker, now));
        let reminders: Vec<_> = reminders.map(|(slot, worker)| (slot, worker.order)).collect();
        for (slot, order) in reminders {
            self.order(slot, order, now);
        }
        if self.stopping.is_some() || self.is_wanted() {
            return;
        }
        for (slot, order) in self.policy.trim(&self.workers, now, || self.gauge.is_short(now)) {
            self.order(slot, order, now);
        }
        while self.policy.wants_spare(&self.workers, || self.means(now)) && self.fork(now).is_some() {}
        let is_over = |limit| self.workers.is_empty() && now - self.childless >= limit;
        if self.settings.group.pgrp_max_idle.is_some_and(is_over) {
            self.stop("no worker was needed for LSAPI_PGRP_MAX_IDLE", now);
        }
    }

    /// Signals who does not do as it should.
    pub(super) fn punish(&mut self, now: Instant) {
        let mut overdue = Vec::new();
        for (slot, worker) in self.workers.iter() {
            match self.policy.deadline(worker, now, self.stopping) {
                Some((at, measure, why)) if at <= now => overdue.push((slot, measure, why)),
                _ => {}
            }
        }
        for (slot, measure, why) in overdue {
            let running = self.board.slots.get(slot).and_then(Slot::running);
            let Some(worker) = self.workers.get_mut(slot) else { continue };
            worker.measure = Some((measure, now));
            let Some(pid) = worker.pid else { continue };
            let (signal, name) = match measure {
                Measure::Terminate => (Signal::TERM, "SIGTERM"),
                Measure::Kill => (Signal::KILL, "SIGKILL"),
            };
            let request = running.map_or_else(String::new, |running| {
                format!(
                    "; request {}, {}, has run for {:.1} s",
                    running.serial,
                    running.text,
                    running.age.as_secs_f64()
                )
            });
            log::warning(format_args!("worker {pid} {why}: sending {name}{request}"));
            // A process that has just ended needs no signal.
            let _ = kill_process(pid, signal);
        }
    }
}
