//! The settings of COMMAND as an external application, as they are typed.

use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedI64ValueParser;
use clap::{Args, value_parser};
use mock_lsws::Address;
use mock_lsws::config::{
    BACKLOG, DEFAULT_ACCOUNT_CONNS, ExternalApp, INSTANCES, MAX_CONNS, PRIORITY, RunOnStartUp, Suexec, UMASK,
    find_account, parse_size,
};

use mock_lsws::fault::{DirectedFault, Faults};

use super::super::values::{key_value, seconds};
use super::error::ServeError;

/// Heading of the help.
const APP: &str = "COMMAND as an external application, with the real server's names";

/// The settings of COMMAND. What is not given has the real server's default for the kind of mapping.
#[derive(Clone, Debug, Args)]
pub(crate) struct AppArgs {
    /// Add a variable to its environment. Order is kept, and your own LSAPI_* variables follow.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, requires = "command", conflicts_with = "connect", help_heading = APP)]
    pub(super) env: Vec<(OsString, OsString)>,

    /// Start it in the directory of the binary, as the real server does. COMMAND has to be an absolute path then.
    #[arg(long, requires = "command", conflicts_with = "connect", help_heading = APP)]
    pub(super) real_cwd: bool,

    /// Do not start an application, connect to one that runs: /path, uds://path, host:port or [v6]:port.
    #[arg(long, value_name = "ADDR", help_heading = APP)]
    pub(super) connect: Option<Address>,

    /// Where COMMAND listens, if it does not matter that others may connect too. [default: a folder of the server's]
    #[arg(long, value_name = "ADDR", requires = "command", conflicts_with = "connect", help_heading = APP)]
    address: Option<Address>,

    /// Simultaneous connections, and so requests; more wait in a queue. No more than LSAPI_CHILDREN. [default: 5]
    #[arg(long, value_name = "N", value_parser = number(&MAX_CONNS), requires = "app", help_heading = APP)]
    max_conns: Option<u32>,

    /// Processes that share the listening socket. [default: 1]
    #[arg(long, value_name = "N", value_parser = number(&INSTANCES), requires = "command", conflicts_with = "connect", help_heading = APP)]
    instances: Option<u32>,

