//! The side of the spawner a program uses.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::sync::{oneshot, watch};

use super::message::{Message, Request};
use super::pipe::Pipe;
use crate::app_process::StartError;
use crate::process_table::{self, ProcessInfo};
use crate::{AppCommand, Exit};

/// How long the keeper may take to come up, and to go when everything below it has ended.
const LIMIT: Duration = Duration::from_secs(15);

/// A running spawner. Dropping it ends and reaps every process below it, and removes its folders, before it returns.
#[derive(Debug)]
pub struct Spawner {
    keeper: Child,
    to_keeper: Pipe,
    servers: Mutex<Servers>,
    shared: Arc<Shared>,
}

/// The processes that are parents of applications.
#[derive(Debug)]
struct Servers {
    /// The one that starts them.
    current: Arc<Server>,
    /// The pids of all there have been.
    pids: Vec<i32>,
}

/// The process that is the parent of the applications.
#[derive(Debug)]
struct Server {
    /// Which of those there have been it is.
    number: u64,
    pid: i32,
    pidfd: Option<OwnedFd>,
    pipe: Pipe,
    exit: watch::Receiver<Option<Ended>>,
}

/// What both readers write and everybody else reads.
#[derive(Debug, Default)]
struct Shared {
    next_id: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Who waits for which answer.
    waiting: HashMap<Waiting, oneshot::Sender<Message>>,
    /// The end of each process, by pid. Descendants nobody asked for are in it too.
    exits: HashMap<i32, watch::Sender<Option<Ended>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Waiting {
    Server,
    Folder,
    Spawn {
        /// The control socket it was asked for over.
        server: u64,
        id: u64,
    },
    Done,
}

/// Whose messages they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Keeper,
    /// The server with this number.
    Server(u64),
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    exit: Exit,
    at: u64,
}

impl Spawner {
    /// Starts `exe` with `args`, which has to call [`serve`](super::serve); `mock-lsws spawner` does.
    ///
    /// Must be called inside a tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// When it cannot be started or does not answer as a spawner.
    pub async fn start<S: AsRef<OsStr>>(
        exe: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Result<Self, SpawnerError> {
        let error = |source| SpawnerError::Start { exe: exe.to_path_buf(), source };
        let (ours, theirs) = UnixStream::pair().map_err(error)?;
        let keeper = Command::new(exe)
            .args(args)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            // Out of reach of Ctrl-C: it has to live until everything else has ended.
            .process_group(0)
            .spawn()
            .map_err(error)?;
        // From here on a failure has to take the keeper with it.
        let guard = KeeperGuard(Some(keeper));
        let shared = Arc::new(Shared::default());
        let to_keeper = Pipe::start(ours, Shared::reader(&shared, Origin::Keeper)).map_err(error)?;
        let server = Self::start_server(&to_keeper, &shared).await.map_err(error)?;
        let keeper = guard.release().ok_or_else(|| error(io::ErrorKind::NotFound.into()))?;
        let servers = Mutex::new(Servers { pids: vec![server.pid], current: Arc::new(server) });
        Ok(Self { keeper, to_keeper, servers, shared })
    }

    async fn start_server(to_keeper: &Pipe, shared: &Arc<Shared>) -> io::Result<Server> {
        let (ours, theirs) = UnixStream::pair()?;
        let answer = shared.wait_for(Waiting::Server);
        to_keeper.send(&Request::StartServer, vec![theirs.into()])?;
        let answer = tokio::time::timeout(LIMIT, answer).await;
        match answer {
            Ok(Ok(Message::ServerStarted { pid })) => {
                let number = shared.next_id.fetch_add(1, Ordering::Relaxed);
                Ok(Server {
                    number,
                    pid,
                    pidfd: open_pidfd(pid),
                    pipe: Pipe::start(ours, Shared::reader(shared, Origin::Server(number)))?,
                    exit: shared.exit_of(pid, 0),
                })
            }
            Ok(Ok(Message::ServerFailed { reason })) => Err(io::Error::other(reason)),
            _ => Err(io::Error::other("it does not answer as a spawner")),
        }
    }

    /// Starts an application with `input`, a connection end or a listening socket, as descriptor 0. When this returns no
    /// copy of `input` is left in this process.
    ///
    /// # Errors
    /// When the command is wrong, the application did not come as far as its binary, or the server process is gone.
    pub async fn spawn(&self, command: &AppCommand, input: OwnedFd) -> Result<SpawnedApp, StartError> {
        let spec = command.resolve()?;
        let log = command.open_log()?;
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let server = self.server();
        let answer = self.shared.wait_for(Waiting::Spawn { server: server.number, id });
        server
            .pipe
            .send(&Request::Spawn { id, spec }, vec![input, log])
            .map_err(|_| StartError::SpawnerGone)?;
        match answer.await {
            Ok(Message::Spawned { pid, at, .. }) => {
                Ok(SpawnedApp { pid, pidfd: open_pidfd(pid), at, exit: self.shared.exit_of(pid, at) })
            }
            Ok(Message::SpawnFailed { error, .. }) => Err(error.into()),
            _ => Err(StartError::SpawnerGone),
        }
    }

    /// Has the keeper leave `app` and its descendants alone, whatever becomes of this program.
    pub(crate) fn let_stay(&self, app: &SpawnedApp) {
        // Without a keeper nobody ends it either.
        let _ = self.to_keeper.send(&Request::LetStay { pid: app.pid }, Vec::new());
    }

    /// The pid of the server process, the parent of the applications.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.server().pid
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn server(&self) -> Arc<Server> {
        Arc::clone(&self.servers().current)
    }

    /// Kills the server process, as if the web server had died, and waits until its applications have lost it. They go
    /// on living, and are still watched and ended with the spawner.
    ///
    /// # Errors
    /// When it cannot be told whether it has ended.
    pub async fn kill(&self) -> Result<(), SpawnerError> {
        self.server().kill().await
    }

    /// Starts a new server process in place of one that was killed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn restart(&self) -> Result<(), SpawnerError> {
        self.renew().await.map(|_| ())
    }

