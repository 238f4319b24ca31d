//! An external application (`extProcessor`): its settings, and what follows from them together.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::app_kind::{AppKind, RunOnStartUp, WsgiApp};
use super::suexec::Suexec;
use crate::fault::Faults;
use crate::{Address, AppCommand, AppLog, DEFAULT_BACKLOG, DEFAULT_UMASK, Resource, User, environment};

/// Right values of `maxConns`.
pub const MAX_CONNS: RangeInclusive<u32> = 1..=10_000;
/// Right values of `instances`.
pub const INSTANCES: RangeInclusive<u32> = 1..=10_000;
/// Right values of `backlog`.
pub const BACKLOG: RangeInclusive<i32> = 1..=100;
/// Right values of `priority`.
pub const PRIORITY: RangeInclusive<i32> = -20..=20;
/// Words in `path`, the program among them.
pub(super) const MAX_WORDS: usize = 255;
/// Right values of `umask`.
pub const UMASK: RangeInclusive<u32> = 0..=0o777;

/// An external application, as the real server's configuration describes one.
///
/// ```
/// use mock_lsws::config::ExternalApp;
///
/// let app = ExternalApp::new("shop").command(["/usr/local/bin/lswsgi"]).env("LSAPI_CHILDREN", "4").max_conns(8);
/// assert!(app.is_self_managed());
/// assert_eq!(app.effective_max_conns(), 4);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// `priority`, -20 to 20, and never below the server's own. `None`: one more than that.
    pub priority: Option<i32>,
    /// `umask`. 022.
    pub umask: u32,
    /// `procSoftLimit` and `procHardLimit` (RLIMIT_NPROC). `None` leaves it alone.
    pub processes: Option<(u64, u64)>,
    /// `memSoftLimit` and `memHardLimit` in bytes (RLIMIT_AS); 0 and `None` leave it alone.
    pub memory: Option<(u64, u64)>,
    /// `extUser` and `extGroup`. `None`: the server's.
    pub user: Option<User>,
    /// Its standard error. LS_STDERR_LOG among `env` comes before it.
    pub log: AppLog,
    /// Working directory, where it is neither the binary's nor LS_CWD of `env`.
    pub directory: Option<PathBuf>,
    /// The file whose change has it started anew. `None`: `tmp/restart.txt` of a WSGI application, and no file for others.
    pub restart_marker: Option<PathBuf>,
    /// Whether it may become another user where it runs as root (`allowExtAppSetuid` of the server).
    pub may_switch_user: bool,
    /// What happens to the bytes of each connection; no setting of a real server.
    pub faults: Faults,
    /// Whether it runs as the owners of what it serves.
    pub suexec: Suexec,
}