    /// Time until the first request of a connection has to be acknowledged. [default: 60; 3 without a WSGI context]
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "app", help_heading = APP)]
    init_timeout: Option<Duration>,

    /// Time of 503 after all connections have failed. [default: 0; 10 without a WSGI context]
    #[arg(long, value_name = "SECONDS", value_parser = seconds_or_none, requires = "app", help_heading = APP)]
    retry_timeout: Option<Duration>,

    /// Time an idle connection is kept; -1: without end. [default: 60; -1 without a WSGI context]
    #[arg(long, value_name = "SECONDS", value_parser = limit, allow_negative_numbers = true, requires = "app", help_heading = APP)]
    pc_keep_alive_timeout: Option<Limit>,

    /// Connections that may wait to be accepted. [default: 50; 100 without a WSGI context]
    #[arg(long, value_name = "N", value_parser = signed(&BACKLOG), requires = "command", conflicts_with = "connect", help_heading = APP)]
    backlog: Option<i32>,

    /// 0: started by the first request. 1, 2: with the server. 3: with it, and detached: told that it outlives the server,
    /// and kept by a graceful restart. [default: 3]
    #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(0..=3), requires = "command", conflicts_with = "connect", help_heading = APP)]
    run_on_start_up: Option<u8>,

    /// Time without a request after which COMMAND is stopped, or told to stop itself if it is detached
    /// (LSAPI_PGRP_MAX_IDLE); -1: never. [default: 300; -1 without a WSGI context]
    #[arg(long, value_name = "SECONDS", value_parser = limit, allow_negative_numbers = true, requires = "command", conflicts_with = "connect", help_heading = APP)]
    ext_max_idle_time: Option<Limit>,

    /// What happens to the bytes on each connection to it; may be given several times. DIRECTION is app or server, where they go to:
    /// app:latency=20ms~5ms, server:bandwidth=64K, app:slice=1, server:cut=100, reset, half-close, never-read (after so many
    /// bytes), app:corrupt=12, server:duplicate=2 (a packet; * for all).
    #[arg(long, value_name = "DIRECTION:FAULT", requires = "app", help_heading = APP)]
    fault: Vec<DirectedFault>,

    /// A file that has COMMAND started anew when it is touched. [default: none; tmp/restart.txt of a WSGI context]
    #[arg(long, value_name = "FILE", requires = "command", conflicts_with = "connect", help_heading = APP)]
    pub(super) restart_marker: Option<PathBuf>,

    /// Its nice value, never below the server's. [default: 3; the server's and 1 without a WSGI context]
    #[arg(long, value_name = "N", value_parser = signed(&PRIORITY), allow_negative_numbers = true, requires = "command", conflicts_with = "connect", help_heading = APP)]
    priority: Option<i32>,

    /// Its umask, octal. [default: 022]
    #[arg(long, value_name = "OCTAL", value_parser = octal, requires = "command", conflicts_with = "connect", help_heading = APP)]
    umask: Option<u32>,

    /// Its limit of memory (RLIMIT_AS), 500M for example.
    #[arg(long, value_name = "BYTES", value_parser = size, requires = "command", conflicts_with = "connect", help_heading = APP)]
    mem_soft_limit: Option<u64>,

    /// The hard one. [default: the soft one]
    #[arg(long, value_name = "BYTES", value_parser = size, requires = "command", conflicts_with = "connect", help_heading = APP)]
    mem_hard_limit: Option<u64>,

    /// Its limit of processes (RLIMIT_NPROC), which counts all of the user's.
    #[arg(long, value_name = "N", requires = "command", conflicts_with = "connect", help_heading = APP)]
    proc_soft_limit: Option<u64>,

    /// The hard one. [default: the soft one]
    #[arg(long, value_name = "N", requires = "command", conflicts_with = "connect", help_heading = APP)]
    proc_hard_limit: Option<u64>,

    /// Have COMMAND run as the owner of what it serves: of the script, of the startup file, of --doc-root. account: one for
    /// each; daemon: one of root's that is told for whom each connection is. Takes root. [default: off]
    #[arg(long, value_name = "account|daemon", value_parser = ["account", "daemon"], requires = "command", conflicts_with = "connect", help_heading = APP)]
    suexec: Option<String>,

    /// Connections, and so processes, of an account; no more than --max-conns. [default: 5]
    #[arg(long, value_name = "N", value_parser = number(&MAX_CONNS), requires = "suexec", help_heading = APP)]
    suexec_max_conns: Option<u32>,

    /// The file of the daemon's secret, whose first 16 bytes count. Nobody but its owner may read or write it.
    #[arg(long, value_name = "FILE", requires = "suexec", help_heading = APP)]
    pub(super) suexec_secret: Option<PathBuf>,

    /// The user it runs as, by name or number; takes root. [default: the server's]
    #[arg(long, value_name = "USER", requires = "command", conflicts_with = "connect", help_heading = APP)]
    ext_user: Option<String>,

    /// The group. [default: the user's]
    #[arg(long, value_name = "GROUP", requires = "ext_user", help_heading = APP)]
    ext_group: Option<String>,
}

/// A time, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit(Option<Duration>);

