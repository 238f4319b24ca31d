//! One process of an application, from its start to its end.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::launcher::Launcher;
use crate::app_process::StartError;
use crate::{AppCommand, AppProcess, Signal, SpawnedApp};

/// How long the end of a process may be on its way.
const SOON: Duration = Duration::from_millis(50);

/// A running process. Dropping it stops the process: TERM, then USR1, and KILL when it does not go (lsapi 4.4).
#[derive(Debug)]
pub(super) struct Process {
    end: End,
    /// Its end tells the task that looks after the process to stop it.
    _stop: oneshot::Sender<std::convert::Infallible>,
}

/// The end of a process, to be waited for.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) pid: i32,
    words: watch::Receiver<Option<String>>,
}

/// What waits for processes: they are killed with it.
#[derive(Debug, Default)]
pub(super) struct Keepers(Vec<(AbortHandle, watch::Receiver<Option<String>>)>);

impl Process {
    /// Starts `command` with `input` as descriptor 0. Once stopped, it has `patience` to go by itself.
    ///
    /// # Errors
    /// When it did not come as far as its binary.
    pub(super) async fn start(
        launcher: &Arc<Launcher>,
        command: AppCommand,
        input: OwnedFd,
        patience: Duration,
        keepers: &mut Keepers,
    ) -> Result<Self, StartError> {
        let (stop, stopped) = oneshot::channel();
        let (tell, started) = oneshot::channel();
        let (sender, words) = watch::channel(None);
        let launcher = Arc::clone(launcher);
        // A task of its own from the start on: whoever wants the process may leave meanwhile.
        let keeper = tokio::spawn(async move {
            match launch(&launcher, command, input).await {
                Ok(running) => {
                    let mut kept = Kept { running, words: sender };
                    let _ = tell.send(Ok(kept.running.pid()));
                    let words = keep(&mut kept.running, stopped, patience).await;
                    // Told before what it left behind is looked for, which takes a while: the next request waits for it.
                    kept.words.send_replace(Some(words));
                }
                Err(error) => {
                    let _ = tell.send(Err(error));
                }
            }
        });
        keepers.0.retain(|(keeper, _)| !keeper.is_finished());
        keepers.0.push((keeper.abort_handle(), words.clone()));
        let pid = started.await.map_err(|_| StartError::SpawnerGone)??;
        Ok(Self { end: End { pid, words }, _stop: stop })
    }

    /// Its end.
    pub(super) const fn end(&self) -> &End {
        &self.end
    }
}

impl End {
    /// How it ended, in words, if it has.
    pub(super) fn words(&self) -> Option<String> {
        self.words.borrow().clone()
    }

    /// Whether the process is gone or on its way, whoever knows of it: one that ends gives its memory back first, and its
    /// arguments with it.
    pub(super) fn is_near(&self) -> bool {
        std::fs::read(format!("/proc/{}/cmdline", self.pid)).map_or(true, |line| line.is_empty())
    }

    /// The same as [`words`](Self::words), with a moment of patience: the end of a process is known a little later than
    /// that of its connections.
    pub(super) async fn soon(&mut self) -> Option<String> {
        self.until(Instant::now() + SOON).await;
        self.words()
    }

    /// Waits a moment for the ends that are on their way among these, for all in the same moment.
    pub(super) async fn any_soon(ends: Vec<Self>) {
        let deadline = Instant::now() + SOON;
        for mut end in ends {
            end.until(deadline).await;
        }
    }

    async fn until(&mut self, deadline: Instant) {
        // Too late, or nobody left who waits for it: then there are no words.
        let _ = timeout_at(deadline, self.words.wait_for(Option::is_some)).await;
    }
}

impl Keepers {
    /// Waits until the processes that were told to stop have ended; after `limit` they are killed.
    pub(super) async fn end(&mut self, limit: Duration) {
        if timeout(limit, self.wait()).await.is_err() {
            self.abort();
            self.wait().await;
        }
    }

    async fn wait(&mut self) {
        for (_, ended) in &mut self.0 {
            // An error says that nobody looks after it any more: then nothing of it is left.
            while ended.changed().await.is_ok() {}
        }
    }

    fn abort(&self) {
        for (keeper, _) in &self.0 {
            keeper.abort();
        }
    }
}

impl Drop for Keepers {
    fn drop(&mut self) {
        self.abort();
    }
}

/// A process that is looked after. In this order: that nobody looks after it any more is known when nothing of it is
/// left.
struct Kept {
    running: Running,
    words: watch::Sender<Option<String>>,
}

/// Starts a process.
async fn launch(launcher: &Launcher, command: AppCommand, input: OwnedFd) -> Result<Running, StartError> {
    match launcher {
        Launcher::Spawner(spawner) => Ok(Running::There(spawner.spawn(&command, input).await?)),
        Launcher::Here => {
            // It waits for the exec.
            let start = move || AppProcess::spawn(&command, input);
            match tokio::task::spawn_blocking(start).await {
                Ok(app) => Ok(Running::Here(app?)),
                Err(_) => Err(StartError::SpawnerGone),
            }
        }
    }
}

/// Waits for the end of a process, its own or the one it is told to make.
async fn keep(
    app: &mut Running,
    stopped: oneshot::Receiver<std::convert::Infallible>,
    patience: Duration,
) -> String {
    tokio::select! {
        end = app.wait() => return end,
        _ = stopped => {}
    }
    app.signal(Signal::TERM);
    app.signal(Signal::USR1);
    if let Ok(end) = timeout(patience, app.wait()).await {
        return end;
    }
    app.signal(Signal::KILL);
    app.wait().await
}

/// A process, whoever its parent is.
#[derive(Debug)]
enum Running {
    Here(AppProcess),
    There(SpawnedApp),
}

impl Running {
    fn pid(&self) -> i32 {
        match self {
            Self::Here(app) => app.pid(),
            Self::There(app) => app.pid(),
        }
    }

    /// Waits for its end, and says in words what it was.
    async fn wait(&mut self) -> String {
        let unknown = |error: &dyn std::fmt::Display| format!("an end nobody can tell: {error}");
        match self {
            Self::Here(app) => app.wait().await.map_or_else(|error| unknown(&error), |exit| exit.to_string()),
            Self::There(app) => {
                app.wait().await.map_or_else(|error| unknown(&error), |exit| exit.to_string())
            }
        }
    }

    fn signal(&self, signal: Signal) {
        // It may have ended in this moment.
        let _: io::Result<()> = match self {
            Self::Here(app) => app.signal(signal),
            Self::There(app) => app.signal(signal),
        };
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The other kind ends with its owner by itself.
        if let Self::There(app) = self {
            let _ = app.signal(Signal::KILL);
        }
    }
}
