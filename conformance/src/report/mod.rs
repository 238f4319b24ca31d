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

pub(crate) use failure::failure_block;
pub use json::{JsonLines, JsonReport};
pub use junit::JunitReport;
pub use progress::Progress;
pub use reports::{Format, Report, ReportError, ReportTarget, Reports};
pub use text::TextReport;
