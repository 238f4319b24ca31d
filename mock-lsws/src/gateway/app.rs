//! One external application.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::app_request::AppRequest;
use super::applications::Means;
use super::exchange::Exchange;
use super::limit::{ConnLimit, Then};
use super::pool::{Alarm, Pool};
use super::processes::Processes;
use crate::config::{ExternalApp, RunOnStartUp};
use crate::journal::{Level, Note, ServerLog};

/// The server's own rhythm. Tests shorten it; nothing else should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often a waiting request is looked after: whether its client is still there, and the notice about requests
    /// without delivery notification. 10 s.
    pub check: Duration,
    /// How often idle connections and lowered limits are looked after. 1 s.
    pub tick: Duration,
    /// How long a process that was told to end may take before it is killed. 25 s.
    pub kill: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { check: Duration::from_secs(10), tick: Duration::from_secs(1), kill: Duration::from_secs(25) }
    }
}

/// One external application, running.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(super) config: ExternalApp,
    pub(super) pool: Arc<Pool>,
    pub(super) processes: Processes,
    pub(super) timing: Timing,
    pub(super) log: ServerLog,
}

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
    pub(crate) async fn start(config: ExternalApp, means: Means) -> Result<Arc<Self>, GatewayError> {
        let Means { launcher, timing, log } = means;
        let processes = Processes::new(&config, launcher, timing, log.clone()).await?;
        let limit = ConnLimit::new(config.effective_max_conns(), config.retry_timeout);
        let pool = Pool::new(limit, log.clone());
        if config.run_on_start_up != RunOnStartUp::No {
            processes.start_missing(0).await;
        }
        let gateway = Arc::new(Self { config, pool, processes, timing, log });
        let pool = Arc::downgrade(&gateway.pool);
        tokio::spawn(Self::look_after(
            pool,
            gateway.pool.alarm(),
            gateway.config.pc_keep_alive_timeout,
            timing.tick,
        ));
        Ok(gateway)
    }

    /// Looks after the idle connections until there is no pool any more.
    async fn look_after(pool: Weak<Pool>, alarm: Arc<Alarm>, keep_alive: Option<Duration>, tick: Duration) {
        let mut tick = interval(tick);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let ticked = tokio::select! {
                _ = tick.tick() => true,
                () = alarm.ringing() => false,
            };
            let Some(pool) = pool.upgrade() else { return };
            if ticked {
                pool.tick(keep_alive);
            } else {
                pool.sweep();
            }
        }
    }

    /// One request, from the queue to its end. Nothing happens until the exchange is asked for its first piece.
    pub(crate) fn exchange(self: &Arc<Self>, request: AppRequest) -> Exchange {
        Exchange::new(Arc::clone(self), request)
    }

    /// A new connection broke the protocol: the application is trusted with fewer (lsapi 4.3.5).
    pub(super) async fn distrust(&self) -> Vec<Note> {
        let name = &self.config.name;
        let fall = self.pool.lower();
        let text = format!(
            "{name}: a new connection broke the protocol, maximum connections go down to {}",
            fall.limit
        );
        let mut notes = vec![Note::new(Level::Info, text)];
        match fall.then {
            Then::Nothing => {}
            Then::TooSoon => {
                let text =
                    format!("{name}: less than half of maxConns is left, but it was restarted a moment ago");
                notes.push(Note::new(Level::Notice, text));
            }
            Then::Restart if !self.processes.are_ours() => {}
            Then::Restart => {
                let text = format!("{name}: less than half of maxConns is left, it is restarted");
                notes.push(Note::new(Level::Notice, text));
                self.pool.drop_free();
                self.processes.restart().await;
            }
        }
        if fall.limit == 0 && !self.config.retry_timeout.is_zero() {
            let seconds = self.config.retry_timeout.as_secs();
            let text = format!("{name}: no connection is left, requests are refused for {seconds} s");
            notes.push(Note::new(Level::Notice, text));
        }
        notes
    }

    /// Closes idle connections, and ends the processes as the real server does.
    pub(crate) async fn stop(&self) {
        self.pool.close();
        self.processes.stop().await;
    }
}
