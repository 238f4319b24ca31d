//! All applications of one configuration.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::account::Account;
use super::app::{Gateway, GatewayError};
use super::application::Application;
use super::folders::Folders;
use super::launcher::Launcher;
use super::timing::Timing;
use crate::SuexecSecret;
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
    by_name: HashMap<String, Application>,
}

/// The way of one request to its application.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) gateway: Arc<Gateway>,
    /// Whom a daemon has to be told that it runs as, and the secret to sign that with.
    pub(crate) runs_as: Option<(Account, SuexecSecret)>,
}

impl Applications {
    /// Sets all of them up, and starts those that start with the server. Those of accounts are there at once if `before`,
    /// what the same server has had until now, has them.
    ///
    /// # Errors
    /// When one cannot be set up.
    pub(crate) async fn start(
        config: &Arc<ServerConfig>,
        means: &Means,
        before: Option<&Self>,
    ) -> Result<Self, GatewayError> {
        if let Some(folder) = &config.keep_detached {
            std::fs::create_dir_all(folder).map_err(|error| GatewayError {
                app: "keepDetached".to_owned(),
                reason: format!("the folder {} cannot be made: {error}", folder.display()),
            })?;
        }
        let mut started = Self { by_name: HashMap::new() };
        for app in &config.apps {
            let before = before.and_then(|before| before.by_name.get(&app.name));
            match Application::start(app, config, means, before).await {
                Ok(application) => started.by_name.insert(app.name.clone(), application),
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

    /// The way to the application of this name for what `owner` owns. `None`: there is none.
    pub(crate) async fn way(&self, name: &str, owner: Option<Account>) -> Option<Way> {
        self.by_name.get(name)?.way(owner).await
    }

    /// Leaves those that are detached to another generation of the server, and takes them back if `back`.
    pub(crate) async fn hand_over(&self, back: bool) {
        for application in self.by_name.values() {
            for gateway in application.gateways() {
                gateway.hand_over(back).await;
            }
        }
    }

    /// Ends all of them.
    pub(crate) async fn stop(&self) {
        let gateways: Vec<_> = self.by_name.values().flat_map(Application::gateways).collect();
        // Where several share the processes, those are told to end when nobody has a connection to them any more.
        for gateway in &gateways {
            gateway.close();
        }
        // All at the same time: each may take as long as an application that does not want to.
        let mut stopping: JoinSet<()> =
            gateways.into_iter().map(|gateway| async move { gateway.stop().await }).collect();
        while stopping.join_next().await.is_some() {}
    }
}
