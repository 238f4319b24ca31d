//! Which cases test which clause, and which clauses no case tests.
//!
//! Clauses are those of the list ([`clauses`](crate::clauses)), not those that cases happen to cite. What only a server has
//! to do is counted apart: no application can be tested for it.

mod measure;
mod table;

pub use measure::{Coverage, Covered, Tally};
