//! The mock beside a real server: given the same input, it does what OpenLiteSpeed 1.9.1 was recorded doing.
//!
//! `captures` and `misbehaviour` are the two tables of records (`tests/data/real-server`), `checklist` is what is known
//! of the real server beyond them. The other modules play the two sides the mock stands between, and compare.

#![forbid(unsafe_code)]

mod captures;
mod checklist;
mod client;
mod misbehaviour;
mod misbehaviour_record;
mod played_app;
mod recording;
mod site;
mod view;

use std::time::Duration;

/// Nothing a test waits for takes this long, even on a busy machine.
const LONG: Duration = Duration::from_secs(30);
