//! The command line as it is typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};
use mock_lsws::Address;
use mock_lsws::fault::DirectedFault;

use super::serve::ServeArgs;
use super::values::{ids, key_value, seconds};

/// A mock LiteSpeed server: starts LSAPI applications as the real server does, and talks to them.
#[derive(Debug, Parser)]
#[command(name = "mock-lsws", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send one request to an application and print its response, as curl would.
    Run(Box<RunArgs>),
    /// Serve HTTP with LSAPI applications behind it, as the real server does.
    Serve(Box<ServeArgs>),
    /// The process that starts applications. The program starts it itself.
    #[command(hide = true)]
    Spawner,
}

const EXAMPLES: &str = "\
Examples:
  Start an application for one request, and print the body of its response:
    mock-lsws run /hello?x=1 -- lswsgi -m app.wsgi

  Post a form, show every packet in words (-vv: and in hex), and the response head:
    mock-lsws run -v -i -d 'name=value' /form -- lswsgi -m app.wsgi

  The same application on a listening socket, as a group of processes:
    mock-lsws run --group --env LSAPI_CHILDREN=4 / -- lswsgi -m app.wsgi

  Talk to an application that is running already:
    mock-lsws run --connect /run/app.sock /

  Start it exactly as the server does, in the directory of the binary:
    mock-lsws run --real-cwd / -- /usr/local/lsws/fcgi-bin/lswsgi -m /srv/app/wsgi.py

  As root, have a suEXEC daemon run a script as another user:
    mock-lsws run --suexec 1000:1000 --secret /etc/lsws.secret --doc-root /srv/site /hello.wsgi -- lswsgi

  With a connection that is cut in the middle of the answer:
    mock-lsws run --fault server:cut=50 / -- lswsgi -m app.wsgi

The application gets the environment a server gives it: nothing is inherited, --env adds to it. Its standard error is
passed through; its standard output leads nowhere.

Exit codes:
  0    a response came, whole                 5    the application broke the protocol
  1    with --fail: its status is 400 or more 6    the connection ended before the response did
  2    the command line is wrong              7    the response was not complete in time
  3    the application could not be started   8    a file could not be read or written
  4    no connection                          130  Ctrl-C";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// Path and query of the request, or a whole http:// URL.
    #[arg(value_name = "URL-PATH")]
    pub(crate) target: String,

    /// The application and its arguments. Looked up on PATH, and started in the current directory.
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "connect")]
    pub(crate) command: Vec<OsString>,

    /// Hand over one connection, an end of a socketpair. The default, unless the environment asks for a group.
    #[arg(long, conflicts_with_all = ["group", "connect"])]
    pub(crate) worker: bool,

    /// Hand over a listening socket. The default if LSAPI_CHILDREN (or its PHP forms) is among the --env. Without it,
    /// LSAPI_CHILDREN=5 is added, as a server does from its connection limit.
    #[arg(long, conflicts_with = "connect")]
    pub(crate) group: bool,

    /// Connect to an application that is running: /path, unix:/path, uds://path, host:port or [v6]:port.
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["command", "env", "real_cwd"])]
    pub(crate) connect: Option<Address>,

    /// Add a variable to the environment of the application. Order is kept.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) env: Vec<(OsString, OsString)>,

    /// Start in the directory of the binary, as the real server does. COMMAND has to be an absolute path then.
    #[arg(long)]
    pub(crate) real_cwd: bool,

    /// The folder of a site: a script below it answers, and the path of the URL is its path there.
    #[arg(long, value_name = "DIR")]
    pub(crate) doc_root: Option<PathBuf>,

    /// Ask a suEXEC daemon to run the request as this user and group, signed with the secret of --secret. A COMMAND, which
    /// root has to start, gets LSAPI_SECRET and a listening socket.
    #[arg(long, value_name = "UID:GID", value_parser = ids, requires = "secret", conflicts_with = "worker")]
    pub(crate) suexec: Option<(u32, u32)>,

    /// The file of the secret: its first 16 bytes.
    #[arg(long, value_name = "FILE", requires = "suexec")]
    pub(crate) secret: Option<PathBuf>,

    /// What happens to the bytes on their way; may be given several times. DIRECTION is app or server, where they go to:
    /// app:latency=20ms~5ms, server:bandwidth=64K, app:slice=1, server:cut=100, reset, half-close, never-read (after so many
    /// bytes), app:corrupt=12, server:duplicate=2 (a packet; * for all).
    #[arg(long, value_name = "DIRECTION:FAULT")]
    pub(crate) fault: Vec<DirectedFault>,

    /// The method. GET otherwise, POST with a body.
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    pub(crate) method: Option<String>,

    /// Add a request header. 'Name:' without a value takes away one that would be sent by default.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,

    /// The request body; @FILE reads it from a file, @- from standard input.
    #[arg(short = 'd', long = "data", value_name = "BODY|@FILE")]
    pub(crate) data: Option<OsString>,

    /// Write to a file what would be printed. A body may have any length either way: it passes through as it comes.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Print status and headers before the body.
    #[arg(short = 'i', long)]
    pub(crate) include: bool,

    /// End with exit code 1 when the status is 400 or more.
    #[arg(short = 'f', long)]
    pub(crate) fail: bool,

    /// Print every packet decoded, to standard error. Twice: also in hex.
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// How long the response may take, in seconds, to its last byte.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
