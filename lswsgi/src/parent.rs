//! Has the process that started this one died?
//!
//! The verdict is `getppid()` against the value at start. The kernel's parent-death signal only wakes: it also fires when
//! nothing but the *thread* that forked has ended.

use std::sync::atomic::{AtomicI32, Ordering};

use rustix::process::{Pid, getppid};

/// The pid that must still be the parent; [`UNWATCHED`] while nobody looks.
static EXPECTED: AtomicI32 = AtomicI32::new(UNWATCHED);

const UNWATCHED: i32 = -1;

fn current() -> i32 {
    Pid::as_raw(getppid())
}

/// Starts watching the present parent.
pub(crate) fn watch() {
    EXPECTED.store(current(), Ordering::SeqCst);
}

/// Starts watching a parent that has to be `pid`, now or soon.
pub(crate) fn expect(pid: Pid) {
    EXPECTED.store(pid.as_raw_pid(), Ordering::SeqCst);
}

/// Whether somebody watches the parent.
pub(crate) fn is_watched() -> bool {
    EXPECTED.load(Ordering::SeqCst) != UNWATCHED
}

/// Whether the parent is watched and gone. Safe to call in a signal handler.
pub(crate) fn is_gone() -> bool {
    let expected = EXPECTED.load(Ordering::SeqCst);
    expected != UNWATCHED && expected != current()
}
