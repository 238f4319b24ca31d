//! Tests of a process group from outside: manager, template and workers, spoken to in LSAPI and seen in `/proc`.

mod group;
mod pool;
mod processes;
#[path = "../process/support.rs"]
#[expect(dead_code, reason = "the tests of one process use the rest")]
mod support;
