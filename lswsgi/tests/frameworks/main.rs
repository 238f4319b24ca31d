//! Flask and Django, as PyPI has them, behind lswsgi.
//!
//! The same site is written in both, `sites/`; most tests ask both for the same.

mod files;
mod forms;
mod packages;
mod pages;
mod project;
mod site;
mod streams;
#[path = "../process/support.rs"]
#[expect(dead_code, reason = "the tests of the process use the rest")]
mod support;
