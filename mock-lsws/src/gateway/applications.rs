//! All applications of one configuration.

use std::collections::HashMap;
use std::sync::Arc;

use super::app::{Gateway, GatewayError, Timing};
use super::launcher::Launcher;
use crate::config::ServerConfig;
use crate::journal::ServerLog;

/// What applications are started with.
#[derive(Clone, Debug)]
pub(crate) struct Means {
    /// Who is their parent.
    pub(crate) launcher: Arc<Launcher>,
    /// The server's rhythm.
    pub(crate) timing: Timing,
    /// Where its lines go.
    pub(crate) log: ServerLog,
}

/// All applications of one configuration.
#[derive(Debug)]
pub(crate) struct Applications {
    by_name: HashMap<String, Arc<Gateway>>,
}

impl Applications {
    /// Sets all of them up, and starts those that start with the server.
    ///
    /// # Errors
    /// When one cannot be set up.
    pub(crate) async fn start(config: &ServerConfig, means: &Means) -> Result<Self, GatewayError> {
        let mut by_name = HashMap::new();
        for app in &config.apps {
            let gateway = Gateway::start(app.clone(), means.clone()).await?;
            by_name.insert(app.name.clone(), gateway);
        }
        Ok(Self { by_name })
    }

    /// The application of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Gateway>> {
        self.by_name.get(name)
    }

    /// Ends all of them.
    pub(crate) async fn stop(&self) {
        for gateway in self.by_name.values() {
            gateway.stop().await;
        }
    }
}
