//! Running cases.
//!
//! [`run`] schedules; a case gets a folder, a parent process and an application of its own, so that cases can neither
//! disturb each other nor leave anything behind. The steps are split by what they are about: the connection, a response,
//! the process.

mod app_folder;
mod case;
mod clients;
mod exchange;
mod generate;
mod hygiene;
mod input;
mod judge;
mod log;
mod log_file;
mod parallel;
mod peer;
mod preflight;
mod process;
mod process_state;
mod schedule;
mod spot;
mod stage;
mod steps;
mod traffic;

pub(crate) use case::{one, why_skipped};
pub use judge::Rules;
pub use log_file::LogChange;
pub(crate) use schedule::stop_requested;
pub use schedule::{Order, Plan, run};
pub(crate) use stage::temporary;
