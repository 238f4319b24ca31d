//! What was typed. [`Settings`](crate::settings::Settings) says what it means together with the environment.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::ctl::Ctl;
use crate::exit_code;
use crate::settings::Given;

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

    /// Print every setting, its value and where it came from, and serve nothing
    #[arg(long)]
    pub print_config: bool,

    /// With --print-config: as JSON
    #[arg(long, requires = "print_config")]
    pub json: bool,

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

    /// Ask a running group how it is, or tell it to reload or stop
    Ctl(Ctl),
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
        help = "Listen on /path, HOST:PORT, *:PORT or [V6]:PORT instead of the socket on descriptor 0"
    )]
    pub address: Option<String>,

    /// What is configured otherwise.
    #[command(flatten)]
    pub given: Given,
}

const CHECK_HELP: &str = "\
Exit codes:
  0 it can be served                 3 Python or the virtual environment cannot be used
  5 no such application file         6 no such callable
  7 the import failed                9 it can be served, and threads run after its import";

const AFTER_HELP: &str = "\
Environment:
  The variables in brackets above stand for the option; if both are there, the option wins.
  WSGI_ROOT      the folder a relative -m FILE is in, and perhaps a virtual environment
  LS_PYTHONBIN   the Python to run as, in a virtual environment or not
  LSAPI_*, PHP_LSAPI_* and LSWSGI_* are removed at start; the application never sees them.

Exit codes:
  0 left of its own accord   2 usage, or no socket on descriptor 0   3 Python did not start
  4 cannot bind              5 no such application file              6 no such callable
  7 the import failed        8 the operating system refused         10 a request took too long
  15 suEXEC: unfit secret, default user or descriptor 0             130 interrupted twice
  `lswsgi check -h` and `lswsgi ctl -h` have theirs.

Examples:
  lswsgi -m /srv/app/wsgi.py                     as LiteSpeed starts it, a socket on descriptor 0
  lswsgi -m wsgi.py:app -a /tmp/app.sock         listening by itself, for a test
  lswsgi -m wsgi.py -a '*:9000' --children 8     a group of up to 8 workers, over TCP
  lswsgi check -m wsgi.py                        would it start, and in which Python?
  lswsgi ctl status                              what a running group does, and its workers
  lswsgi --print-config                          what is configured, and where";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        CommandLine::command().debug_assert();
    }
}
