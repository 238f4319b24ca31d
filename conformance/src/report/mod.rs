//! Renderings of the event stream.
//!
//! Each takes the events one after the other and owns nothing but what it writes; none knows the runner. [`Reports`]
//! hands the events to all that were asked for.

mod failure;
mod json;
mod junit;
mod progress;
mod reports;
mod table;
mod text;

pub use json::{JsonLines, JsonReport};
pub use junit::JunitReport;
pub use progress::Progress;
pub use reports::{Format, ReportError, ReportTarget, Reports};
pub use text::TextReport;

use std::io;

use crate::event::Event;

/// Something that writes down a run while it happens.
pub trait Report {
    /// Takes in what happened and writes what is complete by now.
    ///
    /// # Errors
    /// When it cannot be written.
    fn event(&mut self, event: &Event) -> io::Result<()>;
}