    /// Starts a new server process, which starts applications from now on. The one before stays the parent of those it has
    /// started, until it is ended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn renew(&self) -> Result<OldServer, SpawnerError> {
        let server = Self::start_server(&self.to_keeper, &self.shared).await;
        let server = Arc::new(server.map_err(|source| SpawnerError::Server { source })?);
        let mut servers = self.servers();
        servers.pids.push(server.pid);
        Ok(OldServer(std::mem::replace(&mut servers.current, server)))
    }

    /// Has `old` start applications again, in the place of the one that was started after it.
    pub(crate) async fn resume(&self, old: OldServer) {
        let new = std::mem::replace(&mut self.servers().current, old.0);
        // It may have gone by itself.
        let _ = new.kill().await;
    }

    /// The processes below the spawner at this moment, without its own two: applications, their descendants, and
    /// descendants that lost their parents. Ended ones nobody has reaped are among them.
    #[must_use]
    pub fn descendants(&self) -> Vec<ProcessInfo> {
        let mut found = process_table::descendants(self.keeper.id().cast_signed());
        let servers = self.servers();
        found.retain(|process| !servers.pids.contains(&process.pid));
        found
    }

    /// Makes a new folder in `parent` that only this user can enter. It is removed when the spawner has gone, however
    /// this program ends.
    ///
    /// # Errors
    /// When it cannot be made, or the keeper is gone.
    pub async fn make_folder(&self, parent: &Path) -> Result<PathBuf, SpawnerError> {
        let answer = self.shared.wait_for(Waiting::Folder);
        let request = Request::MakeFolder { parent: parent.to_path_buf() };
        self.to_keeper.send(&request, Vec::new()).map_err(|_| SpawnerError::Gone)?;
        match tokio::time::timeout(LIMIT, answer).await {
            Ok(Ok(Message::FolderMade { path })) => Ok(path),
            Ok(Ok(Message::FolderFailed { reason })) => {
                Err(SpawnerError::Folder { parent: parent.to_path_buf(), reason })
            }
            _ => Err(SpawnerError::Gone),
        }
    }

    /// Ends and reaps everything, the server process included, and returns what had to be ended: empty after
    /// applications that left by themselves. Folders stay until the spawner is dropped.
    ///
    /// # Errors
    /// When the keeper is gone or takes too long.
    pub async fn end_all(&self) -> Result<Vec<ProcessInfo>, SpawnerError> {
        let answer = self.shared.wait_for(Waiting::Done);
        self.to_keeper.send(&Request::EndAll, Vec::new()).map_err(|_| SpawnerError::Gone)?;
        match tokio::time::timeout(LIMIT, answer).await {
            Ok(Ok(Message::Done { ended })) => Ok(ended),
            _ => Err(SpawnerError::Gone),
        }
    }

    /// As [`end_all`](Self::end_all), and ends the spawner itself: its folders are gone when this returns.
    ///
    /// # Errors
    /// When the keeper is gone or takes too long.
    pub async fn shutdown(self) -> Result<Vec<ProcessInfo>, SpawnerError> {
        self.end_all().await
    }
}

impl Server {
    async fn kill(&self) -> Result<(), SpawnerError> {
        if let Some(pidfd) = &self.pidfd {
            // It may have ended by itself.
            let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
        }
        wait_for_end(&self.exit).await.map(|_| ())
    }
}

/// A server process that starts nothing any more.
#[derive(Debug)]
#[must_use = "it is the parent of applications until it is ended"]
pub(crate) struct OldServer(Arc<Server>);

impl OldServer {
    /// Ends it: its applications lose their parent.
    ///
    /// # Errors
    /// When it cannot be told whether it has ended.
    pub(crate) async fn end(self) -> Result<(), SpawnerError> {
        self.0.kill().await
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        self.to_keeper.close();
        wait_or_kill(&mut self.keeper);
    }
}

/// Ends a keeper that did not become a spawner.
struct KeeperGuard(Option<Child>);

impl KeeperGuard {
    fn release(mut self) -> Option<Child> {
        self.0.take()
    }
}

