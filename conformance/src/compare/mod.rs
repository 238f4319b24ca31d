//! Two runs side by side: two subjects, or one before and after a change.
//!
//! [`Comparison`] finds what differs; [`text`] and [`markdown`] write it down. Where the runs come from is the caller's.

mod comparison;
mod markdown;
mod result;
mod text;

pub use comparison::{Comparison, Row, Tally};
pub use markdown::markdown;
pub use result::{Outcome, Side};
pub use text::text;
