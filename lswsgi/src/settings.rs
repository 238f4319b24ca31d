//! What the command line and the environment mean together: checked values, defaults applied.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use crate::cli::Arguments;
use crate::log;
use crate::options::Options;

/// Everything a worker has to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The application's file and callable. `None`: each request names its own.
    pub application: Option<Application>,
    /// The virtual environment that was named: `--venv`.
    pub venv: Option<PathBuf>,
    /// How long an application that could not be imported is not tried again, unless it changes.
    pub import_retry: Duration,
    /// Requests after which the process leaves. LSAPI_MAX_REQS, documented default 10 000.
    pub max_requests: u64,
    /// How long the process waits without a request; `None` is for ever. LSAPI_MAX_IDLE, documented default 300 s.
    pub max_idle: Option<Duration>,
    /// Whether the death of the starting process ends this one. Off with LSAPI_PPID_NO_CHECK, and with `--address`: who
    /// starts a server by hand does not expect it to end with the shell.
    pub parent_check: bool,
    /// Whether core files are allowed: LSAPI_ALLOW_CORE_DUMP.
    pub allow_core_dump: bool,
    /// Time a request packet may go without progress once its first byte is there.
    pub header_timeout: Duration,
    /// Time a request body may go without progress.
    pub body_timeout: Duration,
    /// Time the application's threads and exit handlers may take when the process leaves.
    pub exit_timeout: Duration,
    /// Largest request packet accepted, in bytes.
    pub max_request_packet: usize,
    /// The file that takes the place of standard error: LSAPI_STDERR_LOG.
    pub stderr_log: Option<PathBuf>,
    /// How long a request may run: LSAPI_MAX_PROCESS_TIME, documented default 3600 s.
    pub max_process_time: Option<Duration>,
    /// How long running requests may take once a stop was asked for: `--graceful-timeout`.
    pub graceful_timeout: Duration,
    /// Requests that take longer are logged: LSAPI_SLOW_REQ_MSECS.
    pub slow_request: Option<Duration>,
    /// Whether more is logged about a process that is killed: LSAPI_DUMP_DEBUG_INFO.
    pub dump_debug_info: bool,
    /// Acknowledge connections and not requests: LSAPI_ACCEPT_NOTIFY.
    pub accept_notify: bool,
    /// Whether a worker leaves when its connection has ended: LSAPI_KEEP_LISTEN is 0.
    pub one_connection: bool,
    /// Let the application install handlers for the signals the runtime needs: `--allow-signals`.
    pub allow_signals: bool,
    /// Requests by which a worker may leave before [`max_requests`](Self::max_requests): `--max-requests-jitter`.
    pub max_requests_jitter: u64,
    /// What concerns a group of processes.
    pub group: GroupSettings,
    /// How requests are handled, where there is a choice.
    pub options: Options,
}

/// What concerns a group of processes.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// Workers: LSAPI_CHILDREN. Up to 1 there is no group.
    pub children: u32,
    /// Workers beyond that while all are busy: LSAPI_EXTRA_CHILDREN.
    pub extra_children: u32,
    /// Idle workers that are kept: LSAPI_MAX_IDLE_CHILDREN, at least 1.
    pub max_idle_children: u32,
    /// How long the manager stays without workers; `None` is for ever. LSAPI_PGRP_MAX_IDLE.
    pub pgrp_max_idle: Option<Duration>,
    /// Memory below which no more workers are forked than must be, in bytes: LSAPI_AVOID_FORK, default 1 GiB.
    pub min_free_memory: u64,
    /// Workers that hold a connection at which another gives its connection up after a request: LSAPI_MAX_BUSY_WORKER.
    pub max_busy_workers: Option<u32>,
    /// Idle workers that are kept ready: `--min-idle`.
    pub min_idle: u32,
    /// Age at which a worker is replaced, up to a tenth earlier: `--max-lifetime`.
    pub max_lifetime: Option<Duration>,
    /// Which process imports the application: `--load`.
    pub load: Load,
    /// How long a process may outlive the signal that should end it: `--kill-after`.
    pub kill_after: Duration,
}

