//! From an HTTP request to what a real server sends for it.
//!
//! Owns the server's knowledge: which variables there are, in which order, and how the path is split by the mapping it
//! fell under. The bytes are laid out by `lsapi`.

mod begin;
mod http;
mod mapping;
mod path;

pub(crate) use begin::{Begin, BodyState};
pub use http::{Addresses, HttpRequest};
pub use mapping::Mapping;
