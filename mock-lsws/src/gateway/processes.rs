//! The processes of one application, and how connections to them are made.
//!
//! Owns when a process is started (lsapi 4.1.5, 4.1.6) and when it is let go (lsapi 4.4); which request gets a connection is
//! the [`Pool`](super::pool::Pool)'s, where the processes listen is [`Listening`]'s.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, timeout};

use super::app::GatewayError;
use super::applications::Means;
use super::failure::Failure;
use super::instance::{Fate, Instance};
use super::link::Link;
use super::listening::Listening;
use super::pid_file::PidFile;
use super::process::{Care, End, Keepers, Process};
use super::restart_marker::RestartMarker;
use crate::config::ExternalApp;
use crate::connection::{CONNECT_LIMIT, Socket};
use crate::fault::Faults;
use crate::journal::{Level, Note};
use crate::{Address, AppCommand};

/// How soon a Unix socket is tried again whose backlog is full: nothing tells when it is not.
const BACKLOG_PAUSE: Duration = Duration::from_millis(10);

/// The processes of one application.
#[derive(Debug)]
pub(super) struct Processes {
    name: String,
    instances: usize,
    is_detached: bool,
    faults: Faults,
    model: Model,
    means: Means,
    state: Mutex<State>,
    /// How often the listening socket was replaced because nobody could connect to it.
    renewals: AtomicU32,
}

/// How applications come to connections.
#[derive(Debug)]
enum Model {
    /// It runs already, and listens there.
    External(Address),
    /// Its processes share a listening socket.
    Shared(AppCommand),
    /// A process for each connection.
    Single(AppCommand),
}

#[derive(Debug)]
struct State {
    listening: Listening,
    /// Processes at the listening socket.
    instance: Instance,
    keepers: Keepers,
    marker: RestartMarker,
    /// Held from the moment a detached application has its socket until its process is written down.
    claim: Option<PidFile>,
    phase: Phase,
    /// What became of the process that was started or ended last, if it was not well.
    trouble: Option<String>,
}

/// Whose the processes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// They are started here.
    Ours,
    /// Another generation of the server looks after them.
    HandedOver,
    /// Nothing is started any more.
    Stopped,
}

impl Processes {
    /// Makes the listening socket, where there is one. A detached application that runs already is taken over.
    ///
    /// # Errors
    /// When it cannot be made, or nobody knows where the application is.
    pub(super) async fn new(config: &ExternalApp, means: Means) -> Result<Self, GatewayError> {
        let error = |reason: &str| GatewayError { app: config.name.clone(), reason: reason.to_owned() };
        let model = match config.to_command() {
            Some(command) if config.is_self_managed() => Model::Shared(command),
            Some(command) => Model::Single(command),
            None => Model::External(config.address.clone().ok_or_else(|| {
                error(
                    "it is not started by the server and has no address to connect to: configure one of them",
                )
            })?),
        };
        let is_detached = config.is_detached();
        let program = config.command.first().filter(|_| is_detached).map(Into::into);
        let state = State {
            listening: Listening::new(config, means.detached_stay, Arc::clone(&means.folders)),
            instance: Instance::new(),
            keepers: Keepers::default(),
            marker: RestartMarker::new(config.marker(), program),
            claim: None,
            phase: Phase::Ours,
            trouble: None,
        };
        let processes = Self {
            name: config.name.clone(),
            instances: config.instances.max(1) as usize,
            is_detached,
            faults: config.faults.clone(),
            model,
            means,
            state: Mutex::new(state),
            renewals: AtomicU32::new(0),
        };
        if matches!(processes.model, Model::Shared(_)) {
            let mut state = processes.state.lock().await;
            let opened = processes.listen(&mut state, &[]).await;
            opened.map_err(|source| error(&source.to_string()))?;
            drop(state);
        }
        Ok(processes)
    }

    /// Whether the server starts the application itself.
    pub(super) const fn are_ours(&self) -> bool {
        !matches!(self.model, Model::External(_))
    }

