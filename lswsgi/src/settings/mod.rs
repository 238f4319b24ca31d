//! What the command line and the environment mean together: checked values, defaults applied, and where each came from.
//!
//! * `table`: every setting once: option, variables, default, meaning. Help, `--print-config` and README come from it;
//! * `kind`: how a value is read and shown, whether it is a `number`, a `time` or a `word`;
//! * `given`: the options of the table, as they were typed;
//! * `reader`: one setting after the other, with a warning for what cannot be used;
//! * `stranger`: variables that look like ours and are not;
//! * `effective`: all of them together, and what follows from one for another;
//! * `group`: those that concern a group of processes;
//! * `operation`: reload, control and access log;
//! * `suexec`: processes that run as whom the server names;
//! * `application`: the application's file and callable;
//! * `print`: `--print-config`.

mod application;
mod effective;
mod given;
mod group;
mod kind;
mod number;
mod operation;
mod print;
mod reader;
mod stranger;
mod suexec;
mod table;
mod time;
mod word;

pub use application::Application;
pub(crate) use application::DEFAULT_CALLABLE;
pub use effective::{Settings, own_variables};
pub use given::Given;
pub use group::{GroupSettings, Load};
pub use operation::Operation;
pub use print::print_config;
pub use suexec::SuexecSettings;
pub use word::ControlSocket;

#[cfg(test)]
mod tests;
