//! Are the cases able to fail? Applications that are broken on purpose are run, and the cases have to notice.
//!
//! ```text
//! file, flaws ── mutant ── base ── run ── outcome ── table, markdown, JSON
//! (what there is)  (one)   (sound)        (who noticed what)
//! ```
//!
//! A mutant is a sound application with one thing wrong: bytes that the [`proxy`](crate::proxy) damages, a start that goes
//! wrong, or a flaw of the host in plain Python. No shipped program has a switch for any of it. How a case runs is left to
//! the [`runner`](crate::runner).

mod base;
mod error;
mod file;
mod flaws;
mod model;
mod outcome;
mod proof;
mod run;
mod start;
mod table;

pub use base::{Base, Bench};
pub use error::MutantsError;
pub use file::MutantFile;
pub use flaws::{Flaw, of as flaws_of};
pub use model::{Breakage, Immune, Mutant};
pub use outcome::{Missed, MutantOutcome, Noticed, Said, Unsound};
pub use proof::{Proof, Sharpest};
pub use run::{Findings, run};
pub use start::Start;
pub use table::{by_scenario, listing, markdown, summary, uncaught};