    /// Whether none runs at the listening socket. Not so, if that cannot be told at once.
    pub(super) fn are_none(&self) -> bool {
        self.state.try_lock().is_ok_and(|state| state.instance.running.is_empty())
    }

    /// Whether they stay when the server is replaced by another.
    pub(super) const fn are_detached(&self) -> bool {
        self.is_detached
    }

    fn care(&self) -> Care {
        Care { timing: self.means.timing, stays: self.is_detached && self.means.detached_stay }
    }

    /// Starts what is missing at the listening socket, with `open` connections there already: never more processes than
    /// two beyond them, nor than `instances` (lsapi 4.1.6).
    pub(super) async fn start_missing(&self, open: u32) {
        if let Model::Shared(command) = &self.model {
            let mut state = self.state.lock().await;
            let wanted = self.instances.min(open as usize + 2);
            self.start_up_to(wanted, command, &mut state).await;
        }
    }

    /// Starts one more process where the configuration has room for it.
    pub(super) async fn start_another(&self) {
        if let Model::Shared(command) = &self.model {
            let mut state = self.state.lock().await;
            self.bury(&mut state);
            let wanted = self.instances.min(state.instance.running.len() + 1);
            self.start_up_to(wanted, command, &mut state).await;
        }
    }

    async fn start_up_to(&self, wanted: usize, command: &AppCommand, state: &mut MutexGuard<'_, State>) {
        // A connection that waits for a process which has just ended would wait for initTimeout.
        let running = &state.instance.running;
        let ending = running.iter().map(Process::end).filter(|end| end.words().is_none() && end.is_near());
        End::any_soon(ending.cloned().collect()).await;
        self.bury(state);
        if let Err(error) = self.start_at_socket(wanted, command, state).await {
            // As when it dies at once: the real server learns no more than that.
            self.is_troubled(state, error.to_string());
        }
    }

    async fn start_at_socket(
        &self,
        wanted: usize,
        command: &AppCommand,
        state: &mut MutexGuard<'_, State>,
    ) -> io::Result<()> {
        if state.phase != Phase::Ours || state.instance.running.len() >= wanted {
            return Ok(());
        }
        if !state.listening.is_own() {
            state.listening.lose();
            self.listen(state, &[]).await?;
        }
        let pid_file = match state.claim.take() {
            Some(claim) => Some(claim),
            None => match state.listening.detached_path(&self.means.launcher).await? {
                Some(path) => Some(PidFile::lock(&path).await?),
                None => None,
            },
        };
        while state.instance.running.len() < wanted {
            let input = state.listening.share()?;
            let State { keepers, .. } = &mut **state;
            let started =
                Process::start(&self.means.launcher, command.clone(), input, self.care(), keepers).await;
            let process = started.map_err(io::Error::other)?;
            let pid = process.end().pid;
            self.note(Level::Notice, &format!("process {pid} started"));
            state.instance.running.push(process);
            if let Some(pid_file) = &pid_file {
                pid_file.write(pid, &command.words())?;
            }
        }
        Ok(())
    }

    /// Makes the listening socket, or finds the detached application that has it; one of `gone`, which are told to end, does
    /// not count.
    async fn listen(&self, state: &mut State, gone: &[i32]) -> io::Result<()> {
        state.instance = Instance::new();
        let launcher = &self.means.launcher;
        let Some(path) = state.listening.detached_path(launcher).await? else {
            return state.listening.open(launcher).await.map(|_| ());
        };
        // Held until the process is there, so that of two servers one finds what the other has started.
        let pid_file = PidFile::lock(&path).await?;
        if let Some(found) = pid_file.running().filter(|found| !gone.contains(&found.pid))
            && let Ok(process) = Process::adopt(found.pid, self.care(), &mut state.keepers).await
        {
            self.note(Level::Notice, &format!("process {} was found running", found.pid));
            state.instance.running.push(process);
            state.instance.since = found.since();
            state.marker.found(found.since());
            state.listening.find(path, found.inode);
            return Ok(());
        }
        state.listening.open(launcher).await?;
        state.claim = Some(pid_file);
        Ok(())
    }

