//! The control socket of a group: who is let in, what is asked and answered. `lswsgi ctl` is the other end
//! ([`ctl`](crate::ctl)); what is done about a request is the manager's.
//!
//! A connection carries one request and one answer, each a line of JSON:
//!
//! ```text
//! {"command": "status"}                   {"ok": {"lswsgi": "0.1.0", "state": "serving", ...}}
//! {"command": "reload", "wait": true}     {"ok": {"seconds": 0.31}}
//! {"command": "stop"}                     {"ok": {"workers": 3}}      the connection ends with the group
//! {"command": "dump-stacks"}              {"ok": {"workers": 3, "log": "/var/log/app.log"}}
//! {"command": "reopen"}                   {"ok": {"log": "/var/log/app.log"}}
//! anything else                           {"error": {"kind": "request", "message": "unknown variant ..."}}
//! ```
//!
//! With `"wait": true`, which is the default, a reload is answered when it is known what has become of it.
//!
//! * `place`: where the socket is;
//! * `socket`: the socket and its file;
//! * `client`: one connection;
//! * `server`: all of them, without ever waiting for one;
//! * `request`: what is asked, and what is answered; `status`: what the group tells of itself, and `latency`: how long its
//!   requests took.

mod client;
mod latency;
mod place;
pub(crate) mod request;
mod server;
mod socket;
mod status;

pub(crate) use client::Then;
#[cfg(test)]
pub(crate) use latency::Bucket;
pub(crate) use latency::Latency;
pub(crate) use place::{LONGEST, NAME};
pub(crate) use server::{Control, Id};
pub(crate) use status::{
    Connections, Limits, Process, Reload, Reloads, Saturation, State, Status, Work, Worker,
};
