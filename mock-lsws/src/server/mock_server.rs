//! The running server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::generation::{Generation, Surroundings};
use super::{MockServerBuilder, ServeError};
use crate::config::ServerConfig;
use crate::gateway::Launcher;
use crate::http::{Front, serve_connection};
use crate::journal::{Level, Note};
use crate::process_table::ProcessInfo;

/// How long the server waits when the system refuses a connection (most often: no descriptor is left). Requests under
/// way free some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long requests may take that were under way when the server was restarted.
const RESTART_GRACE: Duration = Duration::from_secs(300);

/// A mock LiteSpeed server: HTTP in front, LSAPI applications behind.
///
/// Dropping it ends everything at once. [`stop`](Self::stop) lets requests under way finish first.
///
/// ```no_run
/// use mock_lsws::{MockServer, config::ServerConfig};
///
/// # async fn example(config: ServerConfig) -> Result<(), Box<dyn std::error::Error>> {
/// let server = MockServer::builder(config).http("127.0.0.1:0".parse()?).start().await?;
/// println!("http://{}/", server.address());
/// // Talk to it with any HTTP client ...
/// server.stop().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct MockServer {
    address: SocketAddr,
    surroundings: Surroundings,
    /// What is in service; held while another takes its place.
    current: Mutex<Generation>,
    /// What serves the next request.
    fronts: watch::Sender<Arc<Front>>,
    /// Generations whose last requests are still under way.
    retiring: std::sync::Mutex<JoinSet<()>>,
    stopping: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl MockServer {
    /// A server for `config`, still to be started.
    pub fn builder(config: ServerConfig) -> MockServerBuilder {
        MockServerBuilder::new(config)
    }

    pub(super) fn run(
        listener: TcpListener,
        address: SocketAddr,
        generation: Generation,
        surroundings: Surroundings,
        grace: Duration,
    ) -> Self {
        let fronts = watch::Sender::new(Arc::clone(&generation.front));
        let stopping = watch::Sender::new(false);
        let accepting = tokio::spawn(accept(listener, fronts.subscribe(), stopping.subscribe(), grace));
        let (current, retiring) = (Mutex::new(generation), std::sync::Mutex::default());
        Self { address, surroundings, current, fronts, retiring, stopping, accepting }
    }

    /// Where it listens, with the port it got.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    fn note(&self, level: Level, text: impl Into<String>) {
        self.surroundings.means.log.note(&Note::new(level, text));
    }

    /// Puts `config` in the place of the present configuration, as the real server's graceful restart does (lsapi 4.4): what
    /// listens for clients stays, requests under way are finished by the applications they went to, new ones go to
    /// applications that are started anew, under another parent. Detached applications stay and are found again; they lose
    /// their parent when the last request of the old configuration is over.
    ///
    /// # Errors
    /// When the configuration is wrong or an application cannot be set up: the present one goes on serving then.
    pub async fn restart(&self, config: ServerConfig) -> Result<(), ServeError> {
        config.validate()?;
        let mut current = self.current.lock().await;
        let launcher = Arc::clone(&self.surroundings.means.launcher);
        let parent = match launcher.as_ref() {
            Launcher::Here => None,
            Launcher::Spawner(spawner) => Some(spawner.renew().await?),
        };
        current.applications.hand_over(false).await;
        let next = match Generation::start(config, &self.surroundings, Some(&current.applications)).await {
            Ok(next) => next,
            Err(error) => {
                current.applications.hand_over(true).await;
                if let (Launcher::Spawner(spawner), Some(parent)) = (launcher.as_ref(), parent) {
                    spawner.resume(parent).await;
                }
                return Err(error);
            }
        };
        self.fronts.send_replace(Arc::clone(&next.front));
        let old = std::mem::replace(&mut *current, next);
        self.note(Level::Notice, "graceful restart: the new configuration serves");
        let log = self.surroundings.means.log.clone();
        let retire = async move {
            old.retire(RESTART_GRACE).await;
            if let Some(parent) = parent {
                // Without it, there is nothing left to end.
                let _ = parent.end().await;
            }
            log.note(&Note::new(
                Level::Notice,
                "graceful restart: the old configuration has served its last request",
            ));
        };
        let mut retiring = self.retiring.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while retiring.try_join_next().is_some() {}
        retiring.spawn(retire);
        Ok(())
    }

    /// Stops listening, lets requests under way finish within the grace period, then ends everything, but detached
    /// applications if they shall stay. Returns the processes that were still there when the applications should have gone,
    /// and had to be ended.
    pub async fn stop(mut self) -> Vec<ProcessInfo> {
        self.stopping.send_replace(true);
        // The task keeps the grace period itself; a panic in it has been reported where it happened.
        let _ = (&mut self.accepting).await;
        let mut retiring =
            std::mem::take(&mut *self.retiring.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        // No request holds them up any more.
        while retiring.join_next().await.is_some() {}
        self.current.lock().await.applications.stop().await;
        self.surroundings.means.folders.remove().await;
        match self.surroundings.means.launcher.as_ref() {
            Launcher::Here => Vec::new(),
            Launcher::Spawner(spawner) => spawner.end_all().await.unwrap_or_else(|error| {
                self.note(Level::Error, format!("cannot end the applications: {error}"));
                Vec::new()
            }),
        }
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        // Ends the connections with it: they belong to the task.
        self.accepting.abort();
    }
}

/// Accepts clients until the server stops, and then waits for those it has.
async fn accept(
    listener: TcpListener,
    fronts: watch::Receiver<Arc<Front>>,
    stopping: watch::Receiver<bool>,
    grace: Duration,
) {
    let note = |level, text: String| fronts.borrow().log.note(&Note::new(level, text));
    let mut clients = JoinSet::new();
    let mut stop = stopping.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    clients.spawn(serve_connection(fronts.clone(), stream, client, stopping.clone()));
                }
                Err(error) => {
                    note(Level::Error, format!("cannot accept a client: {error}"));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            // Ended connections are let go as they end, or a long run would collect them.
            Some(_) = clients.join_next() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    let all = async { while clients.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all).await.is_err() {
        let count = clients.len();
        note(Level::Warn, format!("{count} requests were cut off by the stop"));
        clients.shutdown().await;
    }
}
