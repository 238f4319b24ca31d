//! Renderings of the event stream.

mod progress;
mod text;

pub use progress::Progress;
pub use text::TextReport;
