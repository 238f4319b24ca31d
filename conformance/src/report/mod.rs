//! Renderings of the event stream.
//!
//! Each takes the events one after the other and owns nothing but what it writes; none knows the runner. [`Reports`]
//! hands the events to all that were asked for.

mod area;
mod document;
mod failure;
mod html;
mod json;
mod junit;
mod markdown;
mod progress;
mod reports;
mod table;
mod tap;
mod text;

pub(crate) use area::split as area_and_name;
pub use document::{DocumentError, RunDocument};
pub(crate) use failure::{failure_block, headline, visible};
pub use html::HtmlReport;
pub use json::{JsonLines, JsonReport};
pub use junit::JunitReport;
pub use markdown::MarkdownReport;
pub(crate) use markdown::inline as markdown_inline;
pub use progress::Progress;
pub(crate) use reports::can_be_written;
pub use reports::{Format, Report, ReportError, ReportTarget, Reports};
pub use tap::TapReport;
pub use text::TextReport;
