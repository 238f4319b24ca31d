//! The running server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::MockServerBuilder;
use crate::config::ServerConfig;
use crate::gateway::Launcher;
use crate::http::{Front, serve_connection};
use crate::journal::{Level, Note};
use crate::process_table::ProcessInfo;

/// How long the server waits when the system refuses a connection (most often: no descriptor is left). Requests under
/// way free some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    front: Arc<Front>,
    launcher: Arc<Launcher>,
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
        front: Front,
        launcher: Arc<Launcher>,
        grace: Duration,
    ) -> Self {
        let front = Arc::new(front);
        let stopping = watch::Sender::new(false);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&front), stopping.subscribe(), grace));
        Self { address, front, launcher, stopping, accepting }
    }

    /// Where it listens, with the port it got.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, lets requests under way finish within the grace period, then ends everything. Returns the
    /// processes that were still there when the applications should have gone, and had to be ended.
    pub async fn stop(mut self) -> Vec<ProcessInfo> {
        self.stopping.send_replace(true);
        // The task keeps the grace period itself; a panic in it has been reported where it happened.
        let _ = (&mut self.accepting).await;
        self.front.applications.stop().await;
        match self.launcher.as_ref() {
            Launcher::Here => Vec::new(),
            Launcher::Spawner(spawner) => spawner.end_all().await.unwrap_or_else(|error| {
                self.front
                    .log
                    .note(&Note::new(Level::Error, format!("cannot end the applications: {error}")));
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
async fn accept(listener: TcpListener, front: Arc<Front>, stopping: watch::Receiver<bool>, grace: Duration) {
    let mut clients = JoinSet::new();
    let mut stop = stopping.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => {
                    clients.spawn(serve_connection(Arc::clone(&front), stream, client, stopping.clone()));
                }
                Err(error) => {
                    front.log.note(&Note::new(Level::Error, format!("cannot accept a client: {error}")));
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
        front.log.note(&Note::new(Level::Warn, format!("{count} requests were cut off by the stop")));
        clients.shutdown().await;
    }
}
