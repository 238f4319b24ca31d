//! One application of the configuration: one gateway, or one for each account it runs as.
//!
//! Owns which account gets which gateway, and what becomes of those that may not have one. What a gateway does is its own
//! affair.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::account::Account;
use super::app::{Gateway, GatewayError};
use super::applications::{Means, Way};
use crate::config::{ExternalApp, ServerConfig, Suexec, find_account};
use crate::journal::{Level, Note};
use crate::{SuexecSecret, User};

/// Accounts of one application at most.
const MOST_ACCOUNTS: usize = 1000;

/// A gateway that is made when it is needed first.
type Cell = Arc<OnceCell<Arc<Gateway>>>;

/// One application of the configuration.
#[derive(Debug)]
pub(super) struct Application {
    app: ExternalApp,
    config: Arc<ServerConfig>,
    means: Means,
    secret: Option<SuexecSecret>,
    /// The server can become other users.
    is_root: bool,
    /// What runs as the application's user, or the server's.
    own: Cell,
    accounts: Mutex<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    gateways: HashMap<Account, Cell>,
    /// Those that have been told about.
    refused: HashSet<Account>,
}

impl Application {
    /// Sets it up, and starts it if that is to be done with the server. One of accounts waits for requests, but for the
    /// accounts that `before` has.
    ///
    /// # Errors
    /// When it cannot be set up.
    pub(super) async fn start(
        app: &ExternalApp,
        config: &Arc<ServerConfig>,
        means: &Means,
        before: Option<&Self>,
    ) -> Result<Self, GatewayError> {
        let error = |reason: String| GatewayError { app: app.name.clone(), reason };
        let secret = match &app.suexec {
            Suexec::Daemon { secret, .. } => Some(SuexecSecret::read(secret).map_err(|source| {
                error(format!("the secret {} cannot be read: {source}", secret.display()))
            })?),
            Suexec::Off | Suexec::PerAccount { .. } => None,
        };
        let this = Self {
            app: app.clone().for_daemon(),
            config: Arc::clone(config),
            means: means.clone(),
            secret,
            is_root: rustix::process::geteuid().is_root(),
            own: Cell::default(),
            accounts: Mutex::default(),
        };
        if matches!(app.suexec, Suexec::PerAccount { .. }) && this.is_root {
            for account in before.into_iter().flat_map(Self::known) {
                this.of_account(account).await?;
            }
        } else {
            this.own().await?;
        }
        if app.suexec != Suexec::Off && !this.is_root {
            this.note(Level::Warn, "suEXEC takes root: everything runs as the server's own user");
        }
        Ok(this)
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> Vec<Account> {
        self.accounts().gateways.keys().copied().collect()
    }

    fn note(&self, level: Level, text: &str) {
        self.means.log.note(&Note::new(level, format!("{}: {text}", self.app.name)));
    }

    async fn own(&self) -> Result<Arc<Gateway>, GatewayError> {
        let start = || Gateway::start(self.config.prepared(&self.app), self.means.clone());
        self.own.get_or_try_init(start).await.cloned()
    }

    /// The way for what `owner` owns. `None`: it cannot be set up, which the log tells.
    pub(super) async fn way(&self, owner: Option<Account>) -> Option<Way> {
        let account = owner.filter(|account| self.is_served(*account));
        let gateway = match account {
            Some(account) => self.of_account(account).await,
            None => self.own().await,
        };
        match gateway {
            Ok(gateway) => Some(Way { gateway, runs_as: account.zip(self.secret.clone()) }),
            Err(error) => {
                self.note(Level::Error, &error.reason);
                None
            }
        }
    }

    /// Whether there is a gateway for `account`; what is not served so is served as the application's own user.
    fn is_served(&self, account: Account) -> bool {
        if self.app.suexec == Suexec::Off || !self.is_root {
            return false;
        }
        let is_allowed = account.uid >= self.config.min_uid && account.gid >= self.config.min_gid;
        if !is_allowed && self.accounts().refused.insert(account) {
            let (uid, gid) = (self.config.min_uid, self.config.min_gid);
            self.note(
                Level::Warn,
                &format!(
                    "{account} is below minUID {uid} or minGID {gid}: what it owns runs as if suEXEC was off"
                ),
            );
        }
        is_allowed
    }

    async fn of_account(&self, account: Account) -> Result<Arc<Gateway>, GatewayError> {
        let cell = {
            let mut accounts = self.accounts();
            let is_full = accounts.gateways.len() >= MOST_ACCOUNTS;
            match accounts.gateways.get(&account) {
                Some(cell) => Arc::clone(cell),
                None if is_full => {
                    let reason =
                        format!("there are {MOST_ACCOUNTS} accounts, {account} is not served any more");
                    return Err(GatewayError { app: self.app.name.clone(), reason });
                }
                None => Arc::clone(accounts.gateways.entry(account).or_default()),
            }
        };
        cell.get_or_try_init(|| self.begin(account)).await.cloned()
    }

    /// Makes the gateway of an account: with processes of its own, or with those of the daemon.
    async fn begin(&self, account: Account) -> Result<Arc<Gateway>, GatewayError> {
        let Account { uid, gid } = account;
        let max_conns = self.app.suexec.max_conns().unwrap_or(self.app.max_conns);
        // Where it listens goes by its name, and what listens there is taken for this one.
        let mut app = self.app.of_account(format!("{}, {account}", self.app.name), max_conns);
        if self.secret.is_some() {
            let daemon = self.own().await?;
            return Ok(Gateway::beside(&daemon, app));
        }
        let user = find_account(&uid.to_string(), Some(&gid.to_string()));
        app.user = Some(user.unwrap_or_else(|_| User { uid, gid, groups: vec![gid] }));
        if let Some(crate::Address::Unix(path)) = &mut app.address {
            // Each has its own.
            path.as_mut_os_string().push(format!(".{uid}.{gid}"));
        }
        Gateway::start(self.config.prepared(&app), self.means.clone()).await
    }

    /// All gateways there are.
    pub(super) fn gateways(&self) -> Vec<Arc<Gateway>> {
        let of_accounts: Vec<Cell> = self.accounts().gateways.values().cloned().collect();
        of_accounts.iter().chain([&self.own]).filter_map(|cell| cell.get().cloned()).collect()
    }
}
