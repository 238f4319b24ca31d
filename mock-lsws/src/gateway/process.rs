//! One process of an application, from its start to its end.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::instance::Unused;
use super::launcher::Launcher;
use super::running::Running;
use super::timing::Timing;
use crate::app_process::StartError;
use crate::{AppCommand, Signal};

/// How long the end of a process may be on its way.
const SOON: Duration = Duration::from_millis(50);

/// A running process. Dropping it stops the process at once: TERM, then USR1, and KILL when it does not go (lsapi 4.4).
#[derive(Debug)]
pub(super) struct Process {
    end: End,
    /// Its end tells the task that looks after the process to stop it.
    farewell: oneshot::Sender<Farewell>,
}

/// How a process is let go.
#[derive(Debug)]
pub(super) enum Farewell {
    /// TERM, then USR1, when no request needs it.
    Stop(Unused),
    /// TERM, in a moment: another one serves already.
    Replace,
    /// It stays, and nobody looks after it any more.
    Stay,
}

/// What a process is started with, besides its command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Care {
    pub(super) timing: Timing,
    /// It outlives the server, however that ends.
    pub(super) stays: bool,
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
    /// Starts `command` with `input` as descriptor 0.
    ///
    /// # Errors
    /// When it did not come as far as its binary.
    pub(super) async fn start(
        launcher: &Arc<Launcher>,
        command: AppCommand,
        input: OwnedFd,
        care: Care,
        keepers: &mut Keepers,
    ) -> Result<Self, StartError> {
        let launcher = Arc::clone(launcher);
        let running = async move { Running::start(&launcher, command, input, care.stays).await };
        Self::keep(running, care, keepers).await
    }

    /// Looks after a process that somebody else has started.
    ///
    /// # Errors
    /// When it has ended.
    pub(super) async fn adopt(pid: i32, care: Care, keepers: &mut Keepers) -> Result<Self, StartError> {
        Self::keep(async move { Running::find(pid, care.stays) }, care, keepers).await
    }

    async fn keep(
        running: impl Future<Output = Result<Running, StartError>> + Send + 'static,
        care: Care,
        keepers: &mut Keepers,
    ) -> Result<Self, StartError> {
        let (farewell, told) = oneshot::channel();
        let (tell, started) = oneshot::channel();
        let (sender, words) = watch::channel(None);
        // A task of its own from the start on: whoever wants the process may leave meanwhile.
        let keeper = tokio::spawn(async move {
            match running.await {
                Ok(running) => {
                    let mut kept = Kept { running, words: sender };
                    let _ = tell.send(Ok(kept.running.pid()));
                    if let Some(words) = keep(&mut kept.running, told, care).await {
                        // Told before what it left behind is looked for, which takes a while: the next request waits for
                        // it.
                        kept.words.send_replace(Some(words));
                    }
                }
                Err(error) => {
                    let _ = tell.send(Err(error));
                }
            }
        });
        keepers.0.retain(|(keeper, _)| !keeper.is_finished());
        keepers.0.push((keeper.abort_handle(), words.clone()));
        let pid = started.await.map_err(|_| StartError::SpawnerGone)??;
        Ok(Self { end: End { pid, words }, farewell })
    }

    /// Its end.
    pub(super) const fn end(&self) -> &End {
        &self.end
    }

    /// Lets it go.
    pub(super) fn end_by(self, farewell: Farewell) {
        // It may have ended.
        let _ = self.farewell.send(farewell);
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

/// Waits for the end of a process, its own or the one it is told to make. `None`: it stays.
async fn keep(
    app: &mut Running,
    told: oneshot::Receiver<Farewell>,
    Care { timing, stays }: Care,
) -> Option<String> {
    let farewell = tokio::select! {
        end = app.wait() => return Some(end),
        farewell = told => farewell,
    };
    let now = Instant::now();
    let (remind, kill) = (now + timing.remind.min(timing.kill), now + timing.kill);
    let (signals, first) = match farewell {
        Ok(Farewell::Stay) => {
            app.leave();
            return None;
        }
        // The server goes without a word.
        Err(_) if stays => return None,
        Ok(Farewell::Replace) => {
            let end = timeout(timing.replaced, app.wait()).await;
            (&[Signal::TERM][..], end.ok())
        }
        Ok(Farewell::Stop(unused)) => {
            let end = tokio::select! {
                end = app.wait() => Some(end),
                // It has had its time.
                _ = timeout_at(remind, unused.reached()) => None,
            };
            (&[Signal::TERM, Signal::USR1][..], end)
        }
        Err(_) => (&[Signal::TERM, Signal::USR1][..], None),
    };
    if first.is_some() {
        return first;
    }
    for (signals, limit) in [(signals, remind), (&[Signal::TERM], kill)] {
        for signal in signals {
            app.signal(*signal);
        }
        if let Ok(end) = timeout_at(limit, app.wait()).await {
            return Some(end);
        }
    }
    app.signal(Signal::KILL);
    Some(app.wait().await)
}
