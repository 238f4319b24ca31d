//! What kind of application one is, and when it is started.

use std::ffi::OsString;
use std::path::PathBuf;

/// What kind of application it is. Decides its environment (lsapi 4.1.4) and process model (lsapi 4.1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppKind {
    /// Any LSAPI application.
    Generic,
    /// The application of a native WSGI context.
    Wsgi(WsgiApp),
}

/// What the environment of a native WSGI context's application is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WsgiApp {
    /// The application's directory (`location`).
    pub root: PathBuf,
    /// The script (`startupFile`), below `root` or absolute. `wsgi.py`.
    pub startup_file: PathBuf,
    /// HOME: the virtual host's root. `root` unless set.
    pub home: PathBuf,
    /// WSGI_ENV (`appserverEnv`). Production.
    pub mode: AppServerEnv,
    /// `env` of `wsgiDefaults`: what is not configured otherwise. LSAPI_MAX_IDLE=60.
    pub defaults: Vec<(OsString, OsString)>,
}

impl WsgiApp {
    /// The application in the folder `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            home: root.clone(),
            root,
            startup_file: "wsgi.py".into(),
            mode: AppServerEnv::default(),
            defaults: vec![("LSAPI_MAX_IDLE".into(), "60".into())],
        }
    }

    /// Sets the script.
    #[must_use]
    pub fn startup_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.startup_file = file.into();
        self
    }

    /// Sets HOME.
    #[must_use]
    pub fn home(mut self, home: impl Into<PathBuf>) -> Self {
        self.home = home.into();
        self
    }

    /// Sets WSGI_ENV.
    #[must_use]
    pub const fn mode(mut self, mode: AppServerEnv) -> Self {
        self.mode = mode;
        self
    }

    /// The command the real server starts: `BINPATH -m ROOT/STARTUPFILE` (lsapi 4.5).
    #[must_use]
    pub fn command(&self, bin_path: impl Into<OsString>) -> Vec<OsString> {
        vec![bin_path.into(), "-m".into(), self.root.join(&self.startup_file).into()]
    }
}

/// `appserverEnv`: what WSGI_ENV tells an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AppServerEnv {
    /// 0: `development`.
    Development,
    /// 1: `production`.
    #[default]
    Production,
    /// 2: `staging`.
    Staging,
}

impl AppServerEnv {
    /// The value of WSGI_ENV.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
            Self::Staging => "staging",
        }
    }
}

/// When an application is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RunOnStartUp {
    /// 0: with the first request.
    No,
    /// 1: with the server.
    Yes,
    /// 2: with the server, as a daemon.
    Daemon,
    /// 3: with the server, and it stays when the server stops. The default.
    #[default]
    Detached,
}

impl RunOnStartUp {
    /// All of them; the place of each is its number in a configuration.
    pub const ALL: [Self; 4] = [Self::No, Self::Yes, Self::Daemon, Self::Detached];
}
