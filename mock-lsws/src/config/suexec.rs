//! Whether an application runs as the owners of what it serves (suEXEC).

use std::ffi::OsStr;
use std::path::PathBuf;

use super::{AppKind, ExternalApp};
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
    /// Where several instances have children each, all of them together are no more.
    pub(crate) fn of_account(&self, name: String, max_conns: u32) -> Self {
        let mut app = self.clone();
        app.name = name;
        app.max_conns = app.max_conns.min(max_conns);
        app.instances = app.instances.min(max_conns).max(1);
        let children = (max_conns / app.instances).max(1);
        let defaults = match &mut app.kind {
            AppKind::Wsgi(wsgi) => &mut wsgi.defaults[..],
            AppKind::Generic => &mut [],
        };
        for (key, value) in app.env.iter_mut().chain(defaults) {
            let is_count = environment::PROCESS_COUNT_VARIABLES.iter().any(|name| key == name);
            if is_count && is_more(value, children) {
                *value = children.to_string().into();
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

/// Whether `count` is more than `most` to a program that reads its first digits, as C's atoi does. Too many digits for a
/// number are too much as well.
fn is_more(count: &OsStr, most: u32) -> bool {
    let text = count.as_encoded_bytes().trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    let count =
        digits.fold(0_u64, |count, digit| count.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    count > u64::from(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WsgiApp;

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
    fn a_count_of_processes_is_lowered_however_it_is_written() {
        let children = |count: &str, max_conns| {
            let app = ExternalApp::new("a").max_conns(9).env("PHP_LSAPI_CHILDREN", count);
            app.of_account(String::new(), max_conns).env[0].1.to_str().unwrap().to_owned()
        };
        for count in ["4", " 9", "+9", "9x", "99999999999999999999999"] {
            assert_eq!(children(count, 3), "3", "{count}");
        }
        for count in ["3", "1", "0", "-9", "x9", ""] {
            assert_eq!(children(count, 3), count);
        }
        let mut wsgi = WsgiApp::new("/srv");
        wsgi.defaults = vec![("PHP_LSAPI_CHILDREN".into(), "9".into())];
        let wsgi = ExternalApp::wsgi("w", wsgi).of_account(String::new(), 2);
        let told = wsgi.environment();
        for line in ["LSAPI_CHILDREN=2", "PHP_LSAPI_CHILDREN=2"] {
            assert!(told.contains(&line.into()), "{line}: {told:?}");
        }
    }

    #[test]
    fn instances_share_what_an_account_may_have() {
        let share = |instances, max_conns| {
            let app = ExternalApp::new("a").max_conns(9).instances(instances).env("LSAPI_CHILDREN", "9");
            let app = app.of_account(String::new(), max_conns);
            (app.instances, env(&app).remove(0), app.effective_max_conns())
        };
        assert_eq!(share(2, 5), (2, "LSAPI_CHILDREN=2".to_owned(), 2));
        assert_eq!(share(5, 2), (2, "LSAPI_CHILDREN=1".to_owned(), 2));
        assert_eq!(share(1, 5), (1, "LSAPI_CHILDREN=5".to_owned(), 5));
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
