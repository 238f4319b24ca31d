//! The access log: a line for each request, in the common, combined or JSON format.

mod format;

pub use format::AccessFormat;
