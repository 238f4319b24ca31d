//! What can be asked of a group on the command line, and how the answers read.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use clap::{Args, Subcommand};

use super::connection::{Connection, PATIENCE, find};
use super::error::CtlError;
use super::{human, prometheus, table};
use crate::control::Status;
use crate::control::request::{Reloaded, Reopened, Request, Signalled, Stopping};
use crate::exit_code;

/// A question or an order for a running group.
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub struct Ctl {
    /// What to ask.
    #[command(subcommand)]
    pub action: Action,

    /// The control socket, or the application's folder [default: LSWSGI_CONTROL, else the current folder]
    #[arg(long, value_name = "PATH", global = true)]
    pub control: Option<PathBuf>,
}

/// What can be asked.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Show what the group and each of its workers do
    #[command(after_help = STATUS_HELP)]
    Status {
        /// As JSON: all there is; times in seconds, sizes in bytes
        #[arg(long, conflicts_with = "prometheus")]
        json: bool,
        /// As metrics in the text format of Prometheus
        #[arg(long)]
        prometheus: bool,
    },
    /// Import the application anew, and let new workers take over when that has worked
    Reload {
        /// How long to wait for the outcome
        #[command(flatten)]
        wait: Wait,
    },
    /// End the group after the requests under way
    Stop {
        /// How long to wait for the end
        #[command(flatten)]
        wait: Wait,
    },
    /// Have every worker write the Python stacks of its threads to the log
    DumpStacks,
    /// Open the log files anew, after they have been rotated
    Reopen,
}

/// How long to wait.
#[derive(Clone, Copy, Debug, Args)]
pub struct Wait {
    /// Do not wait to see what becomes of it
    #[arg(long)]
    pub no_wait: bool,

    /// How long to wait for that
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds, conflicts_with = "no_wait")]
    pub timeout: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero() && time.as_secs() < u64::from(u32::MAX))
        .ok_or_else(|| "not a number of seconds above 0, such as 10 or 0.5".to_owned())
}

const HELP: &str = "\
Exit codes:
  0 done                             2 usage
  8 the answer cannot be written    11 no such group: no socket, or nobody listens
 12 refused                         13 no answer, or no end, in time
 14 not reloaded: the new code cannot be used, the old code serves on

Examples:
  cd /srv/app && lswsgi ctl status               the group of the application in this folder
  lswsgi ctl status --control /srv/app           the same from anywhere
  lswsgi ctl reload --control /srv/app           after a deployment; fails if the new code does
  exec lswsgi ctl status                         from a shell whose user may start no more processes";

const STATUS_HELP: &str = "\
States of a worker:
  starting  it is forked, or imports      idle     it has no connection
  waiting   a connection, and no request  busy     it runs a request
  leaving   it was told to, and may run its last request
  exiting   its exit handlers run         stopped  somebody has sent it SIGSTOP
  'old' marks workers that have the code from before a reload.";

/// Asks, and prints the answer. Returns the exit code.
#[must_use]
pub fn run(ctl: &Ctl) -> u8 {
    match answer(ctl) {
        Ok(()) => exit_code::OK,
        // Whoever reads has seen enough, as `head` does.
        Err(CtlError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => exit_code::OK,
        Err(error) => {
            let style: Style = AnsiColor::Red.on_default().bold();
            // There is nobody left to tell if this fails.
            let _ = writeln!(
                anstream::stderr(),
                "lswsgi ctl: {style}error:{style:#} {}",
                human::clean(&error.to_string())
            );
            error.exit_code()
        }
    }
}

fn answer(ctl: &Ctl) -> Result<(), CtlError> {
    let path = find(ctl.control.as_deref(), std::env::var_os("LSWSGI_CONTROL"))?;
    let open = |patience| Connection::open(&path, patience);
    let strange = |error: serde_json::Error| CtlError::Strange(error.to_string());
    match ctl.action {
        Action::Status { json, prometheus } => {
            let status: Status = open(PATIENCE)?.ask(Request::Status)?;
            match (json, prometheus) {
                (true, _) => print(&(serde_json::to_string_pretty(&status).map_err(strange)? + "\n")),
                (_, true) => print(&prometheus::text(&status)),
                _ => print(&table::text(&status, table::width())),
            }
        }
        Action::Reload { wait } => {
            let patience = if wait.no_wait { PATIENCE } else { wait.timeout };
            let reloaded: Reloaded = open(patience)?.ask(Request::Reload { wait: !wait.no_wait })?;
            print(&match reloaded.seconds {
                Some(seconds) => format!("reloaded in {seconds:.2} s\n"),
                None => "reload asked for; lswsgi ctl status tells what becomes of it\n".to_owned(),
            })
        }
        Action::Stop { wait } => {
            let since = Instant::now();
            let mut connection = open(if wait.no_wait { PATIENCE } else { wait.timeout })?;
            let stopping: Stopping = connection.ask(Request::Stop)?;
            if wait.no_wait {
                return print(&format!("stopping {}\n", human::count(stopping.workers, "worker")));
            }
            connection.wait_end()?;
            print(&format!("stopped in {:.2} s\n", since.elapsed().as_secs_f64()))
        }
        Action::DumpStacks => {
            let told: Signalled = open(PATIENCE)?.ask(Request::DumpStacks)?;
            let log = told
                .log
                .map_or_else(|| "the standard error of the group".to_owned(), |path| human::clean(&path));
            print(&format!("stacks of {} go to {log}\n", human::count(told.workers, "worker")))
        }
        Action::Reopen => {
            let told: Reopened = open(PATIENCE)?.ask(Request::Reopen)?;
            print(&format!("log files are opened anew in {}\n", human::count(told.processes, "process")))
        }
    }
}

fn print(text: &str) -> Result<(), CtlError> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(CtlError::Output)
}