impl AppArgs {
    /// Sets what is typed, and leaves what is not.
    pub(super) fn set(self, app: &mut ExternalApp) -> Result<(), ServeError> {
        app.auto_start = self.connect.is_none();
        app.address = self.connect.or(self.address);
        if self.real_cwd {
            app.directory = None;
        }
        set(&mut app.max_conns, self.max_conns);
        set(&mut app.instances, self.instances);
        set(&mut app.init_timeout, self.init_timeout);
        set(&mut app.retry_timeout, self.retry_timeout);
        set(&mut app.pc_keep_alive_timeout, self.pc_keep_alive_timeout.map(|limit| limit.0));
        set(&mut app.backlog, self.backlog);
        let start_up = self.run_on_start_up.and_then(|number| RunOnStartUp::ALL.get(usize::from(number)));
        set(&mut app.run_on_start_up, start_up.copied());
        set(&mut app.ext_max_idle_time, self.ext_max_idle_time.map(|limit| limit.0));
        app.priority = self.priority.or(app.priority);
        set(&mut app.umask, self.umask);
        let faults = Faults::of(self.fault).map_err(|error| ServeError::Usage(error.to_string()))?;
        if !faults.is_empty() {
            app.faults = faults;
        }
        let max_conns = self.suexec_max_conns.unwrap_or(DEFAULT_ACCOUNT_CONNS);
        app.suexec = match (self.suexec.as_deref(), self.suexec_secret) {
            (Some("daemon"), Some(secret)) => Suexec::Daemon { max_conns, secret },
            (Some("daemon"), None) => {
                let message = "a daemon shares a secret with the server: name its file with --suexec-secret";
                return Err(ServeError::Usage(message.to_owned()));
            }
            (_, Some(_)) => {
                let message = "--suexec-secret is a daemon's: --suexec daemon";
                return Err(ServeError::Usage(message.to_owned()));
            }
            (Some(_), None) => Suexec::PerAccount { max_conns },
            (None, None) => Suexec::Off,
        };
        app.memory = pair(self.mem_soft_limit, self.mem_hard_limit);
        app.processes = pair(self.proc_soft_limit, self.proc_hard_limit);
        if let Some(user) = self.ext_user {
            let user = find_account(&user, self.ext_group.as_deref());
            app.user = Some(user.map_err(|error| ServeError::Usage(error.to_string()))?);
        }
        Ok(())
    }
}

fn set<T>(setting: &mut T, typed: Option<T>) {
    if let Some(typed) = typed {
        *setting = typed;
    }
}

/// A limit alone stands for both.
fn pair(soft: Option<u64>, hard: Option<u64>) -> Option<(u64, u64)> {
    soft.or(hard).map(|low| (low, hard.unwrap_or(low)))
}

fn number(range: &RangeInclusive<u32>) -> RangedI64ValueParser<u32> {
    value_parser!(u32).range(i64::from(*range.start())..=i64::from(*range.end()))
}

fn signed(range: &RangeInclusive<i32>) -> RangedI64ValueParser<i32> {
    value_parser!(i32).range(i64::from(*range.start())..=i64::from(*range.end()))
}

/// A time, or 0 for none.
fn seconds_or_none(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { seconds(text) }
}

fn limit(text: &str) -> Result<Limit, String> {
    if text == "-1" { Ok(Limit(None)) } else { seconds(text).map(|time| Limit(Some(time))) }
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "a number of bytes is wanted, 64K, 20M or 2G for example".to_owned())
}

fn octal(text: &str) -> Result<u32, String> {
    let wanted = "an octal number from 0 to 777 is wanted, 022 for example";
    u32::from_str_radix(text, 8).ok().filter(|mask| UMASK.contains(mask)).ok_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umasks_are_octal() {
        assert_eq!(octal("022"), Ok(0o22));
        for wrong in ["", "8", "1000", "-1", "x"] {
            assert!(octal(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_may_have_no_limit_or_be_none() {
        assert_eq!(limit("-1"), Ok(Limit(None)));
        assert_eq!(limit("2"), Ok(Limit(Some(Duration::from_secs(2)))));
        assert_eq!(seconds_or_none("0"), Ok(Duration::ZERO));
        assert!(limit("-2").is_err() && seconds_or_none("-1").is_err());
    }
}
