//! How the group is: what the manager knows, with what workers show on the board and the kernel tells of processes. Every
//! answer is made of files that are read at once; no process is asked.

use std::time::{Duration, Instant};

use rustix::process::{Pid, getpid};

use super::run::Manager;
use crate::board::Slot;
use crate::control::{
    Connections, Latency, Limits, Process, Reload, Reloads, Saturation, State, Status, Work, Worker,
};
use crate::group::workers::{self, Phase};
use crate::histogram::Counts;
use crate::rss::Rss;

impl Manager<'_> {
    pub(super) fn status(&mut self, now: Instant) -> Status {
        // A client that has its answer may ask at once what has become of its request.
        self.workers.look(self.board.slots);
        let slots = self.board.slots.iter().take(self.slots_used);
        let mut took = Counts::default();
        slots.clone().for_each(|slot| took.add(&slot.took.counts()));
        let (times, full) = self.tally.full(now);
        let process_since = |(pid, since)| process(pid, now - since);
        Status {
            lswsgi: env!("CARGO_PKG_VERSION").to_owned(),
            application: self
                .settings
                .application
                .as_ref()
                .map(|application| application.path.to_string_lossy().into_owned()),
            state: self.state(),
            reason: self.source.failure().map(ToString::to_string),
            manager: process(getpid(), now - self.tally.started),
            template: self.source.template().map(process_since),
            next_template: self.source.next_template().map(process_since),
            limits: Limits {
                workers: self.settings.group.children,
                extra_workers: self.settings.group.extra_children,
            },
            requests: slots.map(Slot::all_requests).sum(),
            workers_started: self.tally.workers,
            workers_ended: self
                .tally
                .recycles()
                .map(|(recycle, count)| (recycle.name().to_owned(), count))
                .collect(),
            reloads: self.reloads_so_far(),
            connections: Connections {
                held: self.workers.connections(),
                waiting: self.door.waiting.len() + usize::from(self.door.knocking),
            },
            saturation: Saturation { now: self.door.is_full(), times, seconds: full.as_secs_f64() },
            latency: Latency::from(&took),
            workers: self.workers.iter().map(|(slot, worker)| self.worker(slot, worker, now)).collect(),
        }
    }

    fn state(&self) -> State {
        if self.stopping.is_some() {
            State::Stopping
        } else if self.source.is_failing() {
            State::Failing
        } else if self.was_ready {
            State::Serving
        } else {
            State::Starting
        }
    }

    fn reloads_so_far(&self) -> Reloads {
        let last = self.tally.last_reload.as_ref().map(|(at, error)| Reload {
            at: jiff::Timestamp::try_from(*at).map_or_else(|_| String::new(), |at| format!("{at:.3}")),
            error: error.clone(),
        });
        Reloads {
            completed: self.tally.reloads,
            failed: self.tally.failed_reloads,
            in_progress: self.is_reloading(),
            last,
        }
    }

    fn worker(&self, slot: usize, worker: &workers::Worker, now: Instant) -> Worker {
        let place = self.board.slots.get(slot);
        let running = place.and_then(Slot::running);
        Worker {
            pid: worker.pid.map(Pid::as_raw_pid),
            slot,
            state: work(worker),
            age_seconds: (now - worker.born).as_secs_f64(),
            requests: place.map_or(0, Slot::requests),
            rss_bytes: worker.pid.and_then(resident),
            old_code: !worker.stand_in && worker.generation < self.source.current_from(),
            stand_in: worker.stand_in,
            request_seconds: running.as_ref().map(|running| running.age.as_secs_f64()),
            request: running.map(|running| running.text),
        }
    }
}

fn process(pid: Pid, age: Duration) -> Process {
    Process { pid: pid.as_raw_pid(), age_seconds: age.as_secs_f64(), rss_bytes: resident(pid) }
}

fn resident(pid: Pid) -> Option<u64> {
    Rss::of(pid).ok()?.bytes()
}

fn work(worker: &workers::Worker) -> Work {
    match worker.phase {
        _ if worker.is_stopped => Work::Stopped,
        Phase::Starting => Work::Starting,
        Phase::Done => Work::Exiting,
        Phase::Serving if worker.is_leaving() => Work::Leaving,
        Phase::Serving if worker.is_busy() => Work::Busy,
        Phase::Serving if worker.holds => Work::Waiting,
        Phase::Serving => Work::Idle,
    }
}
