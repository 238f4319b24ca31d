//! What the manager knows, and its loop: decide, wait, read what has come.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, WaitOptions, WaitStatus, getpid, set_child_subreaper, wait};

use super::control::Waiting;
use crate::board::{Board, Order};
use crate::control::Control;
use crate::endpoint::{Endpoint, Listener};
use crate::error::Error;
use crate::group::channel::Channel;
use crate::group::descriptors;
use crate::group::door::Door;
use crate::group::exits::OutOfMemory;
use crate::group::policy::Policy;
use crate::group::signals::Signals;
use crate::group::source::Source;
use crate::group::tally::Tally;
use crate::group::workers::{Worker, Workers};
use crate::memory::Gauge;
use crate::settings::Settings;
use crate::watched_files::WatchedFiles;
use crate::worker::Recycle;
use crate::{log, parent, sys};

/// How often one looks for a worker that a connection waits for, and that says nothing when its request ends.
const LOOK: Duration = Duration::from_millis(10);

/// What belongs to a worker and is not for the policy.
#[derive(Debug)]
pub(super) struct Link {
    /// `None` once the worker has closed its end.
    pub(super) channel: Option<Channel>,
    /// The connection that was handed over and has not been taken: if the worker dies, another gets it.
    pub(super) copy: Option<OwnedFd>,
    /// Ready before the template has told who it is.
    pub(super) is_early: bool,
    /// Why it leaves: under which name that is counted, and in its own words.
    pub(super) reason: Option<(Recycle, String)>,
}

pub(super) struct Manager<'a> {
    pub(super) settings: &'a Settings,
    pub(super) policy: Policy,
    pub(super) board: Board,
    pub(super) signals: Signals,
    pub(super) door: Door,
    pub(super) source: Source<'a>,
    pub(super) workers: Workers,
    pub(super) links: BTreeMap<usize, Link>,
    /// Statuses of processes nobody knows, as long as the template may still tell whose they are.
    pub(super) strays: Vec<(Pid, WaitStatus)>,
    pub(super) memory: OutOfMemory,
    pub(super) gauge: Gauge,
    pub(super) tally: Tally,
    /// Slots of the board that have been in use: memory of the others has never been touched.
    pub(super) slots_used: usize,
    pub(super) control: Control<'a>,
    /// Who waits for the end of a reload.
    pub(super) reloads: Vec<Waiting>,
    /// Files that ask for new code when they change.
    pub(super) files: WatchedFiles,
    /// Since when the group stops.
    pub(super) stopping: Option<Instant>,
    /// Somebody at a keyboard has asked for that.
    pub(super) interrupted: bool,
    /// Since when there has been neither a worker nor a connection.
    pub(super) childless: Instant,
    /// Workers that replace the one that is being recycled: the slot of each.
    pub(super) replacement: Option<usize>,
    /// By hand: whoever did it would rather see an error than serve it.
    pub(super) by_hand: bool,
    /// A template has been ready.
    pub(super) was_ready: bool,
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
    descriptors::raise(policy.most());
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
        tally: Tally::new(),
        slots_used: 0,
        control: Control::new(settings, Instant::now()),
        reloads: Vec::new(),
        files: WatchedFiles::of(settings, Instant::now()),
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
            self.renew(now);
            self.place(now);
            self.tally.set_full(self.door.is_full(), now);
            self.trim(now);
            self.punish(now);
            self.finish_stop(now);
            self.tend_control(now);
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
        fds.extend(self.source.channels().map(|channel| PollFd::new(channel, PollFlags::IN)));
        let channels = self.links.values().filter_map(|link| link.channel.as_ref());
        fds.extend(channels.map(|channel| PollFd::new(channel, PollFlags::IN)));
        fds.extend(self.files.poll_fd().map(|files| PollFd::from_borrowed_fd(files, PollFlags::IN)));
        let control = fds.len();
        fds.extend(self.control.poll_fds(now));
        let control = control..fds.len();
        fds.extend(listener.as_ref().map(|listener| PollFd::new(listener, PollFlags::IN)));
        // A little more than asked for: what is due must be due then.
        let timeout = timeout.and_then(|timeout| (timeout + Duration::from_micros(100)).try_into().ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(Error::system("cannot wait for connections")(errno)),
        }
        let knocks = listener.is_some() && fds.last().is_some_and(|fd| !fd.revents().is_empty());
        let control = fds.get(control).unwrap_or_default().iter();
        let is_asked = control.clone().any(|fd| !fd.revents().is_empty());
        let control: Vec<PollFlags> = control.filter(|_| is_asked).map(PollFd::revents).collect();
        self.door.knocking |= knocks;
        if is_asked {
            self.control.polled(now, &control);
        }
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
        self.watch(now);
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
        self.serve_control(now);
        failed
    }

    fn next_due(&self, now: Instant) -> Option<Instant> {
        let releasing = |worker: &Worker| worker.order == Order::Release;
        let waits = self.door.is_full()
            || (!self.door.waiting.is_empty() && self.workers.iter().any(|(_, worker)| releasing(worker)));
        let is_childless = self.workers.is_empty() && self.stopping.is_none() && !self.is_wanted();
        let pgrp = self.settings.group.pgrp_max_idle.filter(|_| is_childless);
        let stop = self.stopping.map(|since| since + self.settings.graceful_timeout).filter(|&at| at > now);
        [
            waits.then_some(now + LOOK),
            self.door.due(now),
            pgrp.map(|limit| self.childless + limit),
            stop,
            self.files.due(),
            self.control.due(now),
            self.policy.next_look(&self.workers, now, self.stopping),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
