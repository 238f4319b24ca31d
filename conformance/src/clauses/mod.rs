//! The clauses that cases cite: the rules of LSAPI and of WSGI over it, as data.
//!
//! They come from the two references, `lsapi/PROTOCOL.md` and `scenarios/WSGI.md`, and never from the scenarios: what no
//! case tests could not be found otherwise. [`document`] reads them there, [`list`] is the file they are kept in. What the
//! cases make of them is told by [`coverage`](crate::coverage) and [`explain`](crate::explain).

mod clause;
pub mod document;
pub mod list;

pub(crate) use clause::is_within;
pub use clause::{Clause, Level, Who};
pub use list::Clauses;
