//! One configuration in service, from its start to the end of its last request.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::ServeError;
use crate::config::ServerConfig;
use crate::gateway::{Applications, Means};
use crate::http::{AccessLog, Front, Observer};
use crate::route::Router;

/// What stays the same whatever the configuration.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    pub(super) means: Means,
    pub(super) access_log: AccessLog,
    pub(super) observer: Observer,
    pub(super) transcripts: bool,
}

/// A configuration with its applications.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) front: Arc<Front>,
    pub(super) applications: Arc<Applications>,
    /// Closed when no request uses the front any more.
    used: watch::Receiver<()>,
}

impl Generation {
    /// Sets up the applications of `config`, in the place of those that were there `before`.
    ///
    /// # Errors
    /// When the configuration is wrong or an application cannot be set up.
    pub(super) async fn start(
        config: ServerConfig,
        surroundings: &Surroundings,
        before: Option<&Applications>,
    ) -> Result<Self, ServeError> {
        let Surroundings { means, access_log, observer, transcripts } = surroundings.clone();
        let (limits, announced) = (config.limits, config.announced);
        let config = Arc::new(config);
        // What can fail without a trace comes first.
        let router = Router::new(Arc::clone(&config))?;
        let applications = Arc::new(Applications::start(&config, &means, before).await?);
        let (in_use, used) = watch::channel(());
        let front = Front {
            limits,
            announced,
            router,
            applications: Arc::clone(&applications),
            log: means.log,
            access_log,
            observer,
            transcripts,
            _in_use: in_use,
        };
        Ok(Self { front: Arc::new(front), applications, used })
    }

    /// Waits until its last request is over, `limit` at most, and ends its applications.
    pub(super) async fn retire(self, limit: Duration) {
        let Self { front, applications, mut used } = self;
        drop(front);
        let unused = async { while used.changed().await.is_ok() {} };
        // What takes longer loses its application.
        let _ = timeout(limit, unused).await;
        applications.stop().await;
    }
}
