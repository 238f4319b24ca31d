//! The daemon: accepts, forks a process for each connection, reaps, stops. It runs no Python and reads nothing that is sent.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use rustix::process::{Pid, WaitOptions, getpid, kill_process, wait};

use super::identity::Identity;
use super::secret::Secret;
use super::worker;
use crate::endpoint::{self, Endpoint, Listener};
use crate::error::Error;
use crate::group::{Exit, Measure, OutOfMemory, Signals, sender};
use crate::settings::Settings;
use crate::sys::{self, Fork};
use crate::{exit_code, log, parent};

/// Processes there may be even if LSAPI_CHILDREN is less: each belongs to a user, and there are many (lsapi 3).
const LEAST_CHILDREN: u32 = 100;

/// How long the daemon waits after something that failed for want of memory, processes or descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// How long after the graceful timeout a process may take to end its request.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// The file of the secret, if there is to be a daemon: for nobody but root.
pub(crate) fn secret_file(settings: &Settings) -> Option<&Path> {
    let secret = settings.suexec.secret.as_deref()?;
    if !rustix::process::geteuid().is_root() {
        log::warning(format_args!("LSAPI_SECRET has no effect: only root can run as others"));
        return None;
    }
    Some(secret)
}

/// Serves `endpoint` as the secret in a file says, until there is a reason to leave.
///
/// # Errors
/// What is not fit for a daemon of root's, before anything is served; and what the operating system refuses.
pub(crate) fn run(settings: &Settings, endpoint: Endpoint, secret: &Path) -> Result<(), Error> {
    if settings.application.is_some() {
        return Err(Error::SuexecApplication);
    }
    let name = endpoint.to_string();
    let Endpoint::Listening(listener) = endpoint else { return Err(Error::SuexecConnection) };
    // Started by hand it may be root's terminal, and users could read what is typed there.
    endpoint::close_stdin()?;
    let secret = Secret::read(secret)?;
    let fallback = Identity::fallback(&settings.suexec)?;
    listener.set_nonblocking().map_err(Error::system("cannot prepare the listening socket"))?;
    let signals = Signals::block().map_err(Error::system("cannot block signals"))?;
    if settings.parent_check {
        signals.watch_parent().map_err(Error::system("cannot ask for the parent's death signal"))?;
    }
    sys::title::set_role("suEXEC daemon", None);
    let most = settings.group.children.max(LEAST_CHILDREN);
    log::info(format_args!(
        "serving the scripts of whom the server names on {name} with up to {most} processes: lswsgi {}; the default user \
         is {fallback}",
        env!("CARGO_PKG_VERSION"),
    ));
    let daemon = Daemon {
        settings,
        secret,
        fallback,
        listener: Some(listener),
        signals,
        own: getpid(),
        most: usize::try_from(most).unwrap_or(usize::MAX),
        workers: HashSet::new(),
        memory: OutOfMemory::new(),
        waiting: None,
        paused_until: None,
        childless: Instant::now(),
        stopping: None,
        interrupted: false,
        killed: false,
    };
    daemon.run()
}

struct Daemon<'a> {
    settings: &'a Settings,
    secret: Secret,
    /// Who serves requests that are not signed.
    fallback: Identity,
    /// `None` once it stops.
    listener: Option<Listener>,
    signals: Signals,
    own: Pid,
    most: usize,
    workers: HashSet<Pid>,
    memory: OutOfMemory,
    /// A connection for which no process could be forked.
    waiting: Option<OwnedFd>,
    /// When something that failed is tried again.
    paused_until: Option<Instant>,
    /// Since when there has been no process.
    childless: Instant,
    /// Since when it stops.
    stopping: Option<Instant>,
    /// Somebody at a keyboard has asked for that.
    interrupted: bool,
    /// The graceful stop is over.
    killed: bool,
}