/// Which process of a group imports the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// The template; but each worker for itself if threads run after the import, which a fork would not take along.
    #[default]
    Auto,
    /// The template, whatever runs after the import.
    Preload,
    /// Each worker for itself.
    Lazy,
}

/// The application's file and the name of the callable in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The file, absolute. A relative one that was named is under WSGI_ROOT.
    pub path: PathBuf,
    /// The attribute to call.
    pub callable: String,
}

/// The name looked for when the command line names none; the server's own command line never does.
pub(crate) const DEFAULT_CALLABLE: &str = "application";

const DEFAULT_MAX_REQUESTS: i64 = 10_000;
const DEFAULT_MAX_IDLE: i64 = 300;

/// Prefixes of the variables that are ours: read here, removed before the application can see them.
const OWN_PREFIXES: [&str; 3] = ["LSAPI_", "PHP_LSAPI_", "LSWSGI_"];

impl Settings {
    /// Combines the command line with the environment.
    ///
    /// Unusable values in the environment are a warning and their default.
    pub fn new(arguments: &Arguments, env: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let env = Env { get: env };
        let root = (env.get)("WSGI_ROOT").map(PathBuf::from).unwrap_or_default();
        let children = u32::try_from(env.number("PHP_LSAPI_CHILDREN", "LSAPI_CHILDREN", 0, 0)).unwrap_or(0);
        Self {
            application: arguments.application.as_deref().map(|text| Application::parse(text, &root)),
            venv: arguments.venv.clone(),
            import_retry: arguments.import_retry,
            max_requests: env
                .number("PHP_LSAPI_MAX_REQUESTS", "LSAPI_MAX_REQS", 1, DEFAULT_MAX_REQUESTS)
                .cast_unsigned(),
            // As ever, 0 and less mean that there is no limit.
            max_idle: match env.number("", "LSAPI_MAX_IDLE", i64::MIN, DEFAULT_MAX_IDLE) {
                seconds @ 1.. => Some(Duration::from_secs(seconds.cast_unsigned())),
                _ => None,
            },
            parent_check: arguments.address.is_none() && !env.is_set("LSAPI_PPID_NO_CHECK"),
            allow_core_dump: env.is_set("LSAPI_ALLOW_CORE_DUMP"),
            header_timeout: arguments.header_timeout,
            body_timeout: arguments.body_timeout,
            exit_timeout: arguments.exit_timeout,
            stderr_log: (env.get)("LSAPI_STDERR_LOG").map(PathBuf::from),
            max_process_time: Some(Duration::from_secs(
                env.number("", "LSAPI_MAX_PROCESS_TIME", 1, 3600).cast_unsigned(),
            )),
            graceful_timeout: Duration::from_secs(23),
            slow_request: None,
            dump_debug_info: false,
            accept_notify: env.number("", "LSAPI_ACCEPT_NOTIFY", 0, 0) != 0,
            one_connection: env.number("", "LSAPI_KEEP_LISTEN", 0, 1) == 0,
            allow_signals: false,
            max_requests_jitter: 0,
            group: GroupSettings {
                children,
                extra_children: children / 3,
                max_idle_children: (children / 3).max(1),
                pgrp_max_idle: None,
                min_free_memory: 1 << 30,
                max_busy_workers: None,
                min_idle: 0,
                max_lifetime: None,
                load: Load::Auto,
                kill_after: Duration::from_secs(5),
            },
            options: Options {
                errors: env.choice(arguments.errors, "LSWSGI_ERRORS"),
                underscore_headers: env.choice(arguments.underscore_headers, "LSWSGI_UNDERSCORE_HEADERS"),
                unknown_length: env.choice(arguments.unknown_length, "LSWSGI_UNKNOWN_LENGTH"),
                late_error: env.choice(arguments.late_error, "LSWSGI_LATE_ERROR"),
                debug: arguments.debug || env.is_set("LSWSGI_DEBUG"),
            },
            max_request_packet: arguments.max_request_packet.try_into().unwrap_or(usize::MAX),
        }
    }
}

