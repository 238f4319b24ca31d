//! Log files after rotation: when the processes open them anew.
//!
//! A count says how often that has been asked for: on the board for a whole group, next to it for what a signal has asked of
//! one process. Whoever has not followed yet does so when it is woken, and before it writes a line at the latest, so that
//! nothing goes to the old file once the count has been raised.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{access_log, board, stderr_log};

/// How often this process has been asked by a signal.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// The count standard error follows. A process that is forked has what it inherits.
static FOLLOWED: AtomicU32 = AtomicU32::new(0);

/// Somebody is following: a line that comes meanwhile waits for that.
static FOLLOWING: Mutex<()> = Mutex::new(());

/// Asks for it, of this process. Async-signal-safe.
pub(crate) fn ask() {
    ASKED.fetch_add(1, Ordering::SeqCst);
}

/// How often it has been asked for.
pub(crate) fn asked() -> u32 {
    let group = board::place().map_or(0, |place| place.group.reopened.load(Ordering::SeqCst));
    group.wrapping_add(ASKED.load(Ordering::SeqCst))
}

/// Whether this process has yet to follow. Async-signal-safe.
pub(crate) fn is_due() -> bool {
    FOLLOWED.load(Ordering::SeqCst) != asked()
}

/// Opens the files anew if that has been asked for since the last time.
pub(crate) fn follow() {
    follow_to(asked());
}

/// The same for a process that has no place of its own on the board: to the group's count.
pub(crate) fn follow_to(count: u32) {
    if FOLLOWED.load(Ordering::SeqCst) == count {
        return;
    }
    let following = FOLLOWING.lock();
    if FOLLOWED.load(Ordering::SeqCst) != count {
        stderr_log::reopen();
        FOLLOWED.store(count, Ordering::SeqCst);
    }
    drop(following);
    access_log::follow();
}
