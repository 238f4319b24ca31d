//! What to start and how: the settings a web server has for an application.
//!
//! Owns the meaning of the settings. The process itself is made by [`AppProcess`](crate::AppProcess) or by the
//! [`spawner`](crate::spawner), the environment list by [`environment`](crate::environment).

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit};

use crate::environment;
use crate::launch::LaunchSpec;

/// The umask of a server that has none configured.
pub const DEFAULT_UMASK: u32 = 0o022;

/// An application to start.
///
/// ```
/// use mock_lsws::AppCommand;
///
/// let app = AppCommand::new("/usr/local/bin/lswsgi").args(["-m", "/srv/app/wsgi.py"]).env("LSAPI_MAX_REQS", "3");
/// let first = &app.environment()[0];
/// assert_eq!(first, "LSAPI_PADDING=leave_some_room_to_avoid_overwrite_important_env");
/// ```
#[derive(Clone, Debug)]
pub struct AppCommand {
    program: PathBuf,
    args: Vec<OsString>,
    closed_input: bool,
    env: Vec<(OsString, OsString)>,
    exact_environment: Option<Vec<OsString>>,
    directory: Option<PathBuf>,
    umask: u32,
    nice: Option<i32>,
    log: AppLog,
    limits: Vec<(Resource, Rlimit)>,
    user: Option<User>,
    may_switch_user: bool,
}

/// Where descriptor 2 of the application leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AppLog {
    /// To the standard error of this program.
    #[default]
    Inherit,
    /// To this file, made if it is missing and always appended to.
    Append(PathBuf),
    /// Nowhere.
    Discard,
}

/// The user an application runs as. Only root can switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups; a server that knows no better gives the group id alone.
    pub groups: Vec<u32>,
}

impl AppCommand {
    /// The binary at `program`, an absolute path: a server looks nothing up.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            closed_input: false,
            env: Vec::new(),
            exact_environment: None,
            directory: None,
            umask: DEFAULT_UMASK,
            nice: None,
            log: AppLog::default(),
            limits: Vec::new(),
            user: None,
            may_switch_user: true,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Closes descriptor 0 of the process, whatever it is given there: no server does that, and people do.
    #[must_use]
    pub fn closed_input(mut self) -> Self {
        self.closed_input = true;
        self
    }

    /// Adds a line of the configured environment. The order stays, and so do duplicates.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Adds lines of the configured environment.
    #[must_use]
    pub fn envs<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        env: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.env.extend(env.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// Sets the whole environment of the process, `KEY=VALUE`, in order. The configured one then only tells the working
    /// directory and the log.
    #[must_use]
    pub(crate) fn exact_environment(mut self, environment: Vec<OsString>) -> Self {
        self.exact_environment = Some(environment);
        self
    }

    /// Sets the working directory. Without it, it is LS_CWD of the configured environment, or else the directory of the
    /// binary.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the umask, [`DEFAULT_UMASK`] otherwise.
    #[must_use]
    pub fn umask(mut self, umask: u32) -> Self {
        self.umask = umask;
        self
    }

    /// Sets the priority, -20 to 20. Without it, it is inherited.
    #[must_use]
    pub fn nice(mut self, nice: i32) -> Self {
        self.nice = Some(nice);
        self
    }

    /// Sets where descriptor 2 leads. LS_STDERR_LOG of the configured environment comes before it.
    #[must_use]
    pub fn log(mut self, log: AppLog) -> Self {
        self.log = log;
        self
    }

    /// Sets a resource limit; `None` is no limit.
    #[must_use]
    pub fn limit(mut self, resource: Resource, soft: Option<u64>, hard: Option<u64>) -> Self {
        self.limits.push((resource, Rlimit { current: soft, maximum: hard }));
        self
    }

    /// Sets the user to run as.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }

    /// Sets whether an application that runs as root may become another user. It may unless this says otherwise.
    #[must_use]
    pub fn may_switch_user(mut self, may: bool) -> Self {
        self.may_switch_user = may;
        self
    }

    /// The binary.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The binary and its arguments.
    pub(crate) fn words(&self) -> Vec<OsString> {
        std::iter::once(self.program.clone().into_os_string()).chain(self.args.iter().cloned()).collect()
    }

    /// The last configured value of `key`.
    #[must_use]
    pub fn configured(&self, key: &str) -> Option<&OsStr> {
        self.env.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_os_str())
    }

    /// The environment of the process, `KEY=VALUE`, in order.
    #[must_use]
    pub fn environment(&self) -> Vec<OsString> {
        self.exact_environment.clone().unwrap_or_else(|| environment::generic(&self.env, None))
    }

    /// The directory the process starts in.
    #[must_use]
    pub fn working_directory(&self) -> PathBuf {
        let configured = || self.configured(environment::WORKING_DIRECTORY).map(PathBuf::from);
        let of_binary = || self.program.parent().map(Path::to_path_buf);
        self.directory.clone().or_else(configured).or_else(of_binary).unwrap_or_else(|| PathBuf::from("/"))
    }

    /// The settings as the spawning side wants them.
    pub(crate) fn resolve(&self) -> Result<LaunchSpec, CommandError> {
        if !self.program.is_absolute() {
            return Err(CommandError::RelativeProgram { program: self.program.clone() });
        }
        let number = |limit: Option<u64>| limit.unwrap_or(libc::RLIM64_INFINITY);
        let limits = self
            .limits
            .iter()
            .map(|(resource, limit)| (*resource as u32, number(limit.current), number(limit.maximum)));
        Ok(LaunchSpec {
            program: self.program.clone().into_os_string(),
            args: self.args.clone(),
            closed_input: self.closed_input,
            env: self.environment(),
            directory: self.working_directory().into_os_string(),
            log_file: self.configured(environment::LOG_FILE).map(OsStr::to_os_string),
            umask: self.umask,
            nice: self.nice,
            may_switch_user: self.may_switch_user,
            limits: limits.collect(),
            user: self.user.clone().map(|user| (user.uid, user.gid, user.groups)),
        })
    }

    /// Opens what becomes descriptor 2, unless LS_STDERR_LOG names something else: that is the process's to open.
    pub(crate) fn open_log(&self) -> Result<OwnedFd, CommandError> {
        let log = if self.configured(environment::LOG_FILE).is_some() { &AppLog::Inherit } else { &self.log };
        let error = |path: &Path| {
            let path = path.to_path_buf();
            move |source| CommandError::Log { path, source }
        };
        match log {
            AppLog::Inherit => io::stderr().as_fd().try_clone_to_owned().map_err(error(Path::new("stderr"))),
            AppLog::Append(path) => File::options()
                .append(true)
                .create(true)
                .mode(0o644)
                .open(path)
                .map(OwnedFd::from)
                .map_err(error(path)),
            AppLog::Discard => {
                let path = Path::new("/dev/null");
                File::options().append(true).open(path).map(OwnedFd::from).map_err(error(path))
            }
        }
    }
}

/// A command that cannot be started as it is configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The binary has no absolute path.
    #[error("{program}: a server starts applications by absolute path only; give the whole path", program = .program.display())]
    RelativeProgram {
        /// The path given.
        program: PathBuf,
    },
    /// The log file cannot be opened.
    #[error("log file {path} cannot be opened for appending: {source}", path = .path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
