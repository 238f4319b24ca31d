//! `mock-lsws serve` as it is typed.

use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args};

use super::super::values::seconds;
use super::app_args::AppArgs;

const EXAMPLES: &str = "\
Examples:
  A Python application at every URL, with the files of ./public beside it:
    mock-lsws serve -- lswsgi -m app.wsgi

  The same on any free port, as a group of eight processes with eight connections:
    mock-lsws serve --http 127.0.0.1:0 --max-conns 8 --env LSAPI_CHILDREN=8 -- lswsgi -m app.wsgi

  Any LSAPI application below /api/; without LSAPI_CHILDREN each connection has a process:
    mock-lsws serve --lsapi-context /api/ -- ./my-app

  Python scripts between static files, by their suffix:
    mock-lsws serve --doc-root ./html --script-handler 'wsgi, py' -- lswsgi

  Scripts of many users, each run as its owner, two requests of each at a time (as root):
    mock-lsws serve --doc-root ./html --script-handler wsgi --suexec account \\
        --suexec-max-conns 2 -- lswsgi

  What an Apache configuration says for mod_wsgi:
    mock-lsws serve --apache-conf site.conf -- lswsgi

  Several applications, realms, limits: all of it in a file, whose keys are the real server's:
    mock-lsws serve --config server.toml

  What passes between server and application, in words (twice: and in hex):
    mock-lsws serve --transcript -- lswsgi -m app.wsgi

When it is ready, one line on standard output says where. The server's log, and what the
application writes to its standard error, go to standard error. Ctrl-C stops it: requests under
way get ten seconds, a second Ctrl-C does not wait. SIGUSR1 restarts it gracefully: the files
are read again, new requests go to applications that are started anew, those under way are
finished where they are, and detached applications stay.

COMMAND is a WSGI application context at / unless a mapping is given. It is looked up on PATH and
started in the current directory. Its environment is the one a server makes: --env, then your own
LSAPI_* variables, and nothing else of yours.

Exit codes:
  0    stopped by a signal
  2    the command line is wrong
  3    the application could not be started or set up
  4    the address cannot be listened on
  8    a file could not be read or written
  10   a configuration file is wrong; its lines are named
  130  a second Ctrl-C, or a signal before it was ready";

/// Headings of the help.
const HTTP: &str = "HTTP";
const MAPPING: &str = "What leads to COMMAND (nothing: every URL)";
const SHOW: &str = "What is shown";
const LIFE: &str = "Start and stop";

#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(
    override_usage = "mock-lsws serve [OPTIONS] -- COMMAND...\n       mock-lsws serve [OPTIONS] --config FILE [-- COMMAND...]\n       mock-lsws serve [OPTIONS] --connect ADDR"
)]
#[command(group = ArgGroup::new("source").args(["command", "connect", "config"]).multiple(true).required(true))]
#[command(group = ArgGroup::new("app").args(["command", "connect"]))]
pub(crate) struct ServeArgs {
    /// The application and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,

    /// A configuration file in TOML; the README has its keys. COMMAND and its mappings are added to it.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Take WSGIScriptAlias and the other directives of mod_wsgi from an Apache configuration, and say what of it is
    /// ignored.
    #[arg(long, value_name = "FILE")]
    pub(super) apache_conf: Option<PathBuf>,

    /// Where clients connect. Port 0 is any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = http, help_heading = HTTP)]
    pub(super) http: SocketAddr,

    /// Tell applications HTTPS=on, as behind a TLS listener.
    #[arg(long, help_heading = HTTP)]
    pub(super) https: bool,

    /// Add bytes behind the NUL of a PATH_INFO that decoding made shorter, as the real server does.
    #[arg(long, help_heading = HTTP)]
    pub(super) path_info_overread: bool,

    /// How long a client may make no progress. 300 unless configured.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = HTTP)]
    pub(super) conn_timeout: Option<Duration>,

    /// How long an idle client connection is kept. 5 unless configured.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = HTTP)]
    pub(super) keep_alive_timeout: Option<Duration>,

