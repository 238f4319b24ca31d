//! What was typed. [`Settings`](crate::settings::Settings) says what it means together with the environment.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::exit_code;
use crate::log::Level;
use crate::options::{ErrorLog, LateError, UnderscoreHeaders, UnknownLength};

/// The command line.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "lswsgi",
    version,
    disable_version_flag = true,
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true,
    about = "Runs a Python WSGI application behind LiteSpeed Web Server (LSAPI)",
    after_help = AFTER_HELP
)]
pub struct CommandLine {
    /// What to do other than serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// How to serve.
    #[command(flatten)]
    pub arguments: Arguments,

    /// Print the version
    #[arg(short = 'v', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
}

/// What to do other than serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Import the application as serving would, call nothing, and report
    #[command(after_help = CHECK_HELP)]
    Check {
        /// How it would be served.
        #[command(flatten)]
        arguments: Box<Arguments>,

        /// Report as JSON
        #[arg(long)]
        json: bool,
    },
}

/// How to serve.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The application: a file, and after a colon the callable in it [default: the script each request names]
    #[arg(short = 'm', long = "module", value_name = "FILE[:CALLABLE]")]
    pub application: Option<OsString>,

    /// The address to listen on instead of the socket on descriptor 0.
    #[arg(
        short = 'a',
        long,
        value_name = "ADDR",
        help = "Listen on this address instead of the socket on descriptor 0: /path, HOST:PORT, *:PORT or [V6]:PORT"
    )]
    pub address: Option<String>,

    /// A virtual environment to run in [default: LS_PYTHONBIN, VIRTUAL_ENV, PYTHONHOME, .venv or venv beside the application or in WSGI_ROOT]
    #[arg(long, value_name = "DIR")]
    pub venv: Option<PathBuf>,

    /// Seconds before an application that could not be imported is tried again although it has not changed
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub import_retry: Duration,

    /// Seconds a request packet may go without a further byte, once it has begun
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub header_timeout: Duration,

    /// Seconds a request body may go without a further byte
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    pub body_timeout: Duration,

    /// Seconds the application's threads and exit handlers may take when the process leaves
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    pub exit_timeout: Duration,

    /// Largest request packet accepted, in bytes: variables and headers, not the body
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = lsapi::limits::MAX_REQUEST_PACKET as u32,
        value_parser = clap::value_parser!(u32).range(1024..=64 * 1024 * 1024)
    )]
    pub max_request_packet: u32,

    /// Where wsgi.errors and tracebacks go: standard error, or over the connection into the server's own log [default:
    /// stderr]
    #[arg(long, value_name = "WHERE")]
    pub errors: Option<ErrorLog>,

    /// Request headers with an underscore in their name [default: drop]
    #[arg(long, value_name = "WHAT", long_help = UNDERSCORE_HELP)]
    pub underscore_headers: Option<UnderscoreHeaders>,

    /// Requests whose body has no known length: accept them, or answer 411 [default: accept]
    #[arg(long, value_name = "WHAT")]
    pub unknown_length: Option<UnknownLength>,

    /// How a response of no declared length ends when the application fails in the middle of it [default: end]
    #[arg(long, value_name = "HOW")]
    pub late_error: Option<LateError>,

    /// Show tracebacks in error pages: to everybody who sees the page
    #[arg(long)]
    pub debug: bool,

    /// Least important lines to log
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log_level: Level,
}

const CHECK_HELP: &str = "\
Exit codes:
  0 it can be served                 3 Python or the virtual environment cannot be used
  5 no such application file         6 no such callable
  7 the import failed                9 it can be served, and threads run after its import";

const UNDERSCORE_HELP: &str = "\
Request headers with an underscore in their name: in an environ X_Y and X-Y are both HTTP_X_Y, so a client could send the \
first past a proxy that checks only the second [default: drop]";

const AFTER_HELP: &str = "\
Environment (read at start, then removed; the application never sees it):
  LSAPI_MAX_REQS         requests before the process exits [10000]; PHP_LSAPI_MAX_REQUESTS wins
  LSAPI_MAX_IDLE         seconds without a request before the process exits [300]; 0: never
  LSAPI_PPID_NO_CHECK    if set, do not exit when the starting process dies
  LSAPI_ALLOW_CORE_DUMP  if set, allow core files
  LSAPI_STDERR_LOG       a file for all that goes to standard error, and for what --errors names; not for root
  WSGI_ROOT              the folder a relative -m FILE is in, and perhaps a virtual environment
  LS_PYTHONBIN           the Python to run as, in a virtual environment or not
  LSWSGI_ERRORS, LSWSGI_UNDERSCORE_HEADERS, LSWSGI_UNKNOWN_LENGTH, LSWSGI_LATE_ERROR
                         what the option of the same name is if it is not given
  LSWSGI_DEBUG           if set, as --debug

Exit codes:
  0 left of its own accord   2 usage, or no socket on descriptor 0   3 Python did not start
  4 cannot bind              5 no such application file              6 no such callable
  7 the import failed        8 the operating system refused

Examples:
  lswsgi -m /srv/app/wsgi.py                          as LiteSpeed starts it, a socket on descriptor 0
  lswsgi -m wsgi.py:app -a /tmp/app.sock              listening by itself, for a test
  lswsgi -m wsgi.py -a '*:9000'                       the same over TCP
  lswsgi check -m wsgi.py                             would it start, and in which Python?";

/// Parses the command line. Help and version are printed and end with [`exit_code::OK`], mistakes with
/// [`exit_code::USAGE`].
///
/// # Errors
/// The exit code to leave with when there is nothing to run.
pub fn parse() -> Result<CommandLine, ExitCode> {
    CommandLine::try_parse().map_err(|error| {
        // The message has nowhere else to go if its stream is closed.
        let _ = error.print();
        ExitCode::from(if error.use_stderr() { exit_code::USAGE } else { exit_code::OK })
    })
}

fn seconds(text: &str) -> Result<Duration, String> {
    let hint = || format!("'{text}' is not a number of seconds above 0, such as 10 or 0.5");
    let seconds: f64 = text.parse().map_err(|_| hint())?;
    if seconds <= 0.0 {
        return Err(hint());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| hint())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        CommandLine::command().debug_assert();
    }

    #[test]
    fn seconds_take_fractions_and_nothing_else() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "nan", "inf", "1s", "", "1e300"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
