//! What is to be done: pure decisions about the table of workers. No I/O and no clock; the manager brings the time.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use crate::board::Order;
use crate::group::overdue::{REMIND, WATCHDOG_GRACE};
use crate::group::workers::{Activity, Phase, Worker, Workers};
use crate::settings::Settings;

/// How long a worker must have been without a request before it counts as idle for the surplus rule.
pub(super) const IDLE_AFTER: Duration = Duration::from_secs(1);

/// How recently a request must have ended for it to be likely that its connection is about to end too.
const JUST_ENDED: Duration = Duration::from_millis(100);

/// How often a state is looked at that changes without a message: requests begin and end silently.
const LOOK: Duration = Duration::from_millis(250);

/// The limits and times decisions follow from.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    children: usize,
    extra_children: usize,
    /// Idle workers that stay.
    allowed_idle: usize,
    min_idle: usize,
    max_idle: Option<Duration>,
    max_lifetime: Option<Duration>,
    pub(super) max_process_time: Option<Duration>,
    pub(super) graceful_timeout: Duration,
    pub(super) exit_timeout: Duration,
    pub(super) kill_after: Duration,
}

/// What there is to work with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Means {
    /// A worker can be forked now.
    pub(super) can_fork: bool,
    /// Forking is the last resort: memory is short, or a fork would give a stand-in.
    pub(super) sparing: bool,
}

/// Where the next worker for a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obtain {
    /// One is on the way already.
    Coming,
    /// A new one.
    Fork,
    /// The one in this slot, when it has given its connection up.
    Release(usize),
    /// Nowhere: all are busy, or none can be forked now.
    Nowhere,
}

impl Policy {
    /// What `settings` say.
    pub(super) fn new(settings: &Settings) -> Self {
        let group = &settings.group;
        Self {
            children: group.children as usize,
            extra_children: group.extra_children as usize,
            allowed_idle: group.max_idle_children.max(group.min_idle).max(1) as usize,
            min_idle: group.min_idle.min(group.children) as usize,
            max_idle: settings.max_idle,
            max_lifetime: group.max_lifetime,
            max_process_time: settings.max_process_time,
            graceful_timeout: settings.graceful_timeout,
            exit_timeout: settings.exit_timeout,
            kill_after: group.kill_after,
        }
    }

    /// Most workers there can be that serve.
    pub(super) fn most(&self) -> usize {
        self.children + self.extra_children
    }

    /// When a worker born `now` is too old: up to a tenth before the limit, so that those of one age do not leave together.
    /// `chance` is from 0 to 1.
    pub(super) fn expires(&self, now: Instant, chance: f64) -> Option<Instant> {
        self.max_lifetime.map(|limit| now + limit.mul_f64(0.1_f64.mul_add(-chance, 1.0)))
    }

    /// The free worker that gets a connection: always the same one if it can, so that the others age and leave. That is the
    /// one that has served most, and not the one that has served last: they would take turns on a busy machine.
    pub(super) fn place(&self, workers: &Workers) -> Option<usize> {
        let free = workers.iter().filter(|(_, worker)| worker.is_free());
        free.max_by_key(|(_, worker)| preference(worker)).map(|(slot, _)| slot)
    }

    /// Whether a worker is likely to report the end of its connection any moment, which would save a fork or the waking of
    /// a further worker: one that would be preferred to all that are free has just ended a request.
    pub(super) fn is_worth_waiting(&self, workers: &Workers, now: Instant) -> bool {
        let free = workers.iter().filter(|(_, worker)| worker.is_free());
        let best = free.map(|(_, worker)| preference(worker)).max();
        let mut better = workers.staying().map(|(_, worker)| worker).filter(|worker| {
            worker.holds && worker.taken && best.is_none_or(|best| preference(worker) > best)
        });
        better.any(|worker| match worker.activity {
            Activity::Busy(_) => worker.is_ending,
            // Not one that has been handed a connection and has not seen a request on it.
            Activity::Idle(idle) => idle < JUST_ENDED && idle < now - worker.since,
            Activity::Unknown => false,
        })
    }

    /// Where a worker comes from for the last of `waiting` connections, none of which a free worker could take.
    pub(super) fn obtain(&self, workers: &Workers, waiting: usize, means: Means, now: Instant) -> Obtain {
        if workers.iter().filter(|(_, worker)| worker.is_coming()).count() >= waiting {
            return Obtain::Coming;
        }
        let members = workers.members().count();
        let quiet = workers.iter().filter(|(_, worker)| worker.can_release());
        let release = quiet.max_by_key(|(_, worker)| worker.idle(now)).map(|(slot, _)| Obtain::Release(slot));
        if means.sparing
            && let Some(release) = release
        {
            return release;
        }
        if means.can_fork && members < self.children {
            return Obtain::Fork;
        }
        if let Some(release) = release {
            return release;
        }
        let all_busy = workers.staying().all(|(_, worker)| worker.is_busy() || worker.is_stopped);
        if means.can_fork && !means.sparing && all_busy && members < self.most() {
            return Obtain::Fork;
        }
        Obtain::Nowhere
    }

    /// The worker that gives up its connection after the request under way, for the sake of a connection that has waited
    /// while all were busy each time one looked: the one with the youngest request is likely to end it first.
    pub(super) fn interrupt(&self, workers: &Workers) -> Option<usize> {
        let age = |worker: &Worker| match worker.activity {
            Activity::Busy(age) if worker.holds && worker.order == Order::None => Some(age),
            _ => None,
        };
        let busy = workers.members().filter_map(|(slot, worker)| Some((age(worker)?, slot)));
        busy.min().map(|(_, slot)| slot)
    }

