//! `mock-lsws serve`: what is typed ([`args`], [`app_args`]), what it means ([`plan`]), doing it ([`run`](mod@run)), and what is shown
//! meanwhile ([`log`]).

mod app_args;
mod args;
mod error;
mod log;
mod plan;
mod run;

pub(crate) use args::ServeArgs;
pub(crate) use run::serve;
