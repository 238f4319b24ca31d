//! The manager: one thread that waits for signals, messages and connections, asks the policy, and acts.
//!
//! It never runs Python, and the application can neither hang nor crash it. Everything it waits for is in one poll.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, wait};

use crate::board::{Board, Order};
use crate::endpoint::{Endpoint, Listener};
use crate::error::Error;
use crate::group::channel::{Channel, Incoming};
use crate::group::door::{self, Door};
use crate::group::exits::{Exit, OutOfMemory};
use crate::group::message::{FromWorker, ToWorker};
use crate::group::policy::{Means, Obtain, Overdue, Policy};
use crate::group::signals::Signals;
use crate::group::source::{End, Event, Source};
use crate::group::workers::{Measure, Phase, Worker, Workers};
use crate::memory::Gauge;
use crate::settings::Settings;
use crate::{log, parent, sys};

/// How often one looks for a worker that a connection waits for, and that says nothing when its request ends.
const LOOK: Duration = Duration::from_millis(10);

/// What an interrupt from the keyboard that is repeated ends the group with.
const INTERRUPTED: u8 = 128 + 2;

/// What belongs to a worker and is not for the policy.
#[derive(Debug)]
struct Link {
    /// `None` once the worker has closed its end.
    channel: Option<Channel>,
    /// The connection that was handed over and has not been taken: if the worker dies, another gets it.
    copy: Option<OwnedFd>,
    /// Ready before the template has told who it is.
    is_early: bool,
    /// Why it leaves, in its own words.
    reason: Option<String>,
}

struct Manager<'a> {
    settings: &'a Settings,
    policy: Policy,
    board: Board,
    signals: Signals,
    door: Door,
    source: Source<'a>,
    workers: Workers,
    links: BTreeMap<usize, Link>,
    /// Statuses of processes nobody knows, as long as the template may still tell whose they are.
    strays: Vec<(Pid, WaitStatus)>,
    memory: OutOfMemory,
    gauge: Gauge,
    /// Since when the group stops.
    stopping: Option<Instant>,
    /// Somebody at a keyboard has asked for that.
    interrupted: bool,
    /// Since when there has been neither a worker nor a connection.
    childless: Instant,
    /// Workers that replace the one that is being recycled: the slot of each.
    replacement: Option<usize>,
    /// By hand: whoever did it would rather see an error than serve it.
    by_hand: bool,
    /// A template has been ready.
    was_ready: bool,
}

/// Serves `listener` with a group of processes until there is a reason to leave.
///
/// # Errors
/// [`Error::System`] when the operating system refuses what a group needs, and [`Error::Template`] if the application
/// cannot be used and the group was started by hand.
pub(crate) fn run(settings: &Settings, listener: Listener, by_hand: bool) -> Result<(), Error> {
    listener.set_nonblocking().map_err(Error::system("cannot prepare the listening socket"))?;
    let signals = Signals::block().map_err(Error::system("cannot block signals"))?;
    if settings.parent_check {
        signals.watch_parent().map_err(Error::system("cannot ask for the parent's death signal"))?;
    }
    sys::title::set_role("manager", settings.file());
    let policy = Policy::new(settings);
    // Workers whose exit handlers run keep their slot while another serves in their place.
    let board = Board::new(2 * policy.most()).map_err(Error::system("cannot get memory for the group"))?;
    let own = getpid();
    set_child_subreaper(Some(own)).map_err(Error::system("cannot become the parent of the workers"))?;
    let endpoint = Endpoint::Listening(listener);
    log::info(format_args!(
        "serving {} on {endpoint} with up to {} workers: lswsgi {}",
        settings.application.as_ref().map_or_else(
            || "the script each request names".to_owned(),
            |application| application.path.display().to_string()
        ),
        settings.group.children,
        env!("CARGO_PKG_VERSION"),
    ));
    let Endpoint::Listening(listener) = endpoint else { return Ok(()) };
    let manager = Manager {
        settings,
        policy,
        board,
        signals,
        door: Door::new(listener),
        source: Source::new(settings, board, own),
        workers: Workers::default(),
        links: BTreeMap::new(),
        strays: Vec::new(),
        memory: OutOfMemory::new(),
        gauge: Gauge::new(settings.group.min_free_memory),
        stopping: None,
        interrupted: false,
        childless: Instant::now(),
        replacement: None,
        by_hand,
        was_ready: false,
    };
    manager.run()
}

