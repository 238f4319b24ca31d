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
    pub(super) start_timeout: Duration,
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
            start_timeout: settings.start_timeout,
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
    /// one in the lowest slot, and not the one that has served last or most: one late report on a busy machine would make
    /// another the favourite.
    pub(super) fn place(&self, workers: &Workers) -> Option<usize> {
        let free = workers.iter().filter(|(_, worker)| worker.is_free());
        free.max_by_key(preference).map(|(slot, _)| slot)
    }

    /// Whether a worker is likely to report the end of its connection any moment, which would save a fork or the waking of
    /// a further worker: one that would be preferred to all that are free has just ended a request.
    pub(super) fn is_worth_waiting(&self, workers: &Workers, now: Instant) -> bool {
        let best = workers.iter().filter(|(_, worker)| worker.is_free()).map(|free| preference(&free)).max();
        let mut better = workers.staying().filter(|entry| {
            entry.1.holds && entry.1.taken && best.is_none_or(|best| preference(entry) > best)
        });
        better.any(|(_, worker)| match worker.activity {
            Activity::Busy(_) => worker.is_ending,
            // Not one that has been handed a connection and has not seen a request on it.
            Activity::Idle(idle) => idle < JUST_ENDED && idle < now - worker.since,
            Activity::Unknown => false,
        })
    }

    /// Where a worker comes from for the last of `waiting` connections, none of which a free worker could take.
    pub(super) fn obtain(&self, workers: &Workers, waiting: usize, means: Means, now: Instant) -> Obtain {
        if workers.iter().filter(|(_, worker)| worker.is_coming(now)).count() >= waiting {
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

    /// Workers of templates before the one with the number `current_from`: they are to leave, but for those that have still to
    /// take the connection they were handed.
    pub(super) fn outdated(&self, workers: &Workers, current_from: u64) -> Vec<usize> {
        let is_outdated = |worker: &Worker| !worker.stand_in && worker.generation < current_from;
        let can_go = |worker: &Worker| worker.taken || !worker.holds;
        let outdated = workers.staying().filter(|(_, worker)| is_outdated(worker) && can_go(worker));
        outdated.map(|(slot, _)| slot).collect()
    }

    /// How many workers of new code are forked before anybody needs them, when one of it has come to be and `holding` workers
    /// of old code are about to end their connections: their peers will make others.
    pub(super) fn successors(&self, workers: &Workers, holding: usize) -> usize {
        let members = workers.members().count();
        holding.max(self.min_idle).min(self.children).saturating_sub(members)
    }

    /// Who has to leave, and why. Not for while connections wait. `is_short`: whether memory is, asked only if it matters.
    pub(super) fn trim(
        &self,
        workers: &Workers,
        now: Instant,
        is_short: impl FnOnce() -> bool,
    ) -> Vec<(usize, Order)> {
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
        free.retain(|(slot, _)| !orders.iter().any(|(told, _)| told == slot));
        let most = (staying - orders.len()).saturating_sub(1).min(free.len());
        if most > 0 && is_short() {
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

    /// Whether a worker is forked to have one ready: `--min-idle`. The `means` are asked for only if they matter.
    pub(super) fn wants_spare(&self, workers: &Workers, means: impl FnOnce() -> Means) -> bool {
        self.lacks(self.min_idle, workers, means)
    }

    /// Whether a worker that has served its last request is replaced before anybody needs another: unless the replacement
    /// would be surplus.
    pub(super) fn wants_replacement(&self, workers: &Workers, means: impl FnOnce() -> Means) -> bool {
        self.lacks(self.allowed_idle, workers, means)
    }

    /// Whether fewer than `wanted` workers could take a request, and one more can and may be forked.
    fn lacks(&self, wanted: usize, workers: &Workers, means: impl FnOnce() -> Means) -> bool {
        let ready = workers.staying().filter(|(_, worker)| !worker.is_busy()).count();
        if ready >= wanted || workers.members().count() >= self.children {
            return false;
        }
        let means = means();
        means.can_fork && !means.sparing
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
        let free = workers.iter().filter(|(_, worker)| worker.is_free()).count();
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
            if let Some(limit) = self.max_idle.filter(|_| worker.is_free() && free > self.min_idle) {
                let due = worker.since + limit;
                at_latest(if due > now { due } else { now + LOOK });
            }
            if let Some(expires) = worker.expires {
                at_latest(expires.max(now + LOOK));
            }
        }
        // Only who has a connection gets busy without a word.
        if self.min_idle > 0 && staying < self.children && workers.connections() > 0 {
            at_latest(now + LOOK);
        }
        next
    }
}

/// What makes one free worker better than another.
const fn preference((slot, worker): &(usize, &Worker)) -> (bool, Reverse<usize>) {
    (!worker.stand_in, Reverse(*slot))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const CAN_FORK: Means = Means { can_fork: true, sparing: false };

    /// Four workers, two more while all are busy, two may idle.
    pub(in crate::group) fn policy() -> Policy {
        Policy {
            children: 4,
            extra_children: 2,
            allowed_idle: 2,
            min_idle: 0,
            max_idle: Some(300 * SECOND),
            max_lifetime: None,
            max_process_time: Some(10 * SECOND),
            start_timeout: 60 * SECOND,
            graceful_timeout: 23 * SECOND,
            exit_timeout: 3 * SECOND,
            kill_after: 5 * SECOND,
        }
    }

    /// What a table of workers is made of.
    #[derive(Clone, Copy)]
    pub(in crate::group) enum Kind {
        Starting,
        /// Without a connection for so many milliseconds.
        Free(u64),
        /// On a connection, without a request for so many milliseconds.
        Quiet(u64),
        /// In a request for so many milliseconds.
        Busy(u64),
    }
    use Kind::{Busy, Free, Quiet, Starting};

    pub(in crate::group) fn worker(kind: Kind, now: Instant) -> Worker {
        let mut worker = Worker::new(1, now.checked_sub(100 * SECOND).unwrap());
        if !matches!(kind, Starting) {
            worker.phase = Phase::Serving;
        }
        match kind {
            Starting => {}
            Free(ms) => {
                worker.since = now.checked_sub(Duration::from_millis(ms)).unwrap();
                worker.activity = Activity::Idle(Duration::from_millis(ms));
            }
            Quiet(ms) => worker.activity = Activity::Idle(Duration::from_millis(ms)),
            Busy(ms) => worker.activity = Activity::Busy(Duration::from_millis(ms)),
        }
        worker.holds = matches!(kind, Quiet(_) | Busy(_));
        worker.taken = worker.holds;
        worker
    }

    fn table(kinds: &[Kind], now: Instant) -> Workers {
        let mut workers = Workers::default();
        for (slot, kind) in kinds.iter().enumerate() {
            workers.insert(slot, worker(*kind, now));
        }
        workers
    }

    fn obtain(kinds: &[Kind], waiting: usize, means: Means) -> Obtain {
        let now = Instant::now();
        policy().obtain(&table(kinds, now), waiting, means, now)
    }

    #[test]
    fn a_connection_goes_to_the_free_worker_in_the_lowest_slot() {
        let now = Instant::now();
        let mut workers = table(&[Quiet(5), Free(500), Free(10), Free(20)], now);
        assert_eq!(policy().place(&workers), Some(1));
        // One that serves the application rather than a stand-in.
        workers.get_mut(1).unwrap().stand_in = true;
        assert_eq!(policy().place(&workers), Some(2));
        for slot in [2, 3] {
            workers.get_mut(slot).unwrap().is_stopped = true;
        }
        workers.get_mut(1).unwrap().order = Order::LeaveSurplus;
        assert_eq!(policy().place(&workers), None);
    }

    #[test]
    fn a_worker_is_forked_up_to_the_limit_then_a_quiet_one_releases_its_connection() {
        assert_eq!(obtain(&[], 1, CAN_FORK), Obtain::Fork);
        assert_eq!(obtain(&[Quiet(9000), Busy(5)], 1, CAN_FORK), Obtain::Fork);
        let full = [Busy(5), Quiet(10), Quiet(900), Quiet(20)];
        assert_eq!(obtain(&full, 1, CAN_FORK), Obtain::Release(2));
        // Also if nothing can be forked at all.
        assert_eq!(
            obtain(&[Busy(5), Quiet(10)], 1, Means { can_fork: false, sparing: false }),
            Obtain::Release(1)
        );
    }

    #[test]
    fn extra_workers_are_for_when_all_are_busy_with_requests() {
        let mut kinds = vec![Busy(5); 4];
        assert_eq!(obtain(&kinds, 1, CAN_FORK), Obtain::Fork);
        assert_eq!(obtain(&kinds, 1, Means { can_fork: true, sparing: true }), Obtain::Nowhere);
        kinds[3] = Starting;
        assert_eq!(obtain(&kinds, 2, CAN_FORK), Obtain::Nowhere, "one is not busy");
        assert_eq!(obtain(&[Busy(5); 6], 1, CAN_FORK), Obtain::Nowhere, "both extras are there");
    }

    #[test]
    fn no_more_workers_are_obtained_than_connections_wait() {
        assert_eq!(obtain(&[Starting, Busy(5)], 1, CAN_FORK), Obtain::Coming);
        assert_eq!(obtain(&[Starting, Busy(5)], 2, CAN_FORK), Obtain::Fork);
        let now = Instant::now();
        let mut workers = table(&[Quiet(50), Busy(5), Busy(5), Busy(5)], now);
        let told = workers.get_mut(0).unwrap();
        (told.order, told.ordered_at) = (Order::Release, now);
        assert_eq!(policy().obtain(&workers, 1, CAN_FORK, now), Obtain::Coming);
        // It had a request under way after all: the next that is quiet has to help.
        workers.get_mut(0).unwrap().activity = Activity::Busy(SECOND);
        workers.insert(1, worker(Quiet(1), now));
        assert_eq!(policy().obtain(&workers, 1, CAN_FORK, now), Obtain::Release(1));
    }

    #[test]
    fn when_memory_is_short_a_fork_is_the_last_resort_and_the_first_worker_is_allowed() {
        let short = Means { can_fork: true, sparing: true };
        assert_eq!(obtain(&[], 1, short), Obtain::Fork);
        assert_eq!(obtain(&[Quiet(10)], 1, short), Obtain::Release(0));
        assert_eq!(obtain(&[Busy(10)], 1, short), Obtain::Fork);
    }

    #[test]
    fn a_worker_whose_connection_is_about_to_end_is_worth_waiting_for() {
        let now = Instant::now();
        let worth = |kinds: &[Kind], change: &dyn Fn(&mut Workers)| {
            let mut workers = table(kinds, now);
            change(&mut workers);
            policy().is_worth_waiting(&workers, now)
        };
        let as_is = |_: &mut Workers| {};
        assert!(worth(&[Quiet(5), Free(900)], &as_is));
        assert!(!worth(&[Quiet(5000), Free(900)], &as_is), "that connection is being kept");
        assert!(!worth(&[Busy(5), Free(900)], &as_is));
        assert!(worth(&[Busy(5)], &|workers| workers.get_mut(0).unwrap().is_ending = true));
        assert!(!worth(&[Free(5), Quiet(5)], &as_is), "the free one is preferred");
        // No request has come on the connection it has now.
        assert!(!worth(&[Quiet(5)], &|workers| workers.get_mut(0).unwrap().since = now));
    }

    #[test]
    fn among_busy_workers_the_one_with_the_youngest_request_is_interrupted() {
        let now = Instant::now();
        let mut workers = table(&[Busy(900), Busy(30), Busy(20), Quiet(1)], now);
        workers.get_mut(2).unwrap().order = Order::Release;
        assert_eq!(policy().interrupt(&workers), Some(1));
    }

    fn leaving(policy: &Policy, kinds: &[Kind], short: bool) -> Vec<(usize, Order)> {
        let now = Instant::now();
        let mut orders = policy.trim(&table(kinds, now), now, || short);
        orders.sort_by_key(|(slot, _)| *slot);
        orders
    }

    #[test]
    fn the_limit_of_idle_workers_survives_and_the_surplus_leaves_whether_or_not_it_has_a_connection() {
        let surplus = Order::LeaveSurplus;
        let idle = [Quiet(1500), Free(1200), Free(4000), Quiet(9000)];
        assert_eq!(leaving(&policy(), &idle, false), [(2, surplus), (3, surplus)]);
        assert_eq!(leaving(&policy(), &[Free(900), Free(900), Free(900)], false), []);
        assert_eq!(leaving(&policy(), &[Busy(9000), Free(1200), Quiet(1200)], false), []);
    }

    #[test]
    fn extra_workers_leave_as_soon_as_one_is_idle() {
        let policy = Policy { allowed_idle: 9, ..policy() };
        let kinds = [Busy(5), Busy(5), Busy(5), Busy(5), Quiet(1500)];
        assert_eq!(leaving(&policy, &kinds, false), [(4, Order::LeaveSurplus)]);
    }

    #[test]
    fn a_connection_that_has_just_come_makes_its_worker_anything_but_idle() {
        let now = Instant::now();
        let mut workers = table(&[Quiet(5000), Quiet(5000), Quiet(5000)], now);
        for slot in 0..3 {
            workers.get_mut(slot).unwrap().since = now;
        }
        assert_eq!(policy().trim(&workers, now, || false), []);
    }

    #[test]
    fn without_a_connection_a_worker_leaves_after_max_idle_unless_it_is_to_be_kept_ready() {
        let policy = Policy { allowed_idle: 9, max_idle: Some(3 * SECOND), ..policy() };
        let kinds = [Free(3000), Quiet(9000), Free(2000)];
        assert_eq!(leaving(&policy, &kinds, false), [(0, Order::LeaveIdle)]);
        let ready = Policy { min_idle: 2, ..policy };
        assert_eq!(leaving(&ready, &kinds, false), []);
    }

    #[test]
    fn when_memory_is_short_workers_without_a_connection_leave_but_for_the_last() {
        let memory = Order::LeaveMemory;
        assert_eq!(leaving(&policy(), &[Free(5), Busy(9), Free(5)], true), [(0, memory), (2, memory)]);
        assert_eq!(leaving(&policy(), &[Free(5)], true), []);
        assert_eq!(leaving(&policy(), &[Free(5), Free(5)], true).len(), 1);
    }

    #[test]
    fn one_worker_at_a_time_leaves_because_of_its_age() {
        let now = Instant::now();
        let limited = Policy { max_lifetime: Some(100 * SECOND), ..policy() };
        let (latest, earliest) = (limited.expires(now, 0.0).unwrap(), limited.expires(now, 1.0).unwrap());
        assert_eq!((latest - now, earliest - now), (100 * SECOND, 90 * SECOND));
        let mut workers = table(&[Busy(5), Busy(5), Free(5)], now);
        workers.get_mut(0).unwrap().expires = now.checked_sub(SECOND);
        workers.get_mut(1).unwrap().expires = now.checked_sub(2 * SECOND);
        workers.get_mut(2).unwrap().expires = Some(now + SECOND);
        assert_eq!(limited.trim(&workers, now, || false), [(1, Order::LeaveLifetime)]);
        workers.get_mut(1).unwrap().order = Order::LeaveLifetime;
        assert_eq!(limited.trim(&workers, now, || false), []);
        workers.insert(1, worker(Starting, now));
        assert_eq!(limited.trim(&workers, now, || false), [], "the replacement is not there yet");
    }

    #[test]
    fn spares_and_replacements_are_forked_while_they_are_wanted() {
        let now = Instant::now();
        let ready = Policy { min_idle: 2, ..policy() };
        let spare = |kinds: &[Kind], means| ready.wants_spare(&table(kinds, now), || means);
        assert!(spare(&[Busy(5), Free(5)], CAN_FORK));
        assert!(!spare(&[Busy(5), Free(5), Quiet(5)], CAN_FORK));
        assert!(!spare(&[Busy(5), Free(5), Starting], CAN_FORK));
        assert!(!spare(&[Busy(5); 4], CAN_FORK), "no more than LSAPI_CHILDREN");
        assert!(!spare(&[], Means { can_fork: true, sparing: true }));

        let replace = |kinds: &[Kind]| policy().wants_replacement(&table(kinds, now), || CAN_FORK);
        assert!(replace(&[Busy(5), Busy(5), Free(5)]));
        assert!(!replace(&[Free(5), Quiet(5)]), "it would be surplus");
    }

    #[test]
    fn nobody_looks_when_nothing_can_become_due_but_by_a_message() {
        let now = Instant::now();
        let calm = Policy { max_idle: None, max_process_time: None, allowed_idle: 4, ..policy() };
        assert_eq!(calm.next_look(&table(&[Free(5), Quiet(5), Busy(5), Free(9000)], now), now, None), None);
        let next = |policy: &Policy, kinds: &[Kind]| {
            policy.next_look(&table(kinds, now), now, None).map(|at| at - now)
        };
        assert_eq!(next(&policy(), &[Free(400), Free(5), Free(5)]), Some(Duration::from_millis(600)));
        let busy = Policy { max_idle: None, ..policy() };
        assert_eq!(next(&busy, &[Busy(4000)]), Some(Duration::from_secs(7)), "10 s and a grace of 1 s");
        assert_eq!(next(&busy, &[Quiet(4000)]), Some(Duration::from_secs(11)));
        let ready = Policy { min_idle: 2, allowed_idle: 4, ..busy };
        assert_eq!(next(&ready, &[Free(4000), Free(4000)]), None, "nobody gets busy without a hand-over");
        assert_eq!(next(&ready, &[Free(4000), Quiet(4000)]), Some(LOOK));
        let old = Policy { max_idle: Some(SECOND), min_idle: 1, allowed_idle: 4, children: 2, ..policy() };
        assert_eq!(
            next(&old, &[Free(4000), Quiet(4000)]),
            Some(Duration::from_secs(11)),
            "the free one stays"
        );
    }

    #[test]
    fn one_that_does_not_release_its_connection_is_not_waited_for() {
        let now = Instant::now();
        let mut workers = table(&[Busy(5), Quiet(900), Quiet(10), Busy(5)], now);
        let told = workers.get_mut(1).unwrap();
        (told.order, told.ordered_at) = (Order::Release, now);
        assert_eq!(policy().obtain(&workers, 1, CAN_FORK, now), Obtain::Coming);
        assert_eq!(policy().obtain(&workers, 1, CAN_FORK, now + SECOND), Obtain::Release(2));
    }

    #[test]
    fn workers_of_old_code_leave_when_they_have_taken_what_they_were_handed() {
        let now = Instant::now();
        let mut workers = table(&[Free(5), Quiet(5), Busy(5), Starting, Free(5), Quiet(5)], now);
        workers.get_mut(1).unwrap().taken = false;
        workers.get_mut(4).unwrap().generation = 2;
        workers.get_mut(5).unwrap().stand_in = true;
        assert_eq!(policy().outdated(&workers, 1), [0; 0]);
        assert_eq!(policy().outdated(&workers, 2), [0, 2, 3]);
        workers.get_mut(1).unwrap().taken = true;
        assert_eq!(policy().outdated(&workers, 2), [0, 1, 2, 3]);
    }

    #[test]
    fn new_code_is_not_short_of_workers_because_the_old_has_long_requests() {
        let now = Instant::now();
        let mut workers = table(&[Busy(5), Busy(5), Busy(5), Busy(5)], now);
        assert_eq!(policy().obtain(&workers, 1, Means { sparing: true, ..CAN_FORK }, now), Obtain::Nowhere);
        for slot in 0..4 {
            workers.get_mut(slot).unwrap().order = Order::LeaveReload;
        }
        assert_eq!(policy().obtain(&workers, 1, CAN_FORK, now), Obtain::Fork);
        // As many as there were, but for the one that is there; and no more than there may be.
        workers.insert(4, worker(Free(0), now));
        assert_eq!([0, 1, 4, 9].map(|holding| policy().successors(&workers, holding)), [0, 0, 3, 3]);
        let ready = Policy { min_idle: 2, ..policy() };
        assert_eq!(ready.successors(&workers, 0), 1);
    }

    #[test]
    fn a_worker_on_trial_is_nobody_yet() {
        let now = Instant::now();
        let mut workers = table(&[Busy(5), Busy(5), Busy(5), Starting], now);
        assert_eq!(policy().obtain(&workers, 1, CAN_FORK, now), Obtain::Coming);
        workers.get_mut(3).unwrap().is_trial = true;
        assert_eq!(policy().obtain(&workers, 1, CAN_FORK, now), Obtain::Fork);
        assert_eq!(policy().outdated(&workers, 2), [0, 1, 2]);
    }
}
