//! An external application (`extProcessor`).

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Address, AppLog, User};

/// An external application, as the real server's configuration describes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExternalApp {
    /// What contexts and handlers call it.
    pub name: String,
    /// Where it listens. `None`: a socket in a folder of the mock's own.
    pub address: Option<Address>,
    /// `path`: the program and its arguments. Empty: it runs already.
    pub command: Vec<OsString>,
    /// `env`, in order.
    pub env: Vec<(OsString, OsString)>,
    /// A generic application or a native WSGI context's.
    pub kind: AppKind,
    /// `instances`: processes sharing the listening socket. 1.
    pub instances: u32,
    /// `maxConns`: simultaneous connections, 1 to 10000. 5.
    pub max_conns: u32,
    /// `initTimeout`. 3 s.
    pub init_timeout: Duration,
    /// `retryTimeout`. 10 s.
    pub retry_timeout: Duration,
    /// `pcKeepAliveTimeout`. `None`: idle connections stay.
    pub pc_keep_alive_timeout: Option<Duration>,
    /// `backlog`, 1 to 100. 100.
    pub backlog: i32,
    /// `autoStart`: whether the server starts it at all.
    pub auto_start: bool,
    /// `runOnStartUp`.
    pub run_on_start_up: RunOnStartUp,
    /// `extMaxIdleTime`. `None`: it is never stopped for being idle.
    pub ext_max_idle_time: Option<Duration>,
    /// `priority`, -20 to 20. 0.
    pub priority: i32,
    /// `umask`. 022.
    pub umask: u32,
    /// `procSoftLimit` and `procHardLimit` (RLIMIT_NPROC).
    pub processes: Option<(u64, u64)>,
    /// `memSoftLimit` and `memHardLimit` in bytes (RLIMIT_AS); 0 leaves it alone.
    pub memory: Option<(u64, u64)>,
    /// `extUser` and `extGroup`.
    pub user: Option<User>,
    /// Its standard error.
    pub log: AppLog,
    /// Working directory, where not the binary's.
    pub directory: Option<PathBuf>,
}

/// What kind of application it is. Decides its environment (lsws 1.4) and process model (lsws 1.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppKind {
    /// Any LSAPI application.
    Generic,
    /// The application of a native WSGI context.
    Wsgi {
        /// The application's directory (`location`).
        root: PathBuf,
        /// The script (`startupFile`), below `root` or absolute.
        startup_file: PathBuf,
        /// HOME: the virtual host's root.
        home: PathBuf,
        /// WSGI_ENV: `development`, `production` or `staging`.
        mode: String,
    },
}

/// When an application is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RunOnStartUp {
    /// With the first request.
    No,
    /// With the server.
    Yes,
    /// With the server, as a daemon.
    Daemon,
    /// With the server, and it stays when the server stops: the default.
    #[default]
    Detached,
}
