//! What the command line and the environment mean together: checked values, defaults applied, and where each came from.
//!
//! * `table`: every setting once: option, variables, default, meaning. Help, `--print-config` and README come from it;
//! * `kind`: how a value is read and shown: counts, seconds, sizes, choices;
//! * `given`: the options of the table, as they were typed;
//! * `reader`: one setting after the other, with a warning for what cannot be used;
//! * `effective`: all of them together, and what follows from one for another;
//! * `group`: those that concern a group of processes;
//! * `application`: the application's file and callable;
//! * `print`: `--print-config`.

mod application;
mod effective;
mod given;
mod group;
mod kind;
mod print;
mod reader;
mod table;

pub use application::Application;
pub(crate) use application::DEFAULT_CALLABLE;
pub use effective::{Settings, own_variables};
pub use given::Given;
pub use group::{GroupSettings, Load};
pub use print::print_config;

#[cfg(test)]
mod tests;
