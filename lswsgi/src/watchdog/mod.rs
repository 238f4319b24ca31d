//! The watchdog: a thread of a worker that needs no interpreter, and acts where the application does not come to an end, or
//! is not the newest any more.
//!
//! * `dog`: the thread, and what it does when; it ends requests that run for too long, or beyond a graceful stop, and without
//!   a group the process, when there is new code;
//! * `alarm`: how signal handlers tell it something;
//! * `report`: what is logged: stacks, threads of the process, open descriptors.
//!
//! Who may write the end of a response is decided in [`worker::answer`](crate::worker); stacks are collected by
//! [`python`](crate::python).

mod alarm;
mod dog;
mod report;

pub(crate) use alarm::{hung_up, look_at_logs, stop_asked, want_stacks};
pub(crate) use dog::{Successor, start};
