//! One external application.

use std::sync::Arc;
use std::time::Duration;

use super::exchange::{AppRequest, Exchange};
use super::launcher::Launcher;
use crate::config::ExternalApp;
use crate::journal::ServerLog;

/// The server's own rhythm. Tests shorten it; nothing else should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often a waiting request is looked after: whether its client is still there, and the notice about requests
    /// without delivery notification. 10 s.
    pub check: Duration,
    /// How often idle connections and lowered limits are looked after. 1 s.
    pub tick: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { check: Duration::from_secs(10), tick: Duration::from_secs(1) }
    }
}

/// One external application, running.
#[derive(Debug)]
pub(crate) struct Gateway {}

/// An application that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("external application '{app}': {reason}")]
pub struct GatewayError {
    /// Its name.
    pub app: String,
    /// Why, and what to do.
    pub reason: String,
}

impl Gateway {
    /// Makes the listening socket, and starts the application if its configuration says so.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub(crate) async fn start(
        config: ExternalApp,
        launcher: Arc<Launcher>,
        timing: Timing,
        log: ServerLog,
    ) -> Result<Arc<Self>, GatewayError> {
        let _ = (config, launcher, timing, log);
        Ok(Arc::new(Self {}))
    }

    /// One request, from the queue to its end. Nothing happens until the exchange is asked for its first piece.
    pub(crate) fn exchange(self: &Arc<Self>, request: AppRequest) -> Exchange {
        Exchange::new(Arc::clone(self), request)
    }

    /// Closes idle connections, and ends the processes as the real server does.
    pub(crate) async fn stop(&self) {}
}
