//! What needs `unsafe` and is not Python: signal handlers, forks, memory shared between processes, descriptors known by
//! number, and the environment before any thread exists.
//!
//! * `handlers`: what signals do;
//! * `mask`: signals that have to wait, and those that are for other threads;
//! * `copy`: a copy of the process for what could go wrong;
//! * `forks`: children an application forks, and what they must not have;
//! * `process`: children of our own;
//! * `shared`: memory manager, template and workers have in common;
//! * `descriptors`: sockets and files of which only the number is known;
//! * `environment`: variables of this process;
//! * `title`: what `ps` shows of it.

mod copy;
mod descriptors;
mod environment;
mod forks;
mod handlers;
mod mask;
mod process;
mod shared;
pub(crate) mod title;

use std::ffi::c_int;
use std::io;

pub(crate) use copy::raise_in_copy;
pub(crate) use descriptors::{borrow_descriptor, close_all_but, read_at, regular_file_size};
pub(crate) use environment::remove_variables;
pub(crate) use forks::{Own, belongs_to_group, is_forked, keep_from_children, watch_forks};
pub(crate) use handlers::{
    ask_for_parent_death_signal, handle_signals_as_template, handle_signals_as_worker, install_handler_stack,
    install_signal_handlers, is_own_signal, stacks_signal,
};
pub(crate) use mask::{Blocked, block_order_signal, leave_signals_to_others, unblock_signals};
pub use process::leave_now;
pub(crate) use process::{Fork, expect_children, flush_c_streams, fork, tell_worker};
pub(crate) use shared::map;

fn check(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