impl Manager<'_> {
    fn run(mut self) -> Result<(), Error> {
        loop {
            let now = Instant::now();
            self.workers.look(self.board.slots);
            if parent::is_gone() {
                self.stop("the process that started this one has died", now);
            }
            let template = self.source.advance(now);
            self.place(now);
            self.trim(now);
            self.punish(now);
            self.finish_stop(now);
            if self.stopping.is_some() && self.workers.is_empty() && !self.source.has_template() {
                return Ok(());
            }
            let log = log::tick().map(|rest| now + rest);
            let due = [template, self.next_due(now), log].into_iter().flatten().min();
            self.wait(due.map(|due| due.saturating_duration_since(now)))?;
            if let Some(failed) = self.read() {
                self.stop(&failed, Instant::now());
                return Err(self.source.into_reason());
            }
        }
    }

    /// Waits until something comes, or for `timeout`.
    fn wait(&mut self, timeout: Option<Duration>) -> Result<(), Error> {
        let now = Instant::now();
        let listener = self.door.poll_fd(now);
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        fds.extend(self.source.channel().map(|channel| PollFd::new(channel, PollFlags::IN)));
        let channels = self.links.values().filter_map(|link| link.channel.as_ref());
        fds.extend(channels.map(|channel| PollFd::new(channel, PollFlags::IN)));
        fds.extend(listener.as_ref().map(|listener| PollFd::new(listener, PollFlags::IN)));
        // A little more than asked for: what is due must be due then.
        let timeout = timeout.and_then(|timeout| (timeout + Duration::from_micros(100)).try_into().ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::system("cannot wait for connections")(errno)),
        }
        let knocks = listener.is_some() && fds.last().is_some_and(|fd| !fd.revents().is_empty());
        self.door.knocking |= knocks;
        Ok(())
    }

    /// Takes in everything that has come. Returns why the group cannot start, if it cannot.
    fn read(&mut self) -> Option<String> {
        let mut failed = None;
        let now = Instant::now();
        let mut reap = false;
        while let Some((signal, from)) = self.signals.next() {
            reap |= signal == Signal::SIGCHLD;
            self.signalled(signal, from, now);
        }
        self.read_template(now);
        let slots: Vec<usize> = self.links.keys().copied().collect();
        for slot in slots {
            self.read_worker(slot, now);
        }
        if reap {
            // An error means that there are no children.
            let changes = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
            while let Ok(Some((pid, status))) = wait(changes) {
                if status.stopped() || status.continued() {
                    let slot = self.workers.slot_of(pid);
                    if let Some(worker) = slot.and_then(|slot| self.workers.get_mut(slot)) {
                        worker.is_stopped = status.stopped();
                    }
                    continue;
                }
                failed = self.reaped(pid, status, now).or(failed);
            }
        }
        failed
    }

    fn signalled(&mut self, signal: Signal, from: u32, now: Instant) {
        let name = signal.as_str();
        match signal {
            Signal::SIGINT if self.interrupted => {
                log::warning(format_args!("interrupted again: leaving at once"));
                self.source.close();
                for (_, worker) in self.workers.iter() {
                    let _ = worker.pid.map(|pid| kill_process(pid, rustix::process::Signal::KILL));
                }
                sys::leave_now(INTERRUPTED);
            }
            Signal::SIGTERM | Signal::SIGUSR1 | Signal::SIGINT => {
                self.interrupted |= signal == Signal::SIGINT;
                self.stop(&format!("{name} from process {from}"), now);
            }
            Signal::SIGHUP => {
                log::info(format_args!("SIGHUP from process {from}: reloading is not there yet"));
            }
            Signal::SIGQUIT => {
                for (_, worker) in self.workers.iter() {
                    let _ = worker.pid.map(|pid| kill_process(pid, rustix::process::Signal::QUIT));
                }
            }
            _ => {}
        }
    }

    fn read_template(&mut self, now: Instant) {
        for event in self.source.read(now) {
            match event {
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

    fn read_worker(&mut self, slot: usize, now: Instant) {
        loop {
            let Some(link) = self.links.get_mut(&slot) else { return };
            let Some(channel) = &link.channel else { return };
            let message = match channel.receive() {
                Incoming::Message(bytes, _) => FromWorker::decode(&bytes),
                Incoming::Nothing => return,
                Incoming::Ended => {
                    link.channel = None;
                    self.last_done(slot, None, now);
                    // A worker nobody has told of: the template has died, and so has it, or it will: its channel is closed.
                    if self.workers.get(slot).is_some_and(|worker| worker.pid.is_none()) {
                        self.forget(slot, now);
                    }
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
                Ok(FromWorker::LastDone { reason }) => self.last_done(slot, Some(reason), now),
                Err(unknown) => log::error(format_args!("worker in slot {slot}: {unknown}")),
            }
        }
    }

    fn ready(&mut self, slot: usize, now: Instant) {
        let Some(worker) = self.workers.get_mut(slot) else { return };
        if worker.phase == Phase::Starting {
            worker.phase = Phase::Serving;
            worker.since = now;
        }
        self.recycled(slot);
    }

    fn connection_ended(&mut self, slot: usize, now: Instant) {
        let Some(worker) = self.workers.get_mut(slot) else { return };
        worker.holds = false;
        worker.taken = false;
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
    fn last_done(&mut self, slot: usize, reason: Option<String>, now: Instant) {
        let Some(link) = self.links.get_mut(&slot) else { return };
        link.reason = reason.or(link.reason.take());
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
        let is_recycled = self.board.group.recycling.load(std::sync::atomic::Ordering::SeqCst) == mark(slot);
        let served = self.board.slots.get(slot).map_or(0, crate::board::Slot::requests);
        let is_used_up = is_recycled || served >= self.settings.max_requests || order == Order::LeaveLifetime;
        let means = self.means(now);
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

    /// If `slot` is that of the replacement for a worker that is being recycled, the next may be.
    fn recycled(&mut self, slot: usize) {
        if self.replacement == Some(slot) {
            self.replacement = None;
            self.end_recycling();
        }
    }

    fn end_recycling(&self) {
        self.board.group.recycling.store(0, std::sync::atomic::Ordering::SeqCst);
    }

    fn count_connections(&self) {
        let count = u32::try_from(self.workers.connections()).unwrap_or(u32::MAX);
        self.board.group.connections.store(count, std::sync::atomic::Ordering::Relaxed);
    }

    fn reaped(&mut self, pid: Pid, status: WaitStatus, now: Instant) -> Option<String> {
        if self.source.is_template(pid) {
            // Its last words.
            self.read_template(now);
            let exit = Exit::new(status, None, self.source.measure(), &mut self.memory);
            let end = self.source.ended(&exit);
            // Workers it had begun to fork tell of their end through their channel.
            self.strays.clear();
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

    fn worker_ended(&mut self, slot: usize, status: WaitStatus, now: Instant) {
        // Its last words.
        self.read_worker(slot, now);
        self.last_done(slot, None, now);
        let Some(worker) = self.workers.remove(slot) else { return };
        let reason = self.links.remove(&slot).and_then(|link| link.reason);
        let is_recycled = self.board.group.recycling.load(std::sync::atomic::Ordering::SeqCst) == mark(slot);
        if is_recycled && self.replacement.is_none() {
            self.end_recycling();
        }
        self.recycled(slot);
        let exit = Exit::new(status, reason, worker.measure.map(|(measure, _)| measure), &mut self.memory);
        let what = if worker.stand_in { "stand-in" } else { "worker" };
        let pid = worker.pid.map_or(0, |pid| pid.as_raw_pid());
        match exit {
            Exit::Left(_) => log::info(format_args!("{what} {pid} {exit}")),
            _ => log::warning(format_args!("{what} {pid} {exit}")),
        }
        self.childless = now;
    }

    /// Strikes out a worker that has never been one.
    fn forget(&mut self, slot: usize, now: Instant) {
        self.last_done(slot, None, now);
        self.workers.remove(slot);
        self.links.remove(&slot);
        self.recycled(slot);
        self.childless = now;
    }

    fn means(&self, now: Instant) -> Means {
        Means {
            can_fork: self.source.can_fork(now),
            sparing: self.source.is_failing() || self.gauge.is_short(now),
        }
    }

    /// Sees to it that connections get workers.
    fn place(&mut self, now: Instant) {
        self.hand_over_waiting(now);
        // What is on its way may have turned out not to be.
        if !self.door.waiting.is_empty() {
            self.obtain(self.door.waiting.len(), now);
        }
        if !self.door.knocking || self.door.is_closed() {
            if !self.door.knocking {
                self.door.not_full(now);
            }
            return;
        }
        let is_free = self.policy.place(&self.workers).is_some();
        if self.policy.is_worth_waiting(&self.workers, now) && self.door.is_patient(now) {
            return;
        }
        let waiting = self.door.waiting.len() + 1;
        if !is_free && !self.obtain(waiting, now) {
            let members = self.workers.members().count();
            if members > 0
                && self.door.full(members, now)
                && let Some(slot) = self.policy.interrupt(&self.workers)
            {
                self.order(slot, Order::Release, now);
            }
            return;
        }
        if let Some(connection) = self.door.accept(now) {
            self.childless = now;
            self.door.waiting.push_back(connection);
            self.hand_over_waiting(now);
        }
        self.door.not_full(now);
    }

    fn hand_over_waiting(&mut self, now: Instant) {
        while let Some(slot) = self.policy.place(&self.workers) {
            let Some(connection) = self.door.waiting.pop_front() else { return };
            if door::is_hung_up(&connection) {
                log::debug(format_args!("dropping a connection its peer has closed while it waited"));
                continue;
            }
            self.hand_over(slot, connection, now);
        }
    }

    fn hand_over(&mut self, slot: usize, connection: OwnedFd, now: Instant) {
        let (Some(worker), Some(link)) = (self.workers.get_mut(slot), self.links.get_mut(&slot)) else {
            self.door.waiting.push_front(connection);
            return;
        };
        worker.since = now;
        if let Some(board) = self.board.slots.get(slot) {
            board.offer();
        }
        let sent = link
            .channel
            .as_ref()
            .map(|channel| channel.send(ToWorker::Connection.encode(), Some(connection.as_fd())));
        link.copy = Some(connection);
        if let Some(Ok(())) = sent {
            worker.holds = true;
            worker.taken = false;
            self.count_connections();
        } else {
            // It has gone; its status will say why.
            self.last_done(slot, None, now);
        }
    }

    /// Gets a worker for the last of `waiting` connections. Returns whether one is on its way.
    fn obtain(&mut self, waiting: usize, now: Instant) -> bool {
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
    fn fork(&mut self, now: Instant) -> Option<usize> {
        let slot = self.workers.free_slot(self.board.slots.len())?;
        self.board.slots.get(slot)?.reset();
        let (channel, pid) = self.source.fork(slot, now)?;
        let mut worker = Worker::new(pid.is_some(), self.policy.expires(now, chance()), now);
        worker.pid = pid;
        if let Some(pid) = pid {
            log::debug(format_args!("stand-in {pid} started (slot {slot})"));
        }
        self.workers.insert(slot, worker);
        let link = Link { channel: Some(channel), copy: None, is_early: false, reason: None };
        self.links.insert(slot, link);
        Some(slot)
    }

    fn order(&mut self, slot: usize, order: Order, now: Instant) {
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

    /// Lets go of workers that are not needed, and gets those that are.
    fn trim(&mut self, now: Instant) {
        let reminders = self.workers.iter().filter(|(_, worker)| self.policy.wants_reminder(worker, now));
        let reminders: Vec<_> = reminders.map(|(slot, worker)| (slot, worker.order)).collect();
        for (slot, order) in reminders {
            self.order(slot, order, now);
        }
        if self.stopping.is_some() || !self.door.waiting.is_empty() || self.door.knocking {
            return;
        }
        for (slot, order) in self.policy.trim(&self.workers, now, self.gauge.is_short(now)) {
            self.order(slot, order, now);
        }
        while self.policy.wants_spare(&self.workers, self.means(now)) && self.fork(now).is_some() {}
        let is_over = |limit| self.workers.is_empty() && now - self.childless >= limit;
        if self.settings.group.pgrp_max_idle.is_some_and(is_over) {
            self.stop("no worker was needed for LSAPI_PGRP_MAX_IDLE", now);
        }
    }

    /// Signals who does not do as it should.
    fn punish(&mut self, now: Instant) {
        let mut overdue = Vec::new();
        for (slot, worker) in self.workers.iter() {
            match self.policy.deadline(worker, now, self.stopping) {
                Some((at, measure, why)) if at <= now => overdue.push((slot, measure, why)),
                _ => {}
            }
        }
        for (slot, measure, why) in overdue {
            let running = self.board.slots.get(slot).and_then(crate::board::Slot::running);
            let Some(worker) = self.workers.get_mut(slot) else { continue };
            worker.measure = Some((measure, now));
            let Some(pid) = worker.pid else { continue };
            let (signal, name) = match measure {
                Measure::Terminate => (rustix::process::Signal::TERM, "SIGTERM"),
                Measure::Kill => (rustix::process::Signal::KILL, "SIGKILL"),
            };
            let request = running.map_or_else(String::new, |running| {
                format!(
                    "; request {}, {}, has run for {:.1} s",
                    running.serial,
                    running.text,
                    running.age.as_secs_f64()
                )
            });
            log::warning(format_args!("worker {pid} {}: sending {name}{request}", complaint(why)));
            // A process that has just ended needs no signal.
            let _ = kill_process(pid, signal);
        }
    }

    /// Begins a graceful stop, unless one is under way.
    fn stop(&mut self, why: &str, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        log::info(format_args!("stopping: {why}"));
        self.stopping = Some(now);
        self.door.close();
        let all: Vec<usize> =
            self.workers.staying().filter(|(_, worker)| worker.holds).map(|(slot, _)| slot).collect();
        for slot in all {
            // Others will be free for the connections that wait.
            if self.door.waiting.is_empty()
                || self.workers.get(slot).is_some_and(|worker| worker.order == Order::None)
            {
                self.order(slot, Order::LeaveStop, now);
            }
        }
    }

    /// Ends what is not needed any more while the group stops.
    fn finish_stop(&mut self, now: Instant) {
        let Some(since) = self.stopping else { return };
        let is_over = now - since >= self.settings.graceful_timeout;
        let no_way = self.workers.staying().next().is_none() && !self.source.can_fork(now);
        if is_over || no_way {
            self.door.waiting.clear();
        }
        if !self.door.waiting.is_empty() {
            return;
        }
        let staying: Vec<usize> = self.workers.staying().map(|(slot, _)| slot).collect();
        for slot in staying {
            self.order(slot, Order::LeaveStop, now);
        }
        if is_over || !self.source.owes_answer() {
            self.source.close();
        }
    }

    fn next_due(&self, now: Instant) -> Option<Instant> {
        let releasing = |worker: &Worker| worker.order == Order::Release;
        let waits = self.door.is_full()
            || (!self.door.waiting.is_empty() && self.workers.iter().any(|(_, worker)| releasing(worker)));
        let pgrp = self.settings.group.pgrp_max_idle.filter(|_| self.workers.is_empty());
        let stop = self.stopping.map(|since| since + self.settings.graceful_timeout).filter(|&at| at > now);
        [
            waits.then_some(now + LOOK),
            self.door.due(now),
            pgrp.map(|limit| self.childless + limit),
            stop,
            self.policy.next_look(&self.workers, now, self.stopping),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// How a slot is called where 0 is none.
fn mark(slot: usize) -> u32 {
    u32::try_from(slot + 1).unwrap_or(0)
}

/// From 0 to 1. Only has to differ between workers.
fn chance() -> f64 {
    f64::from(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_nsec as u32 % 1_000_000) / 1e6
}

const fn complaint(why: Overdue) -> &'static str {
    match why {
        Overdue::Start => "has not become ready (LSAPI_MAX_PROCESS_TIME)",
        Overdue::HandOver => "does not take its connection",
        Overdue::Request => "runs away (LSAPI_MAX_PROCESS_TIME)",
        Overdue::Leaving => "does not leave",
        Overdue::ExitHandlers => "does not end (--exit-timeout)",
        Overdue::Stop => "has not ended its request (--graceful-timeout)",
    }
}