    /// Forgets processes that have ended.
    fn bury(&self, state: &mut State) {
        let State { instance, trouble, .. } = state;
        instance.running.retain(|process| {
            let unknown = || process.end().is_near().then(|| "nobody knows yet how".to_owned());
            let Some(words) = process.end().words().or_else(unknown) else { return true };
            let text = format!("process {} ended: {words}", process.end().pid);
            self.note(Level::Notice, &text);
            *trouble = Some(text);
            false
        });
    }

    fn is_troubled(&self, state: &mut State, text: String) {
        self.note(Level::Error, &text);
        state.trouble = Some(text);
    }

    fn note(&self, level: Level, text: &str) {
        self.means.log.note(&Note::new(level, format!("{}: {text}", self.name)));
    }

    /// Makes a connection, and starts what is needed for it. `open` are connected already.
    ///
    /// # Errors
    /// When nobody listens, or not in time.
    pub(super) async fn connect(&self, open: u32) -> io::Result<Link> {
        let (address, lease) = match &self.model {
            Model::Single(command) => return self.start_single(command).await,
            Model::External(address) => (address.clone(), None),
            Model::Shared(_) => {
                self.start_missing(open).await;
                let state = self.state.lock().await;
                let address = state.listening.address().filter(|_| state.phase != Phase::Stopped);
                let address = address.cloned().ok_or(io::ErrorKind::ConnectionRefused)?;
                (address, Some(state.instance.lease()))
            }
        };
        let connect = async {
            loop {
                match Socket::connect(&address).await {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(BACKLOG_PAUSE).await,
                    result => return result,
                }
            }
        };
        let socket = timeout(CONNECT_LIMIT, connect).await.map_err(|_| io::ErrorKind::TimedOut)??;
        let socket = socket.with_faults(&self.faults)?;
        let link = Link::new(socket, address.to_string().into(), None);
        Ok(Link { lease, ..link })
    }

