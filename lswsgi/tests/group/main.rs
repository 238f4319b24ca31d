//! Tests of a process group from outside: manager, template and workers, spoken to in LSAPI and seen in `/proc`.

mod access_log;
mod bad_template;
mod control;
mod core_dumps;
mod ctl;
mod fork_safety;
mod group;
mod limits;
mod manager;
mod member;
mod no_resources;
mod nothing_lost;
mod parent_death;
mod pool;
mod processes;
mod reload;
mod restart_file;
mod runaway;
mod stand;
mod stops;
#[path = "../process/support.rs"]
#[expect(dead_code, reason = "the tests of one process use the rest")]
mod support;
mod template;
mod traffic;
mod wake_ups;
mod watch;
