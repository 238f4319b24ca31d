//! Every setting once: option, variables, default, meaning. Help, `--print-config` and the tables of the README are made of
//! this.

use std::time::Duration;

use super::Load;
use super::kind::Kind;
use super::number::{Avoid, AvoidFork, Busy, Count, Id, Size};
use super::time::{Limit, Milliseconds, Seconds};
use super::word::{Choice, Control, Flag, Path, UrlPath};
use crate::access_log::AccessFormat;
use crate::log::{Format, Level};
use crate::options::{ErrorLog, LateError, UnderscoreHeaders, UnknownLength};

/// So many that nobody means more.
const MOST_REQUESTS: u64 = 1_000_000_000_000;

/// One setting.
pub(crate) struct Setting<K: Kind> {
    /// The option, without its dashes.
    pub(super) option: &'static str,
    /// Variables that stand for it. The first that is set wins, also with a value that cannot be used.
    pub(super) variables: &'static [&'static str],
    pub(super) kind: K,
    pub(super) default: K::Value,
    /// The default in words, if it depends on other settings.
    default_is: &'static str,
    heading: &'static str,
    help: &'static str,
}

/// What all settings have in common.
pub(super) trait Listed: Sync {
    fn option(&self) -> &'static str;
    fn variables(&self) -> &'static [&'static str];
    fn heading(&self) -> &'static str;
    /// One sentence without a full stop.
    fn help(&self) -> &'static str;
    /// The default as an operator reads it.
    fn default(&self) -> String;
    /// The option as the command line parser knows it.
    fn arg(&'static self) -> clap::Arg;
}

impl<K: Kind> Listed for Setting<K> {
    fn option(&self) -> &'static str {
        self.option
    }

    fn variables(&self) -> &'static [&'static str] {
        self.variables
    }

    fn heading(&self) -> &'static str {
        self.heading
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn default(&self) -> String {
        if self.default_is.is_empty() {
            self.kind.show(&self.default).to_string()
        } else {
            self.default_is.to_owned()
        }
    }

    fn arg(&'static self) -> clap::Arg {
        let variables = self.variables.join(", ");
        let help = format!("{} [default: {}] [env: {variables}]", self.help, Listed::default(self));
        self.kind
            .describe(clap::Arg::new(self.option).long(self.option))
            .help_heading(self.heading)
            .help(help)
    }
}

/// `static NAME: Setting<Kind> = "option" ["VARIABLE"...] default, kind, "help"`, under headings; and the list of them all.
macro_rules! settings {
    ($($heading:literal: { $(
        $name:ident: $kind:ty = $option:literal [$($variable:literal),+] $value:expr, $make:expr, $default_is:literal, $help:literal;
    )+ })+) => {
        $($(
            pub(super) static $name: Setting<$kind> = Setting {
                option: $option,
                variables: &[$($variable),+],
                kind: $make,
                default: $value,
                default_is: $default_is,
                heading: $heading,
                help: $help,
            };
        )+)+
        pub(super) static TABLE: &[&dyn Listed] = &[$($(&$name),+),+];
    };
}

