//! What a mock server is made of.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::generation::{Generation, Surroundings};
use super::{MockServer, ServeError};
use crate::config::ServerConfig;
use crate::gateway::{Launcher, Means, Timing};
use crate::http::{AccessLog, Observer, RequestRecord};
use crate::journal::ServerLog;

/// How long requests under way may take when the server is stopped: what the real one gives them (lsapi 4.4).
const GRACE: Duration = Duration::from_secs(10);

/// A mock server before it starts, see [`MockServer::builder`].
#[derive(Debug)]
#[must_use = "nothing listens before `start`"]
pub struct MockServerBuilder {
    config: ServerConfig,
    address: SocketAddr,
    launcher: Launcher,
    timing: Timing,
    grace: Duration,
    log: ServerLog,
    access_log: AccessLog,
    observer: Observer,
    transcripts: bool,
}

impl MockServerBuilder {
    pub(super) fn new(config: ServerConfig) -> Self {
        Self {
            config,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            launcher: Launcher::Here,
            timing: Timing::default(),
            grace: GRACE,
            log: ServerLog::silent(),
            access_log: AccessLog::none(),
            observer: Observer::none(),
            transcripts: false,
        }
    }

    /// Where clients connect: IPv4 or IPv6, port 0 for any free one. 127.0.0.1:0 if nothing is said.
    pub fn http(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Who is the parent of the applications. [`Launcher::Here`] if nothing is said.
    pub fn launcher(self, launcher: Launcher) -> Self {
        Self { launcher, ..self }
    }

    /// The server's rhythm, for tests that cannot wait.
    pub fn timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// How long requests under way may take when the server is stopped. 10 s.
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Where the lines of the server's log go. Nowhere if nothing is said.
    pub fn log(self, log: ServerLog) -> Self {
        Self { log, ..self }
    }

    /// Where the access log goes. Nowhere if nothing is said.
    pub fn access_log(self, access_log: AccessLog) -> Self {
        Self { access_log, ..self }
    }

    /// Hands every request to `observe` when it is over, before its line of the access log is written.
    pub fn observe(self, observe: impl Fn(&RequestRecord) + Send + Sync + 'static) -> Self {
        Self { observer: Observer::new(observe), ..self }
    }

    /// Whether each request's record has a transcript of what passed between server and application.
    pub fn transcripts(self, wanted: bool) -> Self {
        Self { transcripts: wanted, ..self }
    }

    /// Listens, sets up the applications, and serves on the current tokio runtime.
    ///
    /// # Errors
    /// When the configuration is wrong, the address cannot be listened on, or an application cannot be set up.
    pub async fn start(self) -> Result<MockServer, ServeError> {
        self.config.validate()?;
        let listener = tokio::net::TcpListener::bind(self.address)
            .await
            .map_err(|source| ServeError::Listen { address: self.address, source })?;
        let address =
            listener.local_addr().map_err(|source| ServeError::Listen { address: self.address, source })?;
        let means = Means {
            launcher: Arc::new(self.launcher),
            timing: self.timing,
            log: self.log,
            folders: Arc::default(),
            detached_stay: self.config.keep_detached.is_some(),
        };
        let surroundings = Surroundings {
            means,
            access_log: self.access_log,
            observer: self.observer,
            transcripts: self.transcripts,
        };
        let generation = Generation::start(self.config, &surroundings, None).await?;
        Ok(MockServer::run(listener, address, generation, surroundings, self.grace))
    }
}
