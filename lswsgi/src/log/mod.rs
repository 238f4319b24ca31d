//! The runtime's own log: one line a fact on standard error, with time, pid and level, as text or as a JSON object.
//!
//! Standard error is the server's log file in production, shared by many processes, so each line leaves in one write.
//! Logging never fails, and never holds the application up for longer than a second: lines that nobody reads are lost.
//!
//! * `line`: lines, and how they are written;
//! * `repeats`: lines that say the same again and again.

mod line;
mod repeats;

pub use line::{Format, Level, debug, error, info, is_json, listed, set_format, set_level, text, warning};
pub use repeats::finish;
pub(crate) use repeats::tick;
