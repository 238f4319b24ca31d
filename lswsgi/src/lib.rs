//! lswsgi: a Python WSGI runtime that speaks LSAPI.
//!
//! LiteSpeed Web Server starts this program with a socket on fd 0 and sends requests over it; lswsgi runs a WSGI
//! application for them in an embedded CPython. The parts, in the order a request meets them:
//!
//! * [`cli`], [`settings`] and [`options`]: what was typed and configured, and what it means;
//! * [`log`](mod@log) and `stderr_log`: the runtime's own log, and a file instead of standard error;
//! * [`run`] and `start`: the life of a process, and what is found before Python starts;
//! * [`check`](mod@check): all of that without serving;
//! * [`endpoint`]: the socket on fd 0, or one bound by `--address`; `socket_file`: its file;
//! * `control`: the socket a group is operated by, and [`ctl`]: its other end;
//! * [`venv`]: which Python installation is used;
//! * `service`: serving what has been imported, or errors for what could not be;
//! * `unavailable` and `watch`: answering for an application that cannot be used, until that may have changed;
//! * `watchdog`: the thread that ends requests which do not end by themselves, and shows what threads are doing;
//! * `group`: manager, template and workers, if there is to be more than one;
//! * `watched_files` and `file_events`: files that ask for new code when they change, and how one gets to know;
//! * `suexec`: processes that run as whom the server names;
//! * `memory`: whether there is enough for another process, and `rss`: how much this one has;
//! * `board`: what a worker shows of itself to others, and `histogram`: how long its requests took;
//! * [`access_log`]: a line for each request;
//! * `log_file` and `rotation`: where log files may be, and when they are opened anew;
//! * [`worker`]: one connection at a time, blocking I/O; waiting, reading requests, writing responses, leaving;
//! * [`python`]: the embedded interpreter and everything an application can touch;
//! * `sys`: signal handlers and the few system calls that have no safe wrapper.
//!
//! The wire format is the `lsapi` crate's. The library exists so that tests and benches can reach the parts; its
//! API is not a promise.

#![deny(unsafe_code)]

pub mod access_log;
mod board;
pub mod check;
pub mod cli;
mod control;
pub mod ctl;

pub mod endpoint;
pub mod error;
pub mod exit_code;
mod file_events;
mod group;
mod histogram;
pub mod log;
mod log_file;
mod memory;
pub mod options;
pub mod parent;
pub mod python;
mod rotation;
mod rss;
pub mod run;
mod service;
pub mod settings;
mod socket_file;
mod start;
mod stderr_log;
mod suexec;
#[expect(
    unsafe_code,
    reason = "signal handlers and process attributes; one of the two places that may hold it"
)]
mod sys;
mod unavailable;
pub mod venv;
mod watch;
mod watchdog;
mod watched_files;
pub mod worker;

pub use sys::leave_now;
