//! `mock-lsws serve` in front of lswsgi: its models and mappings, what is left behind, and load from `curl` and `wrk`.
//!
//! The tests of load need `curl` and `wrk` (Debian packages of these names). Without them they say so and pass on a
//! developer's machine; where CI is set they fail.

mod applications;
mod detached;
mod flow;
mod given;
mod load;
mod mappings;
mod processes;
mod restarts;
#[path = "../../../mock-lsws/tests/suite/served.rs"]
mod served;
mod stand;
mod stops;
mod suexec;
mod support;