impl Daemon<'_> {
    fn run(mut self) -> Result<(), Error> {
        loop {
            let now = Instant::now();
            if parent::is_gone() {
                self.stop("the process that started this one has died", now);
            }
            self.end_overdue(now);
            if self.stopping.is_some() && self.workers.is_empty() {
                return Ok(());
            }
            self.paused_until = self.paused_until.filter(|&until| until > now);
            if let Some(connection) = self.waiting.take_if(|_| self.paused_until.is_none()) {
                self.fork(connection, now);
            }
            let log = log::tick().map(|rest| now + rest);
            let due = [log, self.next_due()].into_iter().flatten().min();
            let knocks = self.wait(due.map(|due| due.saturating_duration_since(now)))?;
            self.read_signals();
            if knocks {
                self.accept();
            }
        }
    }

    /// Whether another connection can be taken.
    fn is_open(&self) -> bool {
        self.workers.len() < self.most && self.waiting.is_none() && self.paused_until.is_none()
    }

    /// Waits until something comes, or for `timeout`. Returns whether a connection does.
    fn wait(&self, timeout: Option<Duration>) -> Result<bool, Error> {
        let listener = self.listener.as_ref().filter(|_| self.is_open());
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        fds.extend(listener.map(|listener| PollFd::new(&listener.fd, PollFlags::IN)));
        // A little more than asked for: what is due must be due then.
        let timeout = timeout.and_then(|timeout| (timeout + Duration::from_micros(100)).try_into().ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::system("cannot wait for connections")(errno)),
        }
        Ok(listener.is_some() && fds.last().is_some_and(|fd| !fd.revents().is_empty()))
    }

    fn next_due(&self) -> Option<Instant> {
        let is_childless = self.workers.is_empty() && self.stopping.is_none() && self.waiting.is_none();
        let pgrp = self.settings.group.pgrp_max_idle.filter(|_| is_childless);
        let stop = self.stopping.filter(|_| !self.killed).map(|since| since + self.patience());
        [self.paused_until, pgrp.map(|limit| self.childless + limit), stop].into_iter().flatten().min()
    }

    /// How long a stop may take.
    fn patience(&self) -> Duration {
        self.settings.graceful_timeout + LAST_GRACE
    }

    fn accept(&mut self) {
        // A signal that has come meanwhile may have been to stop.
        let Some(listener) = &self.listener else { return };
        let now = Instant::now();
        match accept_with(&listener.fd, SocketFlags::CLOEXEC) {
            Ok(connection) => self.fork(connection, now),
            // The peer has changed its mind.
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED | Errno::PROTO) => {}
            Err(errno) => {
                log::error(format_args!("cannot accept a connection: {errno}; trying again"));
                self.paused_until = Some(now + PAUSE);
            }
        }
    }

    /// Forks a process for `connection`; later, if that cannot be done now.
    fn fork(&mut self, connection: OwnedFd, now: Instant) {
        match sys::fork() {
            Ok(Fork::Child) => {
                worker::live(self.settings, &mut self.secret, self.fallback, connection, self.own)
            }
            Ok(Fork::Parent(pid)) => {
                self.workers.insert(pid);
                if self.workers.len() >= self.most {
                    let most = self.most;
                    log::warning(format_args!(
                        "all {most} processes are there; further connections wait (LSAPI_CHILDREN)"
                    ));
                }
            }
            Err(error) => {
                log::error(format_args!("cannot fork a process for a connection: {error}; trying again"));
                self.waiting = Some(connection);
                self.paused_until = Some(now + PAUSE);
            }
        }
    }

    fn read_signals(&mut self) {
        let now = Instant::now();
        while let Some((signal, from)) = self.signals.next() {
            let sender = sender(from);
            match signal {
                Signal::SIGCHLD => self.reap(),
                Signal::SIGINT if self.interrupted => {
                    log::warning(format_args!("interrupted again: leaving at once"));
                    self.tell(rustix::process::Signal::KILL);
                    sys::leave_now(exit_code::INTERRUPTED);
                }
                Signal::SIGTERM | Signal::SIGUSR1 | Signal::SIGINT => {
                    self.interrupted |= signal == Signal::SIGINT;
                    self.stop(&format!("{} from {sender}", signal.as_str()), now);
                }
                // Each of them has its own code in memory, and a new one has the new code.
                Signal::SIGHUP => {
                    log::info(format_args!(
                        "reloading: SIGHUP from {sender}; processes leave after their request"
                    ));
                    self.tell(rustix::process::Signal::HUP);
                }
                Signal::SIGUSR2 => self.tell(rustix::process::Signal::USR2),
                Signal::SIGQUIT => self.tell(rustix::process::Signal::QUIT),
                _ => {}
            }
        }
    }

    /// Sends every process a signal. They are children that have not been reaped, whatever their users do.
    fn tell(&self, signal: rustix::process::Signal) {
        for &worker in &self.workers {
            let _ = kill_process(worker, signal);
        }
    }

    /// Begins a graceful stop, unless one is under way.
    fn stop(&mut self, why: &str, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        log::info(format_args!("stopping: {why}"));
        self.stopping = Some(now);
        self.listener = None;
        // Nothing of it has been read: the server tries elsewhere.
        self.waiting = None;
        self.tell(rustix::process::Signal::TERM);
    }

    /// Ends what has taken too long.
    fn end_overdue(&mut self, now: Instant) {
        match self.stopping {
            Some(since) if !self.killed && now - since >= self.patience() => {
                self.killed = true;
                self.tell(rustix::process::Signal::KILL);
            }
            Some(_) => {}
            None => {
                let limit = self.settings.group.pgrp_max_idle;
                let is_childless = self.workers.is_empty() && self.waiting.is_none();
                if let Some(limit) = limit.filter(|&limit| is_childless && now - self.childless >= limit) {
                    self.stop(&format!("no process for {} s (LSAPI_PGRP_MAX_IDLE)", limit.as_secs()), now);
                }
            }
        }
    }

    fn reap(&mut self) {
        // Before one is gone for good: whose it was. What it says of itself is up to its user.
        let user =
            |pid: &Pid| Some((*pid, std::fs::metadata(format!("/proc/{}", pid.as_raw_pid())).ok()?.uid()));
        let users: HashMap<Pid, u32> = self.workers.iter().filter_map(user).collect();
        // An error means that there are no children.
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            // One that has asked to be traced, as anybody may, tells of its stops too.
            if !(status.exited() || status.signaled()) {
                continue;
            }
            self.workers.remove(&pid);
            self.childless = Instant::now();
            let user =
                users.get(&pid).map_or_else(|| "an unknown user".to_owned(), |uid| format!("uid {uid}"));
            let measure = match (self.killed, self.stopping) {
                (true, _) => Some(Measure::Kill),
                (false, Some(_)) => Some(Measure::Terminate),
                (false, None) => None,
            };
            match Exit::new(status, None, measure, &mut self.memory) {
                Exit::Code(0) => log::info(format_args!("process {pid} of {user} has left")),
                exit => log::warning(format_args!("process {pid} of {user} {exit}")),
            }
        }
    }
}
