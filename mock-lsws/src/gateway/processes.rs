//! The processes of one application, and how connections to them are made.
//!
//! Owns when a process is started (lsapi 4.1.5, 4.1.6); which request gets a connection is the [`Pool`](super::pool::Pool)'s,
//! where the processes listen is [`Listening`]'s.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{sleep, timeout};

use super::app::{GatewayError, Timing};
use super::failure::Failure;
use super::launcher::Launcher;
use super::link::Link;
use super::listening::Listening;
use super::process::{End, Keepers, Process};
use crate::config::ExternalApp;
use crate::connection::{CONNECT_LIMIT, Socket};
use crate::journal::{Level, Note, ServerLog};
use crate::{Address, AppCommand};

/// How soon a Unix socket is tried again whose backlog is full: nothing tells when it is not.
const BACKLOG_PAUSE: Duration = Duration::from_millis(10);

/// How long processes may take to go when the server stops, and with them the program the user wants to end.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The processes of one application.
#[derive(Debug)]
pub(super) struct Processes {
    name: String,
    instances: usize,
    model: Model,
    launcher: Arc<Launcher>,
    timing: Timing,
    log: ServerLog,
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
    running: Vec<Process>,
    keepers: Keepers,
    /// Nothing is started any more.
    stopped: bool,
    /// What became of the process that was started or ended last, if it was not well.
    trouble: Option<String>,
}

impl Processes {
    /// Makes the listening socket, where there is one.
    ///
    /// # Errors
    /// When it cannot be made, or nobody knows where the application is.
    pub(super) async fn new(
        config: &ExternalApp,
        launcher: Arc<Launcher>,
        timing: Timing,
        log: ServerLog,
    ) -> Result<Self, GatewayError> {
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
        let processes = Self {
            name: config.name.clone(),
            instances: config.instances.max(1) as usize,
            model,
            launcher,
            timing,
            log,
            state: Mutex::new(State {
                listening: Listening::new(config),
                running: Vec::new(),
                keepers: Keepers::default(),
                stopped: false,
                trouble: None,
            }),
            renewals: AtomicU32::new(0),
        };
        if matches!(processes.model, Model::Shared(_)) {
            let mut state = processes.state.lock().await;
            let opened = state.listening.open(&processes.launcher).await;
            opened.map_err(|source| error(&source.to_string()))?;
            drop(state);
        }
        Ok(processes)
    }

    /// Whether the server starts the application itself.
    pub(super) const fn are_ours(&self) -> bool {
        !matches!(self.model, Model::External(_))
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
            let wanted = self.instances.min(state.running.len() + 1);
            self.start_up_to(wanted, command, &mut state).await;
        }
    }

    async fn start_up_to(&self, wanted: usize, command: &AppCommand, state: &mut MutexGuard<'_, State>) {
        // A connection that waits for a process which has just ended would wait for initTimeout.
        let ending =
            state.running.iter().map(Process::end).filter(|end| end.words().is_none() && end.is_near());
        End::any_soon(ending.cloned().collect()).await;
        self.bury(state);
        while state.running.len() < wanted && !state.stopped {
            let input = match state.listening.share() {
                Ok(input) => input,
                Err(error) => return self.is_troubled(state, error.to_string()),
            };
            let State { keepers, .. } = &mut **state;
            match Process::start(&self.launcher, command.clone(), input, self.timing.kill, keepers).await {
                Ok(process) => {
                    self.note(Level::Notice, &format!("process {} started", process.end().pid));
                    state.running.push(process);
                }
                // As when it dies at once: the real server learns no more than that.
                Err(error) => return self.is_troubled(state, error.to_string()),
            }
        }
    }

    /// Forgets processes that have ended.
    fn bury(&self, state: &mut State) {
        let State { running, trouble, .. } = state;
        running.retain(|process| {
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
        self.log.note(&Note::new(level, format!("{}: {text}", self.name)));
    }

    /// Makes a connection, and starts what is needed for it. `open` are connected already.
    ///
    /// # Errors
    /// When nobody listens, or not in time.
    pub(super) async fn connect(&self, open: u32) -> io::Result<Link> {
        let address = match &self.model {
            Model::Single(command) => return self.start_single(command).await,
            Model::External(address) => address.clone(),
            Model::Shared(_) => {
                self.start_missing(open).await;
                let mut state = self.state.lock().await;
                if state.stopped {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                match state.listening.address() {
                    Some(address) => address.clone(),
                    None => state.listening.open(&self.launcher).await?,
                }
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
        Ok(Link::new(socket, address.to_string().into(), None))
    }

    async fn start_single(&self, command: &AppCommand) -> io::Result<Link> {
        let (input, ours) = crate::socketpair()?;
        let mut state = self.state.lock().await;
        if state.stopped {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let State { keepers, .. } = &mut *state;
        let started = Process::start(&self.launcher, command.clone(), input, self.timing.kill, keepers).await;
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
        Ok(Link::new(Socket::new(ours.into())?, address.into(), process))
    }

    /// Stops the processes; new ones are started when they are needed.
    pub(super) async fn restart(&self) {
        self.state.lock().await.running.clear();
    }

    /// How often the listening socket was replaced: to be asked before a connection is tried.
    pub(super) fn renewals(&self) -> u32 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// The listening socket is gone: another is made, with new processes. Nothing happens if that was done since
    /// `renewals`: of several requests that fail together, the first does it for all.
    pub(super) async fn renew(&self, renewals: u32) {
        if matches!(self.model, Model::Shared(_)) {
            let mut state = self.state.lock().await;
            if state.stopped || renewals != self.renewals() {
                return;
            }
            self.renewals.fetch_add(1, Ordering::Relaxed);
            state.running.clear();
            if let Err(error) = state.listening.open(&self.launcher).await {
                self.is_troubled(&mut state, error.to_string());
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
            None => self.state.lock().await.running.last().map(|process| process.end().clone()),
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
        let ends: Vec<_> =
            self.state.lock().await.running.iter().map(|process| process.end().clone()).collect();
        End::any_soon(ends).await;
    }

    /// Stops everything, and waits until it has ended. What takes too long is killed.
    pub(super) async fn stop(&self) {
        let mut state = self.state.lock().await;
        state.stopped = true;
        state.listening.close();
        state.running.clear();
        state.keepers.end(STOP_PATIENCE.min(self.timing.kill)).await;
    }
}
