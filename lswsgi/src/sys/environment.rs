//! Variables of this process.

use std::ffi::OsString;

/// Removes variables from the environment of this process.
///
/// Call it before any other thread exists: the C library gives no other guarantee.
pub(crate) fn remove_variables(names: &[OsString]) {
    for name in names {
        // SAFETY: called at start, before Python and before any thread, so nobody reads the environment meanwhile.
        unsafe { std::env::remove_var(name) };
    }
}