settings! {
"Process group": {
    CHILDREN: Count = "children" ["PHP_LSAPI_CHILDREN", "LSAPI_CHILDREN"] 0, children(0), "",
        "Most workers; with 0 or 1, and no --watch, there is no group: this process serves by itself";
    EXTRA_CHILDREN: Count = "extra-children" ["LSAPI_EXTRA_CHILDREN"] 0, children(0),
        "a third of --children; 0 with --avoid-fork",
        "Workers beyond --children, while all of them are busy with requests";
    MAX_IDLE_CHILDREN: Count = "max-idle-children" ["LSAPI_MAX_IDLE_CHILDREN"] 1, children(1),
        "a third of --children, at least 1; all with --avoid-fork", "Idle workers that are kept; surplus leaves within a second";
    MIN_IDLE: Count = "min-idle" ["LSWSGI_MIN_IDLE"] 0, children(0), "", "Idle workers that are kept ready";
    AVOID_FORK: AvoidFork = "avoid-fork" ["LSAPI_AVOID_FORK"] Avoid::Off, AvoidFork, "",
        "1: keep workers that are idle, and never more than --children. A size of 10M or more is also the memory (default \
         1G) that must be free to fork one more";
    PGRP_MAX_IDLE: Limit = "pgrp-max-idle" ["LSAPI_PGRP_MAX_IDLE"] None, NEVER, "",
        "Time without any worker after which the group ends; 0: never";
    MAX_BUSY_WORKERS: Busy = "max-busy-workers" ["LSAPI_MAX_BUSY_WORKER"] None, Busy, "",
        "With so many workers holding a connection, each gives its own up after a request; 0: half of --children and one. \
         Not negative: implies --no-parent-check";
    MAX_LIFETIME: Limit = "max-lifetime" ["LSWSGI_MAX_LIFETIME"] None, NEVER, "",
        "Age at which a worker is replaced, up to a tenth earlier; 0: never";
    LOAD: Choice<Load> = "load" ["LSWSGI_LOAD"] Load::Auto, Choice::of("auto|preload|lazy"), "",
        "Who imports the application: preload: one process, of which workers are forked; lazy: each worker; auto: the one, \
         unless threads run after the import";
}
"Life of a process": {
    MAX_REQUESTS: Count = "max-requests" ["PHP_LSAPI_MAX_REQUESTS", "LSAPI_MAX_REQS"] 10_000, count(1, MOST_REQUESTS), "",
        "Requests after which a process leaves";
    MAX_RSS: Size = "max-rss" ["LSWSGI_MAX_RSS"] None, Size, "",
        "Memory (resident set size) above which a process leaves after a request; 0: no limit";
    MAX_REQUESTS_JITTER: Count = "max-requests-jitter" ["LSWSGI_MAX_REQUESTS_JITTER"] 0, upto(MOST_REQUESTS), "",
        "Up to so many requests fewer, at random, so that not all processes leave at once";
    MAX_IDLE: Limit = "max-idle" ["LSAPI_MAX_IDLE"] Some(Duration::from_secs(300)), Limit { negative: true }, "",
        "Time without a request after which a process leaves; 0: never";
    KEEP_LISTEN: Count = "keep-listen" ["LSAPI_KEEP_LISTEN"] 1, upto(2), "1; 2 with --avoid-fork",
        "0: a process leaves when its connection ends. 1 and 2: it waits for the next until --max-idle";
    MAX_PROCESS_TIME: Seconds = "max-process-time" ["LSAPI_MAX_PROCESS_TIME"] Duration::from_secs(3600), Seconds, "",
        "Longest time a request may run; then it is answered with 504, its stacks are logged, and the process ends";
    NO_PARENT_CHECK: Flag = "no-parent-check" ["LSAPI_PPID_NO_CHECK"] false, SET, "no; yes with --address or --max-busy-workers",
        "Do not leave when the process that started this one is gone";
    GRACEFUL_TIMEOUT: Seconds = "graceful-timeout" ["LSWSGI_GRACEFUL_TIMEOUT"] Duration::from_secs(23), Seconds, "",
        "Time running requests have left after a stop. LiteSpeed kills after 25 s";
    KILL_AFTER: Seconds = "kill-after" ["LSWSGI_KILL_AFTER"] Duration::from_secs(5), Seconds, "",
        "Time from the signal TERM that should have ended a worker to KILL";
    EXIT_TIMEOUT: Seconds = "exit-timeout" ["LSWSGI_EXIT_TIMEOUT"] Duration::from_secs(5), Seconds, "",
        "Time the application's threads and exit handlers may take at the end";
}
"Requests": {
    MAX_REQUEST_PACKET: Count = "max-request-packet" ["LSWSGI_MAX_REQUEST_PACKET"]
        lsapi::limits::MAX_REQUEST_PACKET as u64, PACKET, "",
        "Largest request packet: variables and headers, not the body";
    HEADER_TIMEOUT: Seconds = "header-timeout" ["LSWSGI_HEADER_TIMEOUT"] Duration::from_secs(10), Seconds, "",
        "Time a request packet may go without a further byte, once it has begun";
    BODY_TIMEOUT: Seconds = "body-timeout" ["LSWSGI_BODY_TIMEOUT"] Duration::from_secs(30), Seconds, "",
        "Time a request body may go without a further byte";
    ACCEPT_NOTIFY: Flag = "accept-notify" ["LSAPI_ACCEPT_NOTIFY"] false, NUMBER, "",
        "Acknowledge connections instead of requests";
    UNDERSCORE_HEADERS: Choice<UnderscoreHeaders> = "underscore-headers" ["LSWSGI_UNDERSCORE_HEADERS"]
        UnderscoreHeaders::Drop, Choice::of("drop|keep"), "",
        "Request headers with an underscore in their name. X_Y and X-Y are the same in an environ, so a client could send \
         the first past a proxy that checks only the second";
    UNKNOWN_LENGTH: Choice<UnknownLength> = "unknown-length" ["LSWSGI_UNKNOWN_LENGTH"]
        UnknownLength::Accept, Choice::of("accept|411"), "",
        "Requests whose body has no known length: accept them, or answer 411";
    LATE_ERROR: Choice<LateError> = "late-error" ["LSWSGI_LATE_ERROR"] LateError::End, Choice::of("end|abort"), "",
        "When the application fails in the middle of a response without a length: end it as if it were complete, or abort \
         it, so that the server tries twice more (GET and HEAD only)";
}
"Application": {
    VENV: Path = "venv" ["LSWSGI_VENV"] None, Path("DIR"), "as found",
        "The virtual environment to run in; otherwise that of LS_PYTHONBIN, VIRTUAL_ENV or PYTHONHOME, or .venv or venv \
         beside the application or in WSGI_ROOT";
    IMPORT_RETRY: Seconds = "import-retry" ["LSWSGI_IMPORT_RETRY"] Duration::from_secs(10), Seconds, "",
        "Time before an application that could not be imported is tried again although it has not changed, without a group or \
         as a script; a group tries after 1 s, 2 s and so on up to 60 s";
    START_TIMEOUT: Seconds = "start-timeout" ["LSWSGI_START_TIMEOUT"] Duration::from_secs(60), Seconds, "",
        "Time a process of a group may take to start Python and import the application; then it is killed";
    ALLOW_SIGNALS: Flag = "allow-signals" ["LSWSGI_ALLOW_SIGNALS"] false, SET, "",
        "Let the application handle TERM, INT, HUP and USR1, by which lswsgi is stopped";
    DEBUG: Flag = "debug" ["LSWSGI_DEBUG"] false, SET, "",
        "Show tracebacks in error pages: to everybody who sees the page";
}
"Operation": {
    CONTROL: Control = "control" ["LSWSGI_CONTROL"] None, Control,
        "tmp/lswsgi.sock in the folder of the application, if that tmp is there and ours",
        "The socket lswsgi ctl talks to, in a group; off: none";
    NO_WATCH: Flag = "no-watch" ["LSWSGI_NO_WATCH"] false, SET, "",
        "Do not reload when tmp/restart.txt in the folder of the application changes";
    WATCH: Flag = "watch" ["LSWSGI_WATCH"] false, SET, "",
        "Reload when a Python file the application has imported changes; for development. Also one worker is a group then";
    PING: UrlPath = "ping" ["LSWSGI_PING"] None, UrlPath, "",
        "A URL path that is answered with 200 without the application";
}
"suEXEC": {
    SECRET: Path = "secret" ["LSAPI_SECRET"] None, Path("FILE"), "none",
        "The file of the secret shared with the server: a daemon of root's, whose processes run as whom the server names. At \
         least 16 bytes, root's, mode 0600";
    DEFAULT_UID: Id = "default-uid" ["LSAPI_DEFAULT_UID"] None, Id { none: "nobody" }, "",
        "The user a request runs as that is not signed with the secret, or asks for root";
    DEFAULT_GID: Id = "default-gid" ["LSAPI_DEFAULT_GID"] None, Id { none: "the group of --default-uid" }, "",
        "The group of such a request";
}
"Log": {
    ACCESS_LOG: Path = "access-log" ["LSWSGI_ACCESS_LOG"] None, Path("FILE|-"), "none",
        "A line for each request, in a file or on standard error (-)";
    ACCESS_FORMAT: Choice<AccessFormat> = "access-format" ["LSWSGI_ACCESS_FORMAT"] AccessFormat::Combined,
        Choice::of("common|combined|json"), "",
        "What that line looks like; all three with the pid of the worker and microseconds";
    LOG_LEVEL: Choice<Level> = "log-level" ["LSWSGI_LOG_LEVEL"] Level::Info, Choice::of("error|warning|info|debug"), "",
        "Least important lines to log";
    LOG_FORMAT: Choice<Format> = "log-format" ["LSWSGI_LOG_FORMAT"] Format::Text, Choice::of("text|json"), "",
        "Lines of text, or a JSON object a line";
    STDERR_LOG: Path = "stderr-log" ["LSAPI_STDERR_LOG"] None, Path("FILE"), "",
        "A file for all that goes to standard error, and for what --errors names; not under /etc, and not for root";
    ERRORS: Choice<ErrorLog> = "errors" ["LSWSGI_ERRORS"] ErrorLog::Stderr, Choice::of("stderr|lsapi"), "",
        "Where wsgi.errors and tracebacks go; lsapi: over the connection into the server's own log";
    SLOW_REQUESTS: Milliseconds = "slow-requests" ["LSAPI_SLOW_REQ_MSECS"] None, Milliseconds, "",
        "Log requests that take longer: method, URL and time; 0: off";
    DUMP_DEBUG_INFO: Flag = "dump-debug-info" ["LSAPI_DUMP_DEBUG_INFO"] false, NUMBER, "",
        "Log more about a process before it is killed";
    ALLOW_CORE_DUMP: Flag = "allow-core-dump" ["LSAPI_ALLOW_CORE_DUMP"] false, SET, "",
        "Allow core files, up to the hard limit";
}
}

/// A flag whose variable only has to be there.
const SET: Flag = Flag { by_presence: true };

/// A flag whose variable is 0 or 1.
const NUMBER: Flag = Flag { by_presence: false };

/// A limit of which less than none is a mistake.
const NEVER: Limit = Limit { negative: false };

const PACKET: Count = Count { range: 1024..=64 << 20, unit: "bytes", clamps: false };

const fn count(least: u64, most: u64) -> Count {
    Count { range: least..=most, unit: "", clamps: false }
}

/// As many of something as there are workers (lsapi 2.3: 10 000 and more are 10 000).
const fn children(least: u64) -> Count {
    Count { range: least..=10_000, unit: "", clamps: true }
}

const fn upto(most: u64) -> Count {
    count(0, most)
}
