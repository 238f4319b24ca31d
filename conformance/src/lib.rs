//! Runs LSAPI scenarios against any LSAPI application and reports what is wrong.
//!
//! ```text
//! catalog ── filter ── runner ── event ── report
//! (files)   (which)   (verdicts) (one stream) (what people and programs read)
//! ```
//!
//! The scenario language and the server side of the protocol belong to `mock-lsws`; the application under test is
//! described by a [`subject`] file and reached as a process only.

#![forbid(unsafe_code)]

pub mod again;
mod app;
pub mod binary;
pub mod catalog;
pub mod checkout;
pub mod clauses;
pub mod cli;
pub mod compare;
pub mod coverage;
mod error;
pub mod event;
pub mod exit_code;
pub mod explain;
pub mod filter;
pub mod format;
pub mod last_run;
pub mod mutants;
pub mod proxy;
pub mod report;
pub mod runner;
pub mod soak;
pub mod subject;
pub mod waivers;

pub use app::main_impl;
pub use error::Error;
