//! Signals, and the end of the group.

use std::time::Instant;

use nix::sys::signal::Signal;
use rustix::process::kill_process;

use super::run::Manager;
use crate::board::Order;
use crate::group::signals::sender;
use crate::group::workers::{Phase, Worker};
use crate::{exit_code, log, sys};

impl Manager<'_> {
    pub(super) fn signalled(&mut self, signal: Signal, from: u32, now: Instant) {
        let name = signal.as_str();
        match signal {
            Signal::SIGINT if self.interrupted => {
                log::warning(format_args!("interrupted again: leaving at once"));
                self.source.close();
                self.control.close();
                for (_, worker) in self.workers.iter() {
                    let _ = worker.pid.map(|pid| kill_process(pid, rustix::process::Signal::KILL));
                }
                sys::leave_now(exit_code::INTERRUPTED);
            }
            Signal::SIGTERM | Signal::SIGUSR1 | Signal::SIGINT => {
                self.interrupted |= signal == Signal::SIGINT;
                self.stop(&format!("{name} from {}", sender(from)), now);
            }
            Signal::SIGHUP => {
                self.reload(&format!("SIGHUP from {}", sender(from)), now);
            }
            Signal::SIGUSR2 => {
                self.reopen_logs(&format!("{name} from {}", sender(from)));
            }
            Signal::SIGQUIT => {
                self.dump_stacks();
            }
            _ => {}
        }
    }

    /// Begins a graceful stop, unless one is under way.
    pub(super) fn stop(&mut self, why: &str, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        log::info(format_args!("stopping: {why}"));
        self.stopping = Some(now);
        self.door.close();
        for slot in self.workers.iter().map(|(slot, _)| slot).collect::<Vec<_>>() {
            let Some(worker) = self.workers.get_mut(slot) else { continue };
            worker.is_trial = false;
            // Those that leave for another reason have only so much time from here on.
            if worker.phase == Phase::Serving && worker.order.is_leave() {
                self.order(slot, Order::LeaveStop, now);
            }
        }
        // Others are, or will be, free for the connections that wait.
        let busy = |worker: &Worker| worker.taken && worker.order == Order::None;
        let busy = self.workers.staying().filter(|(_, worker)| busy(worker));
        let busy: Vec<usize> = busy.map(|(slot, _)| slot).collect();
        for slot in busy {
            self.order(slot, Order::LeaveStop, now);
        }
    }

    /// Ends what is not needed any more while the group stops.
    pub(super) fn finish_stop(&mut self, now: Instant) {
        let Some(since) = self.stopping else { return };
        let is_over = now - since >= self.settings.graceful_timeout;
        let no_way = self.workers.staying().next().is_none() && self.source.is_closed();
        if is_over || no_way {
            self.door.waiting.clear();
        }
        if !self.door.waiting.is_empty() {
            return;
        }
        // One that was told before it had taken its connection would give it back, and another would have to be forked.
        let can_go = |worker: &Worker| is_over || worker.taken || !worker.holds;
        let staying = self.workers.staying().filter(|(_, worker)| can_go(worker));
        let staying: Vec<usize> = staying.map(|(slot, _)| slot).collect();
        for slot in staying {
            self.order(slot, Order::LeaveStop, now);
        }
        // A worker that leaves by itself may give a connection back, which another has to be forked for.
        let is_settled = !self.source.owes_answer() && self.links.values().all(|link| link.copy.is_none());
        if is_over || is_settled {
            self.source.close();
        }
    }
}