    /// Who has to leave, and why. Not for while connections wait.
    pub(super) fn trim(&self, workers: &Workers, now: Instant, short: bool) -> Vec<(usize, Order)> {
        let mut orders = Vec::new();
        let staying = workers.staying().count();

        // LSAPI_MAX_IDLE_CHILDREN, and extra children that are not needed any more.
        let idle = |(slot, worker): (usize, &Worker)| Some((worker.idle(now)?, slot));
        let mut idle: Vec<_> =
            workers.staying().filter_map(idle).filter(|(idle, _)| *idle >= IDLE_AFTER).collect();
        idle.sort_by_key(|&(idle, _)| Reverse(idle));
        let surplus = idle.len().saturating_sub(self.allowed_idle);
        let extra = staying.saturating_sub(self.children).min(idle.len());
        orders.extend(idle.iter().take(surplus.max(extra)).map(|&(_, slot)| (slot, Order::LeaveSurplus)));

        // LSAPI_MAX_IDLE, where no connection is held: with one, the worker itself sees to it.
        let mut free: Vec<_> = workers.iter().filter(|(_, worker)| worker.is_free()).collect();
        free.retain(|(slot, _)| !orders.iter().any(|(told, _)| told == slot));
        free.sort_by_key(|(_, worker)| worker.since);
        let most = free.len().saturating_sub(self.min_idle);
        let too_long = |worker: &Worker| self.max_idle.is_some_and(|limit| now - worker.since >= limit);
        let leave = free.iter().take(most).filter(|(_, worker)| too_long(worker));
        orders.extend(leave.map(|&(slot, _)| (slot, Order::LeaveIdle)));

        // Memory is short: whoever has no connection leaves, but for the last.
        if short {
            free.retain(|(slot, _)| !orders.iter().any(|(told, _)| told == slot));
            let most = (staying - orders.len()).saturating_sub(1);
            orders.extend(free.iter().take(most).map(|&(slot, _)| (slot, Order::LeaveMemory)));
        }

        // One at a time, and the next when there is a replacement.
        let under_way = workers
            .members()
            .any(|(_, worker)| worker.order == Order::LeaveLifetime || worker.phase == Phase::Starting);
        let expired = workers.staying().filter(|(_, worker)| worker.expires.is_some_and(|at| at <= now));
        if !under_way && let Some((slot, _)) = expired.min_by_key(|(_, worker)| worker.expires) {
            orders.retain(|(told, _)| *told != slot);
            orders.push((slot, Order::LeaveLifetime));
        }
        orders
    }

    /// Whether a worker is forked to have one ready: `--min-idle`.
    pub(super) fn wants_spare(&self, workers: &Workers, means: Means) -> bool {
        let ready = workers.staying().filter(|(_, worker)| !worker.is_busy()).count();
        ready < self.min_idle && means.can_fork && !means.sparing && workers.members().count() < self.children
    }

    /// Whether a worker that has served its last request is replaced before anybody needs another: unless the replacement
    /// would be surplus.
    pub(super) fn wants_replacement(&self, workers: &Workers, means: Means) -> bool {
        let ready = workers.staying().filter(|(_, worker)| !worker.is_busy()).count();
        ready < self.allowed_idle
            && means.can_fork
            && !means.sparing
            && workers.members().count() < self.children
    }

    /// When to look again at the latest, if no message comes before.
    pub(super) fn next_look(
        &self,
        workers: &Workers,
        now: Instant,
        stopping: Option<Instant>,
    ) -> Option<Instant> {
        let staying = workers.staying().count();
        let mut next: Option<Instant> = None;
        let mut at_latest = |at: Instant| next = Some(next.map_or(at, |next: Instant| next.min(at)));
        let crowded = staying > self.allowed_idle || staying > self.children;
        for (_, worker) in workers.iter() {
            if let Some((at, ..)) = self.deadline(worker, now, stopping) {
                at_latest(at);
            } else if let Some(limit) = self.max_process_time
                && worker.holds
            {
                at_latest(now + limit + WATCHDOG_GRACE);
            }
            if let Some(at) = self.late_at(worker) {
                at_latest(at);
            }
            if worker.phase == Phase::Serving && worker.order != Order::None {
                at_latest(now + REMIND);
            }
            if worker.is_leaving() {
                continue;
            }
            match worker.idle(now) {
                Some(idle) if crowded && idle < IDLE_AFTER => at_latest(now + (IDLE_AFTER - idle)),
                None if crowded => at_latest(now + LOOK),
                _ => {}
            }
            if let Some(limit) = self.max_idle.filter(|_| worker.is_free() && staying > self.min_idle) {
                let due = worker.since + limit;
                at_latest(if due > now { due } else { now + LOOK });
            }
            if let Some(expires) = worker.expires {
                at_latest(expires.max(now + LOOK));
            }
        }
        if self.min_idle > 0 && staying < self.children {
            at_latest(now + LOOK);
        }
        next
    }
}

/// What makes one free worker better than another.
const fn preference(worker: &Worker) -> (bool, u64, Instant) {
    (!worker.stand_in, worker.requests, worker.since)
}
