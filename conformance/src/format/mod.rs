//! The one way to write scenario files, and every other TOML file of their folder.
//!
//! [`canonical`] is about text and knows nothing of files. Comments and multi-line texts stay as they are; what a file
//! means never changes. [`replace`] puts a new text in the place of a file.

mod canonical;
mod comments;
mod order;
mod replace;
mod value;

pub use canonical::{FormatError, canonical};
pub use replace::replace;
