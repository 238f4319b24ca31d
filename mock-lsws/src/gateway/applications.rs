//! All applications of one configuration.

use std::collections::HashMap;
use std::sync::Arc;

use super::app::{Gateway, GatewayError};
use super::folders::Folders;
use super::launcher::Launcher;
use super::timing::Timing;
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
    /// Where sockets go for which no place is configured.
    pub(crate) folders: Arc<Folders>,
    /// Whether detached applications outlive the server.
    pub(crate) detached_stay: bool,
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
        if let Some(folder) = &config.keep_detached {
            std::fs::create_dir_all(folder).map_err(|error| GatewayError {
                app: "keepDetached".to_owned(),
                reason: format!("the folder {} cannot be made: {error}", folder.display()),
            })?;
        }
        let mut started = Self { by_name: HashMap::new() };
        for app in &config.apps {
            match Gateway::start(config.prepared(app), means.clone()).await {
                Ok(gateway) => started.by_name.insert(app.name.clone(), gateway),
                Err(error) => {
                    // What was found running is somebody else's.
                    started.hand_over(false).await;
                    started.stop().await;
                    return Err(error);
                }
            };
        }
        Ok(started)
    }

    /// The application of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Gateway>> {
        self.by_name.get(name)
    }

    /// Leaves those that are detached to another generation of the server, and takes them back if `back`.
    pub(crate) async fn hand_over(&self, back: bool) {
        for gateway in self.by_name.values() {
            gateway.hand_over(back).await;
        }
    }

    /// Ends all of them.
    pub(crate) async fn stop(&self) {
        for gateway in self.by_name.values() {
            gateway.stop().await;
        }
    }
}
