//! One external application.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::app_request::AppRequest;
use super::applications::Means;
use super::exchange::Exchange;
use super::limit::{ConnLimit, Then};
use super::pool::{Alarm, Pool};
use super::processes::Processes;
use super::timing::Timing;
use crate::config::{ExternalApp, RunOnStartUp};
use crate::journal::{Level, Note, ServerLog};

/// One external application, running.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(super) config: ExternalApp,
    pub(super) pool: Arc<Pool>,
    pub(super) processes: Arc<Processes>,
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
        let Means { timing, log, .. } = means.clone();
        let processes = Arc::new(Processes::new(&config, means).await?);
        let limit = ConnLimit::new(config.effective_max_conns(), config.retry_timeout);
        let pool = Pool::new(limit, log.clone());
        if config.run_on_start_up != RunOnStartUp::No {
            processes.start_missing(0).await;
        }
        let gateway = Arc::new(Self { config, pool, processes, timing, log });
        tokio::spawn(Self::look_after(Arc::downgrade(&gateway), gateway.pool.alarm(), timing));
        Ok(gateway)
    }

    /// A gateway with connections of its own to the processes of another.
    pub(super) fn beside(other: &Self, config: ExternalApp) -> Arc<Self> {
        let limit = ConnLimit::new(config.effective_max_conns(), config.retry_timeout);
        let (timing, log) = (other.timing, other.log.clone());
        let pool = Pool::new(limit, log.clone());
        let gateway = Arc::new(Self { config, pool, processes: Arc::clone(&other.processes), timing, log });
        tokio::spawn(Self::look_after(Arc::downgrade(&gateway), gateway.pool.alarm(), timing));
        gateway
    }

    /// Looks after idle connections and processes until there is no gateway any more.
    async fn look_after(gateway: Weak<Self>, alarm: Arc<Alarm>, timing: Timing) {
        let mut tick = interval(timing.tick);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next_check = Instant::now() + timing.restart_check;
        loop {
            let ticked = tokio::select! {
                _ = tick.tick() => true,
                () = alarm.ringing() => false,
            };
            let Some(gateway) = gateway.upgrade() else { return };
            if !ticked {
                gateway.pool.sweep();
                continue;
            }
            gateway.tick().await;
            if Instant::now() >= next_check {
                next_check = Instant::now() + timing.restart_check;
                if gateway.processes.obey_marker().await {
                    gateway.pool.sweep();
                }
            }
        }
    }

    /// What is done once a second.
    async fn tick(&self) {
        self.pool.tick(self.config.pc_keep_alive_timeout);
        self.processes.look_after().await;
        // Where several share the processes, none of them knows that they are idle.
        let limit = self.config.ext_max_idle_time;
        let limit = limit.filter(|_| !self.shares_processes() && !self.processes.are_detached());
        let is_idle = |limit| self.pool.idle_for().is_some_and(|idle| idle > limit);
        if let Some(limit) = limit.filter(|limit| is_idle(*limit)) {
            self.processes.stop_idle(|| !is_idle(limit)).await;
            self.pool.drop_free();
        }
    }

    /// Whether other gateways have connections to the same processes.
    fn shares_processes(&self) -> bool {
        Arc::strong_count(&self.processes) > 1
    }

    /// How long it has had nothing to do, if it has no connection, and no process of its own.
    pub(super) fn vacant_for(&self) -> Option<Duration> {
        let is_vacant = self.pool.open() == 0 && (self.shares_processes() || self.processes.are_none());
        self.pool.idle_for().filter(|_| is_vacant)
    }

    /// Ends a gateway nobody uses. Processes that others have connections to stay.
    pub(super) async fn leave(&self) {
        self.close();
        if !self.shares_processes() {
            self.processes.stop().await;
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
            // Others are not to lose theirs for what one account did.
            Then::Restart if self.shares_processes() => self.pool.drop_free(),
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

    /// Leaves a detached application to another generation of the server, and takes it back if `back`.
    pub(super) async fn hand_over(&self, back: bool) {
        self.processes.hand_over(back).await;
    }

    /// Turns away who waits, and closes idle connections.
    pub(super) fn close(&self) {
        self.pool.close();
    }

    /// Closes idle connections, and ends the processes as the real server does.
    pub(crate) async fn stop(&self) {
        self.close();
        self.processes.stop().await;
    }
}
