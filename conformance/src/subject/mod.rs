//! The application under test: what its subject file says, what it can do, and how it becomes a command.
//!
//! [`Subject`] is the file's content, checked. [`Subject::deploy`] finds or builds its binary, chooses the user it runs
//! as and brings its files within that user's reach; the [`Place`] it returns turns roles into commands. Running them is
//! left to the [`runner`](crate::runner).

mod account;
mod deploy;
mod error;
mod file;
mod foreign;
pub mod init;
mod interpreter;
mod libraries;
mod model;
mod place;
mod reach;
mod role;
mod staging;

pub use account::Account;
pub use deploy::Wishes;
pub use error::SubjectError;
pub use model::{BinarySource, Subject};
pub use place::Place;
pub use role::RoleTable;
pub use staging::Staging;