impl Drop for KeeperGuard {
    fn drop(&mut self) {
        if let Some(keeper) = &mut self.0 {
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}

/// Waits for a keeper that is on its way out, and ends it when it takes too long.
fn wait_or_kill(keeper: &mut Child) {
    if let Some(pidfd) = open_pidfd(keeper.id().cast_signed()) {
        let limit = Timespec { tv_sec: LIMIT.as_secs().cast_signed(), tv_nsec: 0 };
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        let _ = rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, Some(&limit)));
    }
    // Without effect on one that has ended.
    let _ = keeper.kill();
    let _ = keeper.wait();
}

fn open_pidfd(pid: i32) -> Option<OwnedFd> {
    rustix::process::pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for(&self, what: Waiting) -> oneshot::Receiver<Message> {
        let (sender, receiver) = oneshot::channel();
        self.state().waiting.insert(what, sender);
        receiver
    }

    /// Follows the end of a process that started at `since`. An older end belongs to another process of that pid.
    fn exit_of(&self, pid: i32, since: u64) -> watch::Receiver<Option<Ended>> {
        let mut state = self.state();
        let sender = state.exits.entry(pid).or_default();
        if sender.borrow().is_some_and(|ended| ended.at < since) {
            *sender = watch::Sender::default();
        }
        sender.subscribe()
    }

    /// What is done with each message, and with the end of them.
    fn reader(shared: &Arc<Self>, from: Origin) -> impl FnMut(Option<Message>) + Send + use<> {
        let shared = Arc::clone(shared);
        move |message| shared.take(message, from)
    }

    fn take(&self, message: Option<Message>, from: Origin) {
        let mut state = self.state();
        let waiting = match &message {
            Some(Message::Exited { pid, exit, at }) => {
                let ended = Ended { exit: *exit, at: *at };
                state.exits.entry(*pid).or_default().send_replace(Some(ended));
                return;
            }
            Some(Message::ServerStarted { .. } | Message::ServerFailed { .. }) => Waiting::Server,
            Some(Message::Spawned { id, .. } | Message::SpawnFailed { id, .. }) => match from {
                Origin::Server(server) => Waiting::Spawn { server, id: *id },
                Origin::Keeper => return,
            },
            Some(Message::FolderMade { .. } | Message::FolderFailed { .. }) => Waiting::Folder,
            Some(Message::Done { .. }) => Waiting::Done,
            // Without the keeper nothing will be told any more; without the server only its answers are missing.
            None => {
                match from {
                    Origin::Keeper => {
                        state.waiting.clear();
                        state.exits.clear();
                    }
                    Origin::Server(gone) => state
                        .waiting
                        .retain(|what, _| !matches!(what, Waiting::Spawn { server, .. } if *server == gone)),
                }
                return;
            }
        };
        if let (Some(sender), Some(message)) = (state.waiting.remove(&waiting), message) {
            // Whoever asked may have given up.
            let _ = sender.send(message);
        }
    }
}

/// An application a [`Spawner`] started. Dropping it leaves the process alone: that belongs to the spawner.
#[derive(Debug)]
pub struct SpawnedApp {
    pid: i32,
    pidfd: Option<OwnedFd>,
    at: u64,
    exit: watch::Receiver<Option<Ended>>,
}

impl SpawnedApp {
    /// The process id; also the id of its process group and session.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits until it has ended. Can be asked again, and from several places at once.
    ///
    /// # Errors
    /// When the spawner is gone before that.
    pub async fn wait(&self) -> Result<Exit, SpawnerError> {
        wait_for_end(&self.exit).await
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.exit.borrow().map(|ended| ended.exit)
    }

    /// How long it lived, once it has ended, measured where it was reaped.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        self.exit.borrow().map(|ended| Duration::from_micros(ended.at.saturating_sub(self.at)))
    }

    /// Sends a signal to the process, not to its descendants.
    ///
    /// # Errors
    /// When it has ended, or belongs to another user.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match &self.pidfd {
            Some(pidfd) if self.exit().is_none() => Ok(rustix::process::pidfd_send_signal(pidfd, signal)?),
            _ => Err(rustix::io::Errno::SRCH.into()),
        }
    }
}

async fn wait_for_end(exit: &watch::Receiver<Option<Ended>>) -> Result<Exit, SpawnerError> {
    let mut exit = exit.clone();
    let ended = exit.wait_for(Option::is_some).await.map_err(|_| SpawnerError::Gone)?;
    ended.map(|ended| ended.exit).ok_or(SpawnerError::Gone)
}

/// A spawner that does not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnerError {
    /// It could not be started.
    #[error("the spawner process could not be started from {exe}: {source}", exe = .exe.display())]
    Start {
        /// The program that should have become it.
        exe: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its server process could not be started.
    #[error("a new server process could not be started: {source}")]
    Server {
        /// Why.
        source: io::Error,
    },
    /// A folder could not be made.
    #[error("no temporary folder could be made in {parent}: {reason}", parent = .parent.display())]
    Folder {
        /// Where.
        parent: PathBuf,
        /// Why.
        reason: String,
    },
    /// It has ended, or does not answer any more.
    #[error("the spawner process has ended")]
    Gone,
}
