//! The template: the process that has Python and, unless each worker is to import it for itself, the application; and that
//! forks workers when told to.
//!
//! Serves nothing and decides nothing: it says how it got on, and follows the manager's orders. It ends with the manager, or
//! when the manager ends it, and never runs the application's exit handlers: they are for the workers.

use rustix::process::Pid;

use crate::board::Board;
use crate::exit_code;
use crate::group::channel::Channel;
use crate::settings::{Load, Settings};
use crate::sys;

/// Runs the template, or one of the workers it forks, in a process the manager has just forked, and ends the process.
///
/// `load` is what the settings say or, after the report that threads run, [`Load::Lazy`]. `channel` leads to the manager,
/// whose pid is `manager`. Closes every descriptor but that channel and 0, 1 and 2, and unblocks all signals.
pub(super) fn run(settings: &Settings, load: Load, channel: Channel, board: Board, manager: Pid) -> ! {
    let _ = (settings, load, channel, board, manager);
    sys::leave_now(exit_code::SYSTEM)
}
