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

use mock_lsws::Detail;

use crate::event::{Attempt, CaseResult, Event};

/// A failed attempt in words, with its whole transcript, and with colours that are taken out where they do not belong.
pub(crate) fn failure_block(result: &CaseResult, attempt: &Attempt) -> String {
    let mut block = Vec::new();
    // Writing to memory does not fail.
    let _ = failure::write(&mut block, result, attempt, Detail::Decoded);
    String::from_utf8_lossy(&block).into_owned()
}

/// Something that writes down a run while it happens.
pub trait Report {
    /// Takes in what happened and writes what is complete by now.
    ///
    /// # Errors
    /// When it cannot be written.
    fn event(&mut self, event: &Event) -> io::Result<()>;
}
