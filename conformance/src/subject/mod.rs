//! The application under test: what its subject file says, what it can do, and how it becomes a command.
//!
//! [`Subject`] is the file's content, checked. Finding or building its binary is left to [`binary`](crate::binary),
//! running it to the [`runner`](crate::runner).

mod error;
mod file;
mod model;
mod role;

pub use error::SubjectError;
pub use model::{BinarySource, Subject};
pub use role::Role;
