//! Whether an application runs as the owners of what it serves (suEXEC).

use std::path::PathBuf;

use super::ExternalApp;
use crate::environment;

/// Connections, and so processes, of one account unless something else is configured.
pub const DEFAULT_ACCOUNT_CONNS: u32 = 5;

/// Whether an application runs as the owners of what it serves: of the script, the startup file of a WSGI context, or the
/// document root for an LSAPI context. Only a server that root started can do either.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Suexec {
    /// It runs as one user.
    #[default]
    Off,
    /// There is one application for each account, which runs as its user and group.
    PerAccount {
        /// Connections of an account, and processes at most, 1 to 10000.
        max_conns: u32,
    },
    /// One application, which root runs, is told with each connection whose requests it gets (lsapi 3).
    Daemon {
        /// Connections of an account, 1 to 10000.
        max_conns: u32,
        /// The file of the secret by which server and application know each other: its first 16 bytes. LSAPI_SECRET names
        /// it to the application, which wants it to be root's and nobody else's to read.
        secret: PathBuf,
    },
}

impl Suexec {
    /// Connections of an account; `None` where there are no accounts.
    #[must_use]
    pub const fn max_conns(&self) -> Option<u32> {
        match self {
            Self::Off => None,
            Self::PerAccount { max_conns } | Self::Daemon { max_conns, .. } => Some(*max_conns),
        }
    }
}

impl ExternalApp {
    /// The application as it is for one account: no more connections than that may have, nor processes to serve them.
    pub(crate) fn of_account(&self, name: String, max_conns: u32) -> Self {
        let mut app = self.clone();
        app.name = name;
        app.max_conns = app.max_conns.min(max_conns);
        for (key, value) in &mut app.env {
            let is_count = environment::PROCESS_COUNT_VARIABLES.iter().any(|name| key == name);
            let count = value.to_str().and_then(|value| value.trim().parse::<u32>().ok());
            if is_count && count.is_some_and(|count| count > max_conns) {
                *value = max_conns.to_string().into();
            }
        }
        app
    }

    /// With what a daemon has to be told: where the secret is, and that it manages its processes itself.
    pub(crate) fn for_daemon(mut self) -> Self {
        if let Suexec::Daemon { secret, .. } = &self.suexec {
            if !self.is_self_managed() {
                self.env.push(("LSAPI_CHILDREN".into(), self.max_conns.to_string().into()));
            }
            if !self.env.iter().any(|(key, _)| key == "LSAPI_SECRET") {
                self.env.push(("LSAPI_SECRET".into(), secret.clone().into()));
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(app: &ExternalApp) -> Vec<String> {
        app.env.iter().map(|(key, value)| format!("{}={}", key.display(), value.display())).collect()
    }

    #[test]
    fn an_account_has_no_more_than_its_share() {
        let app = ExternalApp::new("a").max_conns(20).env("LSAPI_CHILDREN", "20").env("X", "20");
        let small = app.of_account("a, uid 7".into(), 3);
        assert_eq!((small.name.as_str(), small.effective_max_conns()), ("a, uid 7", 3));
        assert_eq!(env(&small), ["LSAPI_CHILDREN=3", "X=20"]);
        let large = app.of_account("a, uid 7".into(), 50);
        assert_eq!((large.max_conns, env(&large)), (20, env(&app)));
    }

    #[test]
    fn a_daemon_is_told_where_the_secret_is() {
        let mut app = ExternalApp::new("a").max_conns(8);
        app.suexec = Suexec::Daemon { max_conns: 5, secret: "/etc/secret".into() };
        let daemon = app.clone().for_daemon();
        assert_eq!(env(&daemon), ["LSAPI_CHILDREN=8", "LSAPI_SECRET=/etc/secret"]);
        let told = app.env("LSAPI_SECRET", "/other").env("LSAPI_CHILDREN", "2").for_daemon();
        assert_eq!(env(&told), ["LSAPI_SECRET=/other", "LSAPI_CHILDREN=2"]);
    }
}