impl ExternalApp {
    /// A generic LSAPI application with the real server's defaults. Without a command it runs already.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            address: None,
            command: Vec::new(),
            env: Vec::new(),
            kind: AppKind::Generic,
            instances: 1,
            max_conns: 5,
            init_timeout: Duration::from_secs(3),
            retry_timeout: Duration::from_secs(10),
            pc_keep_alive_timeout: None,
            backlog: DEFAULT_BACKLOG,
            auto_start: true,
            run_on_start_up: RunOnStartUp::default(),
            ext_max_idle_time: None,
            priority: None,
            umask: DEFAULT_UMASK,
            processes: None,
            memory: None,
            user: None,
            log: AppLog::Inherit,
            directory: None,
            restart_marker: None,
            may_switch_user: true,
            faults: Faults::none(),
            suexec: Suexec::Off,
        }
    }

    /// The application of a native WSGI context, with the `wsgiDefaults` the real server is installed with (lsapi 4.5). Its
    /// limit of processes is not among them: it counts all processes of a user, and a mock runs as somebody who has
    /// others.
    #[must_use]
    pub fn wsgi(name: impl Into<String>, app: WsgiApp) -> Self {
        Self {
            kind: AppKind::Wsgi(app),
            init_timeout: Duration::from_secs(60),
            retry_timeout: Duration::ZERO,
            pc_keep_alive_timeout: Some(Duration::from_secs(60)),
            backlog: 50,
            ext_max_idle_time: Some(Duration::from_secs(300)),
            priority: Some(3),
            ..Self::new(name)
        }
    }

    /// Sets where it listens.
    #[must_use]
    pub fn address(mut self, address: Address) -> Self {
        self.address = Some(address);
        self
    }

    /// Sets the program, an absolute path, and its arguments.
    #[must_use]
    pub fn command(mut self, command: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.command = command.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a variable to its environment.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Adds variables to its environment.
    #[must_use]
    pub fn envs<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        env: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.env.extend(env.into_iter().map(|(key, value)| (key.into(), value.into())));
        self
    }

    /// Sets `instances`.
    #[must_use]
    pub const fn instances(mut self, instances: u32) -> Self {
        self.instances = instances;
        self
    }

    /// Sets `maxConns`.
    #[must_use]
    pub const fn max_conns(mut self, max_conns: u32) -> Self {
        self.max_conns = max_conns;
        self
    }

    /// Sets `initTimeout`.
    #[must_use]
    pub const fn init_timeout(mut self, timeout: Duration) -> Self {
        self.init_timeout = timeout;
        self
    }

    /// Sets `retryTimeout`.
    #[must_use]
    pub const fn retry_timeout(mut self, timeout: Duration) -> Self {
        self.retry_timeout = timeout;
        self
    }

    /// Sets `pcKeepAliveTimeout`; `None` keeps idle connections.
    #[must_use]
    pub const fn pc_keep_alive_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.pc_keep_alive_timeout = timeout;
        self
    }

    /// Sets `backlog`.
    #[must_use]
    pub const fn backlog(mut self, backlog: i32) -> Self {
        self.backlog = backlog;
        self
    }

    /// Sets whether the server starts it.
    #[must_use]
    pub const fn auto_start(mut self, auto_start: bool) -> Self {
        self.auto_start = auto_start;
        self
    }

    /// Sets `runOnStartUp`.
    #[must_use]
    pub const fn run_on_start_up(mut self, when: RunOnStartUp) -> Self {
        self.run_on_start_up = when;
        self
    }

    /// Sets `extMaxIdleTime`; `None` is no limit.
    #[must_use]
    pub const fn ext_max_idle_time(mut self, time: Option<Duration>) -> Self {
        self.ext_max_idle_time = time;
        self
    }

    /// Sets `priority`.
    #[must_use]
    pub const fn priority(mut self, priority: i32) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Sets `umask`.
    #[must_use]
    pub const fn umask(mut self, umask: u32) -> Self {
        self.umask = umask;
        self
    }

    /// Sets the soft and the hard limit of processes.
    #[must_use]
    pub const fn processes(mut self, soft: u64, hard: u64) -> Self {
        self.processes = Some((soft, hard));
        self
    }

    /// Sets the soft and the hard limit of memory, in bytes.
    #[must_use]
    pub const fn memory(mut self, soft: u64, hard: u64) -> Self {
        self.memory = Some((soft, hard));
        self
    }

    /// Sets the user it runs as.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.user = Some(user);
        self
    }

    /// Sets where its standard error goes.
    #[must_use]
    pub fn log(mut self, log: AppLog) -> Self {
        self.log = log;
        self
    }

    /// Sets its working directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets what happens to the bytes of each connection.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Sets whether it runs as the owners of what it serves.
    #[must_use]
    pub fn suexec(mut self, suexec: Suexec) -> Self {
        self.suexec = suexec;
        self
    }

    /// Sets the file whose change has it started anew.
    #[must_use]
    pub fn restart_marker(mut self, file: impl Into<PathBuf>) -> Self {
        self.restart_marker = Some(file.into());
        self
    }

    /// The file whose change has it started anew: one that is touched after it was started (lsapi 4.4).
    #[must_use]
    pub fn marker(&self) -> Option<PathBuf> {
        match &self.kind {
            AppKind::Wsgi(app) if self.restart_marker.is_none() => Some(app.root.join("tmp/restart.txt")),
            _ => self.restart_marker.clone(),
        }
    }

    /// Whether it stays when a server is replaced by the next, which finds it again: it is started with the server
    /// (`runOnStartUp` 3) at a Unix socket, and its one process manages the others.
    #[must_use]
    pub fn is_detached(&self) -> bool {
        let is_started = self.auto_start && !self.command.is_empty();
        is_started
            && self.run_on_start_up == RunOnStartUp::Detached
            && self.is_self_managed()
            && self.instances <= 1
            && !matches!(self.address, Some(Address::Tcp { .. }))
    }

    /// Whether it manages its own processes: all of them share a listening socket. Otherwise there is a process for each
    /// connection, which is its descriptor 0 (lsapi 4.1.5).
    #[must_use]
    pub fn is_self_managed(&self) -> bool {
        matches!(self.kind, AppKind::Wsgi(_)) || self.children().is_some()
    }

    /// The number of processes its environment tells it to have.
    fn children(&self) -> Option<u32> {
        environment::PROCESS_COUNT_VARIABLES.iter().find_map(|name| {
            let (_, value) = self.env.iter().find(|(key, _)| key == name)?;
            // What is no number is 0 to the programs that read it, and none can do with less than one process.
            Some(value.to_str().and_then(|value| value.trim().parse().ok()).unwrap_or(0).max(1))
        })
    }

    /// The connections there really are: no more than `instances` if that is not 1 (lsapi 4.1.6), and no more than
    /// processes that take them (lsapi 4.1.5).
    #[must_use]
    pub fn effective_max_conns(&self) -> u32 {
        let instances = self.instances.max(1);
        let of_instances = if instances == 1 { u32::MAX } else { instances };
        let of_children = self.children().map_or(u32::MAX, |children| children.saturating_mul(instances));
        self.max_conns.min(of_instances).min(of_children).max(1)
    }

    /// How to start a process of it; `None` where the server only connects.
    #[must_use]
    pub fn to_command(&self) -> Option<AppCommand> {
        let (program, args) = self.command.split_first().filter(|_| self.auto_start)?;
        let own_priority = rustix::process::getpriority_process(None).unwrap_or(0);
        let mut command = AppCommand::new(program)
            .args(args)
            .envs(self.env.iter().cloned())
            .exact_environment(self.environment())
            .umask(self.umask)
            .may_switch_user(self.may_switch_user)
            .nice(self.priority.unwrap_or(own_priority + 1).max(own_priority))
            .log(self.log.clone());
        if let Some(directory) = &self.directory {
            command = command.directory(directory);
        }
        if let Some((soft, hard)) = self.processes {
            // A real server raises what would not be enough for its own connections (lsapi 4.1.3).
            let least = 3 * u64::from(self.max_conns) + 50;
            command = limit(command, Resource::Nproc, soft.max(least), hard.max(least));
        }
        if let Some((soft, hard)) = self.memory {
            command = limit(command, Resource::As, soft, hard);
        }
        if let Some(user) = &self.user {
            command = command.user(user.clone());
        }
        Some(command)
    }

    /// The environment of its processes, `KEY=VALUE`, in order (lsapi 4.1.4).
    #[must_use]
    pub fn environment(&self) -> Vec<OsString> {
        match &self.kind {
            AppKind::Generic => environment::generic(
                &self.env,
                (self.run_on_start_up == RunOnStartUp::Detached).then_some(self.ext_max_idle_time),
            ),
            AppKind::Wsgi(app) => environment::wsgi(&self.env, app, self.max_conns, self.ext_max_idle_time),
        }
    }
}

