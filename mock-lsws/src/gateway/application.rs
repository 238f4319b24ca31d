//! One application of the configuration: one gateway, or one for each account it runs as.
//!
//! Owns which account gets which gateway, and what becomes of owners that may not have one. How many there may be is for
//! [`Accounts`] to say; what a gateway does is its own affair.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::account::Account;
use super::accounts::{Accounts, Cell, Entry, MOST_ACCOUNTS};
use super::app::{Gateway, GatewayError};
use super::applications::{Means, Way};
use crate::config::{ExternalApp, ServerConfig, Suexec, find_account};
use crate::journal::{Level, Note};
use crate::{SuexecSecret, User};

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
            Suexec::Daemon { secret, .. } => {
                Some(SuexecSecret::read_private(secret).map_err(|source| {
                    error(format!("{} cannot be its secret: {source}", secret.display()))
                })?)
            }
            Suexec::Off | Suexec::PerAccount { .. } => None,
        };
        let this = Self {
            app: app.clone().for_daemon(),
            config: Arc::clone(config),
            means: means.clone(),
            secret,
            is_root: rustix::process::geteuid().is_root(),
            own: Cell::default(),
            accounts: Mutex::new(Accounts::new(MOST_ACCOUNTS)),
        };
        if !this.is_of_accounts() {
            this.own().await?;
        } else if let Some(before) = before {
            this.take_over(before).await;
        }
        if app.suexec != Suexec::Off && !this.is_root {
            this.note(Level::Warn, "suEXEC takes root: everything runs as the server's own user");
        }
        Ok(this)
    }

    /// Whether each account has processes of its own.
    fn is_of_accounts(&self) -> bool {
        self.is_root && matches!(self.app.suexec, Suexec::PerAccount { .. })
    }

    /// Sets up what `before` has, so that those of its processes that stay are looked after. One that fails now is tried
    /// again by the next request for it.
    async fn take_over(&self, before: &Self) {
        let known = before.accounts().known();
        for account in known.into_iter().filter(|account| self.is_allowed(*account)) {
            if let Err(error) = self.of_account(account).await {
                self.note(Level::Error, &error.reason);
            }
        }
        if before.own.initialized()
            && let Err(error) = self.own().await
        {
            self.note(Level::Error, &error.reason);
        }
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
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
        let account = self.served(owner);
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

    fn is_allowed(&self, account: Account) -> bool {
        account.uid >= self.config.min_uid && account.gid >= self.config.min_gid
    }

    /// The account for what `owner` owns. `None`: there is none, and the fallback takes its place, which the log tells once.
    fn served(&self, owner: Option<Account>) -> Option<Account> {
        if self.app.suexec == Suexec::Off || !self.is_root {
            return None;
        }
        let account = owner.filter(|account| self.is_allowed(*account));
        if account.is_none() && self.accounts().refuse(owner) {
            let (uid, gid) = (self.config.min_uid, self.config.min_gid);
            let why = match owner {
                Some(owner) => format!("{owner} is below minUID {uid} or minGID {gid}: what it owns"),
                None => "what is asked for is not there, so nobody owns it: it".to_owned(),
            };
            let fallback = match (&self.secret, &self.app.user) {
                (Some(_), _) => "is not signed and runs as the daemon's default user".to_owned(),
                (None, Some(user)) => format!("runs as extUser, uid {}", user.uid),
                (None, None) => "runs as the server's own user".to_owned(),
            };
            self.note(Level::Warn, &format!("{why} {fallback}"));
        }
        account
    }

    async fn of_account(&self, account: Account) -> Result<Arc<Gateway>, GatewayError> {
        let entry = self.accounts().entry(account);
        let Some(Entry { cell, evicted }) = entry else {
            let reason = format!("there are {MOST_ACCOUNTS} accounts in use, {account} is not served now");
            return Err(GatewayError { app: self.app.name.clone(), reason });
        };
        if let Some(gateway) = evicted {
            gateway.leave().await;
        }
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
        let mut all = self.accounts().gateways();
        all.extend(self.own.get().cloned());
        all
    }
}

#[cfg(test)]
mod tests;
