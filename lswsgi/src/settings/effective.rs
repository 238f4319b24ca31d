//! All settings together, and what follows from one for another.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::application::Application;
use super::group::GroupSettings;
use super::operation::Operation;
use super::reader::{Origin, Reader, Row};
use super::stranger::{self, OWN_PREFIXES};
use super::suexec::SuexecSettings;
use super::table;
use crate::cli::Arguments;
use crate::log::{self, Format, Level};
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
    /// Memory above which a process leaves after a request, in bytes: `--max-rss`.
    pub max_rss: Option<u64>,
    /// How long a process of a group may take until it is ready: `--start-timeout`.
    pub start_timeout: Duration,
    /// What concerns whoever operates the process.
    pub operation: Operation,
    /// What concerns a group of processes.
    pub group: GroupSettings,
    /// What concerns processes that run as whom the server names.
    pub suexec: SuexecSettings,
    /// How requests are handled, where there is a choice.
    pub options: Options,
}

impl Settings {
    /// Combines the command line with the environment, and sets up the log.
    ///
    /// Unusable values in the environment are a warning and their default.
    pub fn new(arguments: &Arguments, env: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let effective = Effective::read(arguments, env);
        effective.set_up_log();
        effective.settings
    }
}

impl Settings {
    /// The file that asks for new code when it changes, if it is to be watched.
    pub(crate) fn restart_file(&self) -> Option<PathBuf> {
        let folder = self.file().filter(|_| self.operation.watch_restart_file)?.parent()?;
        Some(folder.join("tmp/restart.txt"))
    }

    /// The application's file, if the command line names one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.application.as_ref().map(|application| &*application.path)
    }
}

/// The settings, and where they came from.
pub(super) struct Effective {
    pub(super) settings: Settings,
    log_level: Level,
    log_format: Format,
    /// In the order of the table.
    pub(super) rows: Vec<Row>,
    /// What is wrong with the environment.
    pub(super) warnings: Vec<String>,
}

impl Effective {
    pub(super) fn read(arguments: &Arguments, env: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let mut reader = Reader::new(&arguments.given, env);
        let (log_level, log_format) =
            (reader.read(&table::LOG_LEVEL).value, reader.read(&table::LOG_FORMAT).value);
        let (group, avoids_forks) = GroupSettings::read(&mut reader);
        let (max_requests, max_requests_jitter) = read_max_requests(&mut reader);
        let root = env("WSGI_ROOT").map(PathBuf::from).unwrap_or_default();
        let settings = Settings {
            application: arguments.application.as_deref().map(|text| Application::parse(text, &root)),
            venv: reader.read(&table::VENV).value,
            import_retry: reader.read(&table::IMPORT_RETRY).value,
            max_requests,
            max_requests_jitter,
            max_idle: reader.read(&table::MAX_IDLE).value,
            one_connection: read_keep_listen(&mut reader, avoids_forks) == 0,
            max_process_time: Some(reader.read(&table::MAX_PROCESS_TIME).value),
            parent_check: !read_no_parent_check(&mut reader, arguments, &group),
            graceful_timeout: reader.read(&table::GRACEFUL_TIMEOUT).value,
            exit_timeout: reader.read(&table::EXIT_TIMEOUT).value,
            max_request_packet: usize::try_from(reader.read(&table::MAX_REQUEST_PACKET).value)
                .unwrap_or(usize::MAX),
            header_timeout: reader.read(&table::HEADER_TIMEOUT).value,
            body_timeout: reader.read(&table::BODY_TIMEOUT).value,
            accept_notify: reader.read(&table::ACCEPT_NOTIFY).value,
            allow_signals: reader.read(&table::ALLOW_SIGNALS).value,
            stderr_log: reader.read(&table::STDERR_LOG).value,
            slow_request: reader.read(&table::SLOW_REQUESTS).value,
            dump_debug_info: reader.read(&table::DUMP_DEBUG_INFO).value,
            allow_core_dump: reader.read(&table::ALLOW_CORE_DUMP).value,
            options: Options {
                errors: reader.read(&table::ERRORS).value,
                underscore_headers: reader.read(&table::UNDERSCORE_HEADERS).value,
                unknown_length: reader.read(&table::UNKNOWN_LENGTH).value,
                late_error: reader.read(&table::LATE_ERROR).value,
                debug: reader.read(&table::DEBUG).value,
            },
            max_rss: reader.read(&table::MAX_RSS).value,
            start_timeout: reader.read(&table::START_TIMEOUT).value,
            operation: Operation::read(&mut reader),
            group,
            suexec: SuexecSettings::read(&mut reader),
        };
        let (rows, warnings) = reader.finish();
        Self { settings, log_level, log_format, rows, warnings }
    }

    /// Lets the log be what the settings say, and logs what is wrong with the environment.
    pub(super) fn set_up_log(&self) {
        log::set_level(self.log_level);
        log::set_format(self.log_format);
        let names = own_variables();
        let strangers = stranger::warnings(names.iter().filter_map(|name| name.to_str()));
        for warning in self.warnings.iter().chain(&strangers) {
            log::warning(format_args!("{warning}"));
        }
    }
}

/// The limit of requests, and by how many a process may fall short of it.
fn read_max_requests(reader: &mut Reader<'_>) -> (u64, u64) {
    let limit = reader.read(&table::MAX_REQUESTS).value;
    let jitter = reader.read(&table::MAX_REQUESTS_JITTER).value;
    if jitter < limit {
        return (limit, jitter);
    }
    reader.correct(&table::MAX_REQUESTS_JITTER, &(limit - 1), "has to be less than --max-requests");
    (limit, limit - 1)
}

/// LSAPI_KEEP_LISTEN: where forks are avoided, a variable does not make a process leave after each connection (lsapi 2.3).
fn read_keep_listen(reader: &mut Reader<'_>, avoids_forks: Option<String>) -> u64 {
    let Some(why) = avoids_forks else { return reader.read(&table::KEEP_LISTEN).value };
    let found = reader.read_or(&table::KEEP_LISTEN, 2, Origin::default_because(&why));
    if let Origin::Variable(_) = found.origin {
        reader.overrule(&table::KEEP_LISTEN, &2, &why);
        return 2;
    }
    found.value
}

/// Whether the parent's death is nobody's concern.
fn read_no_parent_check(reader: &mut Reader<'_>, arguments: &Arguments, group: &GroupSettings) -> bool {
    let found = if arguments.address.is_some() {
        // Who starts a server by hand does not expect it to end with the shell.
        reader.read_or(&table::NO_PARENT_CHECK, true, Origin::default_because("--address is given"))
    } else if group.max_busy_workers.is_some() {
        // lsapi 2.3: a limit of busy workers implies it.
        reader.read_or(&table::NO_PARENT_CHECK, true, Origin::default_because("--max-busy-workers is set"))
    } else {
        reader.read(&table::NO_PARENT_CHECK)
    };
    found.value
}

/// The names in the environment that belong to the runtime and must not reach the application.
pub fn own_variables() -> Vec<OsString> {
    let is_own = |name: &OsString| OWN_PREFIXES.iter().any(|own| name.as_bytes().starts_with(own.as_bytes()));
    std::env::vars_os().map(|(name, _)| name).filter(is_own).collect()
}
