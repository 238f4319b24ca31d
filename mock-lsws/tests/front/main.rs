//! The HTTP side of the mock server, driven over the wire: what clients of any kind get, good or bad.

#![forbid(unsafe_code)]

mod access_log;
mod back_pressure;
mod client;
mod echo_app;
mod files;
mod keep_alive;
mod random;
mod redirects;
mod refusals;
mod site;
mod stop;
mod uploads;

use std::time::Duration;

/// Nothing a test waits for takes this long, even on a busy machine.
const LONG: Duration = Duration::from_secs(30);
