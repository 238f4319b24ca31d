//! The command line of `mock-lsws`: what is typed ([`args`]), what it means ([`plan`]), doing it ([`run`](mod@run)), and
//! printing what came of it ([`response_writer`], [`output`]). [`serve`](mod@serve) has the same parts of its own.

mod args;
mod error;
mod output;
mod plan;
mod program;
mod response_writer;
mod run;
mod serve;
mod stops;
mod values;

pub(crate) use args::{Cli, Command};
pub(crate) use run::run;
pub(crate) use serve::serve;
