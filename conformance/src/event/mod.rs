//! What happens in a run, as one stream of events. Every report is a rendering of it.
//!
//! A line of the `jsonl` report is one [`Event`]; reading it back gives the same event. [`FORMAT`] grows when a field
//! changes its meaning or goes away; new fields may come at any time, so readers have to pass over what they do not know.

mod records;
mod result;
mod seconds;
mod stream;
mod summary;

pub(crate) use records::records;
pub use result::{Attempt, CaseResult, Failure, FailureKind, Part, Place, Problem, Verdict};
pub use stream::{Event, FORMAT, RunStarted};
pub use summary::{Counts, Summary};