/// The names in the environment that belong to the runtime and must not reach the application.
pub fn own_variables() -> Vec<OsString> {
    let is_own = |name: &OsString| OWN_PREFIXES.iter().any(|own| name.as_bytes().starts_with(own.as_bytes()));
    std::env::vars_os().map(|(name, _)| name).filter(is_own).collect()
}

impl Application {
    /// Splits `FILE[:CALLABLE]` at the last colon, unless a file of the whole name exists. `root` is where a relative one is.
    fn parse(text: &OsStr, root: &Path) -> Self {
        let named = |file: &[u8], callable: &str| {
            let path = root.join(OsStr::from_bytes(file));
            Self { path: std::path::absolute(&path).unwrap_or(path), callable: callable.to_owned() }
        };
        let bytes = text.as_bytes();
        let colon = bytes.iter().rposition(|&byte| byte == b':').filter(|_| !root.join(text).exists());
        let Some(colon) = colon else { return named(bytes, DEFAULT_CALLABLE) };
        match std::str::from_utf8(&bytes[colon + 1..]) {
            Ok(callable) if !callable.is_empty() => named(&bytes[..colon], callable),
            _ => named(bytes, DEFAULT_CALLABLE),
        }
    }
}

/// Reading typed values from the environment.
struct Env<'a> {
    get: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Env<'_> {
    fn is_set(&self, name: &str) -> bool {
        (self.get)(name).is_some()
    }

    /// What was `given` on the command line, or else one of the names of `T` in the variable `name`. Anything else there is
    /// reported and counts as the default.
    fn choice<T: ValueEnum + Default>(&self, given: Option<T>, name: &str) -> T {
        if let Some(given) = given {
            return given;
        }
        let Some(value) = (self.get)(name) else { return T::default() };
        value.to_str().and_then(|text| T::from_str(text.trim(), true).ok()).unwrap_or_else(|| {
            let names = |choices: &[T]| {
                let names = choices.iter().filter_map(ValueEnum::to_possible_value);
                names.map(|choice| choice.get_name().to_owned()).collect::<Vec<_>>().join(" or ")
            };
            let (value, default) = (value.to_string_lossy(), names(&[T::default()]));
            log::warning(format_args!(
                "{name}={value} is not {}: using {default}",
                names(T::value_variants())
            ));
            T::default()
        })
    }

    /// The value of `alias` or, if that is not set, of `name`. Anything but a whole number of at least `min` is reported
    /// and counts as `default`.
    fn number(&self, alias: &str, name: &str, min: i64, default: i64) -> i64 {
        let found = [alias, name].into_iter().find_map(|name| (self.get)(name).map(|value| (name, value)));
        let Some((name, value)) = found else { return default };
        match value.to_str().and_then(|text| text.trim().parse::<i64>().ok()) {
            Some(number) if number >= min => number,
            _ => {
                let range = if min == i64::MIN { String::new() } else { format!(" of at least {min}") };
                log::warning(format_args!(
                    "{name}={} is not a whole number{range}: using {default}",
                    value.to_string_lossy()
                ));
                default
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::CommandLine;
    use crate::options::{ErrorLog, LateError, UnderscoreHeaders, UnknownLength};
    use clap::Parser as _;

    fn settings(args: &[&str], env: &[(&str, &str)]) -> Settings {
        let line = CommandLine::parse_from([&["lswsgi", "-m", "app.py"], args].concat());
        let arguments = line.arguments;
        let get = |name: &str| env.iter().find(|pair| pair.0 == name).map(|pair| OsString::from(pair.1));
        Settings::new(&arguments, &get)
    }

    #[test]
    fn documented_defaults_apply_without_environment() {
        let settings = settings(&[], &[]);
        assert_eq!(settings.max_requests, 10_000);
        assert_eq!(settings.max_idle, Some(Duration::from_secs(300)));
        assert!(settings.parent_check);
        assert!(!settings.allow_core_dump);
        assert_eq!(settings.max_request_packet, 262_144);
    }

    #[test]
    fn the_php_name_wins_even_when_it_cannot_be_used() {
        let both =
            |php| settings(&[], &[("LSAPI_MAX_REQS", "5"), ("PHP_LSAPI_MAX_REQUESTS", php)]).max_requests;
        assert_eq!(both("2"), 2);
        assert_eq!(both("many"), 10_000);
        assert_eq!(both("0"), 10_000);
    }

    #[test]
    fn the_command_line_wins_over_the_environment_on_where_errors_go() {
        let errors = |args: &[&str], env: &[(&str, &str)]| settings(args, env).options.errors;
        assert_eq!(errors(&[], &[]), ErrorLog::Stderr);
        assert_eq!(errors(&[], &[("LSWSGI_ERRORS", "LSAPI ")]), ErrorLog::Lsapi);
        assert_eq!(errors(&[], &[("LSWSGI_ERRORS", "syslog")]), ErrorLog::Stderr);
        assert_eq!(errors(&["--errors", "stderr"], &[("LSWSGI_ERRORS", "lsapi")]), ErrorLog::Stderr);
    }

    #[test]
    fn every_choice_about_requests_can_be_made_in_the_environment() {
        assert_eq!(settings(&[], &[]).options, Options::default());
        let env = [
            ("LSWSGI_UNDERSCORE_HEADERS", "keep"),
            ("LSWSGI_UNKNOWN_LENGTH", "411"),
            ("LSWSGI_LATE_ERROR", "abort"),
            ("LSWSGI_DEBUG", "1"),
        ];
        let chosen = Options {
            errors: ErrorLog::Stderr,
            underscore_headers: UnderscoreHeaders::Keep,
            unknown_length: UnknownLength::Refuse,
            late_error: LateError::Abort,
            debug: true,
        };
        assert_eq!(settings(&[], &env).options, chosen);
    }

    #[test]
    fn presence_alone_decides_flags() {
        let settings = settings(&[], &[("LSAPI_PPID_NO_CHECK", "0"), ("LSAPI_ALLOW_CORE_DUMP", "")]);
        assert!(!settings.parent_check);
        assert!(settings.allow_core_dump);
    }

    #[test]
    fn an_idle_limit_of_zero_or_less_means_none_and_no_number_the_default() {
        assert_eq!(settings(&[], &[("LSAPI_MAX_IDLE", "0")]).max_idle, None);
        assert_eq!(settings(&[], &[("LSAPI_MAX_IDLE", "-3")]).max_idle, None);
        assert_eq!(settings(&[], &[("LSAPI_MAX_IDLE", "soon")]).max_idle, Some(Duration::from_secs(300)));
    }

    #[test]
    fn a_server_started_by_hand_outlives_its_shell() {
        assert!(!settings(&["-a", "/tmp/x.sock"], &[]).parent_check);
    }

    #[test]
    fn application_is_split_at_the_last_colon_unless_such_a_file_exists() {
        let parse = |text: &str| Application::parse(OsStr::new(text), Path::new("/root"));
        let expect =
            |path: &str, callable: &str| Application { path: path.into(), callable: callable.into() };
        assert_eq!(parse("/a/wsgi.py"), expect("/a/wsgi.py", "application"));
        assert_eq!(parse("wsgi.py:app"), expect("/root/wsgi.py", "app"));
        assert_eq!(parse("/a:b/wsgi.py:app"), expect("/a:b/wsgi.py", "app"));
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("odd:name.py");
        std::fs::write(&odd, "").unwrap();
        assert_eq!(Application::parse(OsStr::new("odd:name.py"), dir.path()).path, odd);
    }
}