/// Sets a limit; 0 is none. Only root may exceed the hard limit there is.
fn limit(command: AppCommand, resource: Resource, soft: u64, hard: u64) -> AppCommand {
    if soft == 0 && hard == 0 {
        return command;
    }
    let is_root = rustix::process::geteuid().is_root();
    let most = rustix::process::getrlimit(resource).maximum.filter(|_| !is_root);
    let allowed = |value: u64| match (value, most) {
        (0, most) => most,
        (value, Some(most)) => Some(value.min(most)),
        (value, None) => Some(value),
    };
    command.limit(resource, allowed(soft), allowed(hard))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_environment_decides_who_manages_the_processes() {
        let app = ExternalApp::new("a").command(["/bin/a"]);
        assert!(!app.is_self_managed());
        for name in ["LSAPI_CHILDREN", "PHP_LSAPI_CHILDREN", "PHP_FCGI_CHILDREN"] {
            assert!(app.clone().env(name, "1").is_self_managed(), "{name}");
        }
        assert!(ExternalApp::wsgi("w", WsgiApp::new("/srv")).is_self_managed());
    }

    #[test]
    fn there_are_no_more_connections_than_processes_take() {
        let connections = |max_conns, instances, children: Option<&str>| {
            let app = ExternalApp::new("a").max_conns(max_conns).instances(instances);
            children.map_or(app.clone(), |children| app.env("LSAPI_CHILDREN", children)).effective_max_conns()
        };
        assert_eq!(connections(5, 1, None), 5);
        assert_eq!(connections(5, 3, None), 3);
        assert_eq!(connections(2, 3, None), 2);
        assert_eq!(connections(9, 1, Some("4")), 4);
        assert_eq!(connections(9, 3, Some("2")), 3);
        assert_eq!(connections(9, 1, Some("40")), 9);
        assert_eq!(connections(9, 1, Some("0")), 1);
        assert_eq!(ExternalApp::wsgi("w", WsgiApp::new("/srv")).max_conns(7).effective_max_conns(), 7);
    }

    #[test]
    fn an_application_that_runs_already_is_not_started() {
        assert!(ExternalApp::new("a").to_command().is_none());
        assert!(ExternalApp::new("a").command(["/bin/a"]).auto_start(false).to_command().is_none());
    }

    #[test]
    fn a_command_has_the_settings() {
        let app = ExternalApp::new("a").command(["/opt/bin/a", "-x"]).env("LS_CWD", "/tmp").env("K", "v");
        let command = app.to_command().unwrap();
        assert_eq!(command.program(), Path::new("/opt/bin/a"));
        assert_eq!(command.working_directory(), Path::new("/tmp"));
        assert_eq!(command.environment(), app.environment());
        assert_eq!(app.environment()[1..3], ["K=v", "PATH=/bin:/usr/bin"], "LS_CWD is not passed on");
        assert!(
            app.environment().contains(&"LSAPI_PPID_NO_CHECK=1".into()),
            "detached unless said otherwise"
        );
        let attached = app.run_on_start_up(RunOnStartUp::Yes).environment();
        assert!(!attached.contains(&"LSAPI_PPID_NO_CHECK=1".into()));
    }

    #[test]
    fn limits_and_priority_are_raised_to_what_the_server_needs() {
        let own_priority = rustix::process::getpriority_process(None).unwrap();
        let launch = |app: ExternalApp| app.to_command().unwrap().resolve().unwrap();
        let app = ExternalApp::new("a").command(["/bin/a"]);
        assert_eq!(launch(app.clone()).nice, Some(own_priority + 1));
        assert_eq!(launch(app.clone().priority(-20)).nice, Some(own_priority));
        assert_eq!(launch(app.clone()).limits, []);
        let most = |resource| {
            let is_root = rustix::process::geteuid().is_root();
            rustix::process::getrlimit(resource).maximum.filter(|_| !is_root).unwrap_or(u64::MAX)
        };
        let processes = most(Resource::Nproc);
        let limited = launch(app.clone().max_conns(10).processes(5, 90));
        assert_eq!(limited.limits, [(Resource::Nproc as u32, 80.min(processes), 90.min(processes))]);
        let memory = most(Resource::As);
        assert_eq!(
            launch(app.clone().memory(1 << 30, 0)).limits,
            [(Resource::As as u32, (1 << 30).min(memory), memory)]
        );
        assert_eq!(launch(app.memory(0, 0)).limits, []);
    }
}
