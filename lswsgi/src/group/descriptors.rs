//! How many descriptors the manager may have: a channel for each worker, which may be more than processes usually get.
//!
//! Template and workers have what was there before: an application may use `select`, or count on running into the limit.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::log;

/// What the manager needs besides its workers' channels: the listening socket, signals, standard ones, some to spare.
const OTHERS: u64 = 32;

/// The limit this process was started with, once it has been changed.
static ORIGINAL: OnceLock<Rlimit> = OnceLock::new();

/// Sees to it that the manager can have up to `workers`, some of which leave while others serve in their place, as far as the
/// hard limit lets it.
pub(super) fn raise(workers: usize) {
    let limit = getrlimit(Resource::Nofile);
    let workers = workers as u64;
    // A channel each, twice, and a connection on its way to each.
    let wanted = 3 * workers + OTHERS;
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    if workers + OTHERS > allowed {
        log::warning(format_args!(
            "{workers} workers (LSAPI_CHILDREN) need more descriptors than the {allowed} this process may have (ulimit -Hn)"
        ));
    }
    let target = wanted.min(allowed);
    if limit.current.is_none_or(|current| current >= target) {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(target), maximum: limit.maximum }) {
        Ok(()) => drop(ORIGINAL.set(limit)),
        Err(errno) => log::warning(format_args!("cannot raise the limit of descriptors: {errno}")),
    }
}

/// Gives a process the manager has forked the limit back that the manager was started with.
pub(super) fn restore() {
    if let Some(limit) = ORIGINAL.get() {
        // Lowering a soft limit is always allowed.
        let _ = setrlimit(Resource::Nofile, *limit);
    }
}