    /// A WSGI application context here instead of at /; files below --public come first.
    #[arg(long, value_name = "/URI/", conflicts_with_all = GENERIC, help_heading = MAPPING)]
    pub(super) wsgi_context: Option<String>,

    /// The static files of the WSGI application context. ./public if nothing is said.
    #[arg(long, value_name = "DIR", conflicts_with_all = GENERIC, help_heading = MAPPING, requires = "app")]
    pub(super) public: Option<PathBuf>,

    /// An LSAPI context: these URLs go to COMMAND.
    #[arg(long, value_name = "/URI/", help_heading = MAPPING, requires = "app")]
    pub(super) lsapi_context: Vec<String>,

    /// Files in --doc-root with these suffixes are scripts, 'wsgi, py' for example; wsgi has to be the first.
    #[arg(long, value_name = "SUFFIXES", help_heading = MAPPING, requires_all = ["app", "doc_root"])]
    pub(super) script_handler: Option<String>,

    /// The script at and below a URL (WSGIScriptAlias).
    #[arg(long, value_name = "/URL=FILE", value_parser = script_alias, help_heading = MAPPING, requires = "app")]
    pub(super) script_alias: Vec<(String, PathBuf)>,

    /// The document root: static files, and scripts of the script handler.
    #[arg(long, value_name = "DIR", help_heading = MAPPING)]
    pub(super) doc_root: Option<PathBuf>,

    #[command(flatten)]
    pub(super) app: AppArgs,

    /// Leave detached applications (--run-on-start-up 3) running when the server stops, as the real one does. Their sockets
    /// are in this folder, and the next server that is told it finds them there.
    #[arg(long, value_name = "DIR", help_heading = LIFE)]
    pub(super) keep_detached: Option<PathBuf>,

    /// How long applications may take to end when the server stops. The real one gives them 0.1 s.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds, help_heading = LIFE)]
    pub(super) stop_timeout: Duration,

    /// What applications write to their standard error goes to this file. [default: to that of the server; nowhere if they
    /// are kept]
    #[arg(long, value_name = "FILE", help_heading = LIFE)]
    pub(super) stderr_log: Option<PathBuf>,

    /// No application becomes another user, even if it runs as root.
    #[arg(long, help_heading = LIFE)]
    pub(super) no_ext_app_setuid: bool,

    /// One line for each request: the combined format, then microseconds and how often the request was sent. - is
    /// standard output.
    #[arg(long, value_name = "FILE", help_heading = SHOW)]
    pub(super) access_log: Option<PathBuf>,

    /// Print what passed between server and applications when a request is over, to standard error. Twice: also in hex.
    #[arg(long, action = ArgAction::Count, help_heading = SHOW)]
    pub(super) transcript: u8,

    /// Print the lines of level INFO of the server's log too.
    #[arg(short, long, help_heading = SHOW)]
    pub(super) verbose: bool,
}

/// Mappings that make COMMAND a generic application.
const GENERIC: [&str; 4] = ["lsapi_context", "script_handler", "script_alias", "apache_conf"];

fn http(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let wanted = || format!("write it as 127.0.0.1:8080, [::1]:8080 or localhost:8080, not '{text}'");
    let mut found = text.to_socket_addrs().map_err(|_| wanted())?;
    found.next().ok_or_else(wanted)
}

fn script_alias(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((url, file)) if url.starts_with('/') && !file.is_empty() => Ok((url.to_owned(), file.into())),
        _ => Err("an alias is written /URL=FILE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_listeners_have_a_port_and_may_have_a_name() {
        assert_eq!(http("127.0.0.1:0"), Ok(([127, 0, 0, 1], 0).into()));
        assert_eq!(http("[::1]:80").map(|address| address.port()), Ok(80));
        assert!(http("localhost:81").is_ok_and(|address| address.ip().is_loopback()));
        for wrong in ["", "80", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999"] {
            assert!(http(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_alias_has_a_url_and_a_file() {
        assert_eq!(script_alias("/a=b=c"), Ok(("/a".into(), "b=c".into())));
        for wrong in ["/a", "a=b", "/a="] {
            assert!(script_alias(wrong).is_err(), "{wrong}");
        }
    }
}
