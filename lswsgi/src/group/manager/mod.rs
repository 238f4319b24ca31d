//! The manager: one thread that waits for signals, messages and connections, asks the policy, and acts.
//!
//! It never runs Python, so the application can neither hang nor crash it.
//!
//! * `run`: what it knows, and its loop;
//! * `messages`: what template and workers say;
//! * `placing`: getting workers for connections;
//! * `upkeep`: workers that are not needed, those that are missing, and those that do not do as they should;
//! * `reaping`: processes that have ended;
//! * `reloading`: new code;
//! * `reopening`: log files after rotation;
//! * `control`: what is asked over the control socket; `status`: how the group is;
//! * `watching`: files that ask for it when they change;
//! * `stopping`: signals, and the end of the group.

mod control;
mod messages;
mod placing;
mod reaping;
mod reloading;
mod reopening;
mod run;
mod status;
mod stopping;
mod upkeep;
mod watching;

pub(crate) use run::run;
