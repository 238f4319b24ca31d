//! A mock LiteSpeed server: it starts LSAPI applications the way the real server does, sends them requests, typed, raw
//! or broken, and writes down what comes back.
//!
//! * [`AppCommand`] says what to start. [`AppProcess`] starts it as a child of this process; a [`Spawner`] starts it
//!   under a parent process of its own, which can be killed, and ends whatever is left of it.
//! * [`socketpair`] and [`Listener`] make its descriptor 0.
//! * [`HttpRequest`] turns an HTTP request into the packet the real server makes of it.
//! * [`SuexecSecret`] signs it for an application that runs it as another user.
//! * [`Connection`] sends and receives, and tells apart every way it can end.
//! * [`Response`] is what came back, with the [`Violation`]s of the protocol in it.
//! * [`Transcript`] is everything that passed, with times, for people and for programs.
//! * [`fault::Faults`] puts latency, cuts and the like between the two.
//! * [`MockServer`] is the whole server: HTTP in front, applications behind, as [`config`] describes them.
//!
//! ```no_run
//! use std::time::Duration;
//! use mock_lsws::{AppCommand, Connection, HttpRequest, Spawner, Transcript, socketpair, within};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let spawner = Spawner::start("target/debug/mock-lsws".as_ref(), ["spawner"]).await?;
//! let (app_end, our_end) = socketpair()?;
//! let command = AppCommand::new("/usr/local/bin/lswsgi").args(["-m", "/srv/app.wsgi"]);
//! let app = spawner.spawn(&command, app_end).await?;
//!
//! let transcript = Transcript::new();
//! let mut connection = Connection::from_socket(our_end, &transcript)?;
//! let request = HttpRequest::new("GET", "/hello?x=1").header("Host", "example.com");
//! connection.send_request(&request.to_raw(), request.body_bytes()).await?;
//! let response = connection.read_response(within(Duration::from_secs(5))).await;
//!
//! assert!(response.is_complete() && response.violations().is_empty(), "{transcript}");
//! connection.close();
//! assert!(app.wait().await?.success());
//! assert!(spawner.shutdown().await?.is_empty(), "no process is left");
//! # Ok(()) }
//! ```
//!
//! A program that uses [`Spawner`] offers the spawner process as a hidden subcommand, see [`spawner`].

#![deny(unsafe_code)]

mod address;
mod app;
mod app_process;
pub mod config;
mod connection;
mod environment;
mod exit;
pub mod exit_code;
pub mod fault;
mod file_error;
mod gateway;
mod hand_over;
mod hexdump;
mod http;
mod journal;
mod launch;
mod packet;
mod process_table;
mod reply;
mod request;
mod response;
mod route;
pub mod scenario;
mod server;
pub mod signal;
pub mod spawner;
mod suexec;
#[expect(unsafe_code, reason = "what happens between fork and exec has no safe form; see the module")]
mod sys;
mod transcript;
mod violation;

pub use address::{Address, AddressError};
pub use app::{AppCommand, AppLog, CommandError, DEFAULT_UMASK, User};
pub use app_process::{AppProcess, StartError};
pub use connection::{
    ConnectError, Connection, DEFAULT_PAUSE, Incoming, Pace, ResponseStream, SendError, within,
};
pub use environment::PROCESS_COUNT_VARIABLES;
pub use exit::Exit;
pub use file_error::FileError;
pub use gateway::{ExchangeRecord, GatewayError, Launcher, Timing};
pub use hand_over::{DEFAULT_BACKLOG, ListenError, Listener, socketpair};
pub use hexdump::Hexdump;
pub use http::{AccessLog, RequestRecord};
pub use journal::{Level, Note, ServerLog};
pub use launch::{LaunchError, Step};
pub use packet::Packet;
pub use process_table::{ProcessInfo, descendants};
pub use request::{Addresses, HttpRequest, Mapping};
pub use response::{Ack, ConnClose, End, Header, MAX_BODY, Response};
/// The types of signals and resource limits.
pub use rustix::process::{Resource, Signal};
pub use server::{MockServer, MockServerBuilder, ServeError};
pub use spawner::{SpawnedApp, Spawner, SpawnerError};
pub use suexec::{SecretError, SuexecSecret};
pub use transcript::{Bytes, Detail, Direction, Entry, EntryRecord, Event, SentKind, ShowEntry, Transcript};
pub use violation::{Severity, Violation};
