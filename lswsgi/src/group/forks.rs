//! Forking: the manager's own children, and what it says to the template to get a worker.

use std::io;
use std::os::fd::AsFd as _;

use rustix::process::Pid;

use crate::board::Board;
use crate::error::Error;
use crate::group::channel::Channel;
use crate::group::message::ToTemplate;
use crate::group::{member, template};
use crate::settings::{Load, Settings};
use crate::sys::{self, Fork, Own};
use crate::watch::Stamp;

/// Forks a template.
pub(super) fn template(
    settings: &Settings,
    load: Load,
    board: Board,
    manager: Pid,
) -> io::Result<(Pid, Channel)> {
    let (ours, theirs) = Channel::pair()?;
    match sys::fork()? {
        Fork::Parent(pid) => Ok((pid, ours)),
        Fork::Child => {
            forget_listener();
            template::run(settings, load, theirs, board, manager)
        }
    }
}

/// Forks a process that answers for `reason` as the worker of `slot`.
pub(super) fn stand_in(
    settings: &Settings,
    board: Board,
    manager: Pid,
    slot: usize,
    reason: &Error,
) -> io::Result<(Pid, Channel)> {
    let number = u32::try_from(slot).map_err(io::Error::other)?;
    let (ours, theirs) = Channel::pair()?;
    match sys::fork()? {
        Fork::Parent(pid) => Ok((pid, ours)),
        Fork::Child => {
            forget_listener();
            let file = settings.application.as_ref().and_then(|application| Stamp::of(&application.path));
            member::stand_in(settings, theirs, board, number, manager, reason, file)
        }
    }
}

/// Tells the template at the other end of `channel` to fork a worker for `slot`, perhaps to show that it is of use. Returns the channel to that worker.
pub(super) fn ask(channel: &Channel, slot: usize, is_trial: bool) -> io::Result<Channel> {
    let fork = ToTemplate::Fork { slot: u32::try_from(slot).map_err(io::Error::other)?, is_trial };
    let (ours, theirs) = Channel::pair()?;
    channel.send(&fork.encode(), Some(theirs.as_fd()))?;
    Ok(ours)
}

/// In a process that has just been forked: the number of the listening socket will stand for something else.
fn forget_listener() {
    sys::keep_from_children(Own::Listener, None);
}
