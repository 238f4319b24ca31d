//! A process group: `LSAPI_CHILDREN` above 1. `ARCHITECTURE.md` beside `src` has the whole of it, and the reasons.
//!
//! * *manager*: this program's first process. Owns the listening socket and all policy; never runs Python, so the application
//!   can neither hang nor crash it. Hands each connection to a worker, and reaps everybody;
//! * *template*: initialises Python, imports the application once, and forks workers when told to;
//! * *worker*: one connection at a time, as a worker without a group ([`worker`](crate::worker)).
//!
//! Here:
//! * `channel`: the socket between manager and one other process, whose end tells each that the other has died;
//! * `message`: what is said over it;
//! * `manager`: the first process: waits, asks the policy, acts;
//! * `policy`: what is to be done about the `workers`, the table of them; `overdue`: about those that do not do as they should;
//! * `door`: the listening socket, and the connections that wait;
//! * `source`: where workers come from: a template, or stand-ins while none is usable; `life`: the template there is;
//! * `forks`: the manager's own forks, and how it asks for one of the template;
//! * `descriptors`: how many the manager may have;
//! * `signals`: the manager's signals;
//! * `tally`: what is counted for whoever asks;
//! * `exits`: how a process ended, in the words of the log;
//! * `template`: the process that has Python, and forks workers;
//! * `member`: a worker's side of the group.

mod channel;
mod descriptors;
mod door;
mod exits;
mod forks;
mod life;
mod manager;
mod member;
mod message;
mod overdue;
mod policy;
mod signals;
mod source;
mod tally;
mod template;
mod workers;

pub(crate) use exits::{Exit, OutOfMemory};
pub(crate) use manager::run;
pub(crate) use signals::{Signals, sender};
pub(crate) use workers::Measure;
