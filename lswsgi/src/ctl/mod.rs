//! `lswsgi ctl`: asks the manager of a running group over its control socket, and tells people and programs what it says.
//!
//! Works where nothing else does: it starts no thread, no process and no Python, so that a shell at the limit of its user's
//! processes can still `exec` it. What is said over the socket is `control`'s.
//!
//! * `command`: what can be asked, and how the answers read;
//! * `connection`: finding the socket, one request and its answer;
//! * `table`: the status for people, and `human`: its numbers; `prometheus`: for machines;
//! * `error`: why there is no answer.

mod command;
mod connection;
mod error;
mod human;
mod prometheus;
mod table;

pub use command::{Action, Ctl, run};