    async fn start_single(&self, command: &AppCommand) -> io::Result<Link> {
        let (input, ours) = crate::socketpair()?;
        let mut state = self.state.lock().await;
        if state.phase == Phase::Stopped {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let State { keepers, .. } = &mut *state;
        let started =
            Process::start(&self.means.launcher, command.clone(), input, self.care(), keepers).await;
        let (address, process) = match started {
            Ok(process) => {
                self.note(Level::Notice, &format!("process {} started for a connection", process.end().pid));
                (format!("process {}", process.end().pid), Some(process))
            }
            // Its end of the connection is closed: the request learns from that.
            Err(error) => {
                self.is_troubled(&mut state, error.to_string());
                ("a process that did not start".to_owned(), None)
            }
        };
        let socket = Socket::new(self.faults.wrap(ours.into())?)?;
        Ok(Link::new(socket, address.into(), process))
    }

    /// Stops the processes; new ones are started when they are needed.
    pub(super) async fn restart(&self) {
        let mut state = self.state.lock().await;
        if state.phase == Phase::Ours {
            state.retire(Fate::Stop);
        }
    }

    /// Stops the processes, unless `is_used` says that they are needed. What listens goes with them.
    pub(super) async fn stop_idle(&self, is_used: impl FnOnce() -> bool) {
        let mut state = self.state.lock().await;
        // A request that wants a connection has its place before it comes here.
        if is_used() || state.phase != Phase::Ours || state.instance.running.is_empty() {
            return;
        }
        self.note(Level::Notice, "it was idle for extMaxIdleTime and is stopped");
        state.listening.close();
        state.retire(Fate::Stop);
    }

    /// Notes the processes that have ended.
    pub(super) async fn look_after(&self) {
        self.bury(&mut *self.state.lock().await);
    }

    /// Starts the application anew if somebody wants that: another instance first, then the old one is told to end. False:
    /// nobody does.
    pub(super) async fn obey_marker(&self) -> bool {
        let Model::Shared(command) = &self.model else { return false };
        let mut state = self.state.lock().await;
        if state.phase != Phase::Ours || state.instance.running.is_empty() {
            return false;
        }
        let (since, pause) = (state.instance.since, self.means.timing.restart_pause);
        let Some(reason) = state.marker.reason(since, Instant::now(), pause) else { return false };
        self.note(Level::Notice, &format!("{reason}: it is started anew"));
        let old = std::mem::replace(&mut state.instance, Instance::new());
        match self.listen(&mut state, &old.pids()).await {
            Ok(()) => self.start_up_to(1, command, &mut state).await,
            Err(error) => self.is_troubled(&mut state, error.to_string()),
        }
        old.end(Fate::Replace);
        true
    }

    /// Leaves the processes of a detached application to another generation of the server; takes them back if `back`.
    pub(super) async fn hand_over(&self, back: bool) {
        if self.is_detached {
            let mut state = self.state.lock().await;
            if state.phase != Phase::Stopped {
                state.phase = if back { Phase::Ours } else { Phase::HandedOver };
            }
        }
    }

    /// How often the listening socket was replaced: to be asked before a connection is tried.
    pub(super) fn renewals(&self) -> u32 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// The listening socket is gone: another is made, with new processes. Nothing happens if that was done since
    /// `renewals`: of several requests that fail together, the first does it for all.
    pub(super) async fn renew(&self, renewals: u32) {
        if let Model::Shared(command) = &self.model {
            let mut state = self.state.lock().await;
            if state.phase != Phase::Ours || renewals != self.renewals() {
                return;
            }
            self.renewals.fetch_add(1, Ordering::Relaxed);
            let gone = state.instance.pids();
            state.retire(Fate::Stop);
            match self.listen(&mut state, &gone).await {
                Ok(()) => self.start_up_to(1, command, &mut state).await,
                Err(error) => self.is_troubled(&mut state, error.to_string()),
            }
        }
    }

    /// What the processes have to do with a failed send, as far as it can be told. `own` is the one that was started for
    /// the connection.
    pub(super) async fn explain(&self, failure: &Failure, own: Option<&Process>) -> Option<String> {
        if matches!(failure, Failure::Violation | Failure::Stuck) {
            return None;
        }
        if let Model::External(address) = &self.model {
            let is_absent = failure.absence().is_some();
            return is_absent.then(|| format!("the application at {address} has to be started by you"));
        }
        let end = match own {
            Some(process) => Some(process.end().clone()),
            None => self.state.lock().await.instance.running.last().map(|process| process.end().clone()),
        };
        let Some(mut end) = end else { return self.state.lock().await.trouble.clone() };
        let pid = end.pid;
        match end.soon().await {
            Some(words) => Some(format!("process {pid} ended: {words}")),
            None => matches!(failure, Failure::InitTimeout | Failure::Connect { .. })
                .then(|| format!("process {pid} runs: does it serve the socket that is its descriptor 0?")),
        }
    }

    /// Waits a moment for the ends of processes that a lost connection may have announced, so that the next one does
    /// not wait for a process that is not there any more.
    pub(super) async fn settle(&self) {
        let state = self.state.lock().await;
        let ends: Vec<_> = state.instance.running.iter().map(|process| process.end().clone()).collect();
        drop(state);
        End::any_soon(ends).await;
    }

    /// Stops everything, and waits until it has ended. What takes too long is killed. What another generation looks after
    /// stays, and a detached application that outlives the server.
    pub(super) async fn stop(&self) {
        let mut state = self.state.lock().await;
        let stays = state.phase == Phase::HandedOver || self.care().stays;
        state.phase = Phase::Stopped;
        if stays {
            state.listening.leave();
            state.retire(Fate::Stay);
        } else {
            state.listening.close();
            state.retire(Fate::Stop);
        }
        state.keepers.end(self.means.timing.last).await;
    }
}

impl State {
    /// The processes are let go; others take their place when they are needed.
    fn retire(&mut self, fate: Fate) {
        std::mem::replace(&mut self.instance, Instance::new()).end(fate);
    }
}
