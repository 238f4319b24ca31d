//! A process group: `LSAPI_CHILDREN` above 1.
//!
//! * *manager*: this program's first process. Owns the listening socket and all policy; never runs Python, so the application
//!   can neither hang nor crash it. Hands each connection to a worker, and reaps everybody;
//! * *template*: initialises Python, imports the application once, and forks workers when told to;
//! * *worker*: one connection at a time, as a worker without a group ([`worker`](crate::worker)).
//!
//! Here:
//! * `channel`: the socket between manager and one other process, whose end tells each that the other has died;
//! * `message`: what is said over it;
//! * `template`: the process that has Python, and forks workers;
//! * `member`: a worker's side of the group.

mod channel;
mod member;
mod message;
mod template;
