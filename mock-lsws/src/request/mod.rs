//! From an HTTP request to what a real server sends for it.
//!
//! Owns the server's knowledge: which variables there are, in which order, how the path is split by the mapping it fell
//! under, and what becomes of the client's head. The packet is laid out by `lsapi`; which mapping a request falls under
//! is the router's.

mod begin;
mod header_block;
mod http;
mod mapping;
mod path;
mod variables;

pub(crate) use begin::{Begin, BodyState};
pub use http::{Addresses, HttpRequest};
pub use mapping::Mapping;
pub(crate) use mapping::Split;
pub(crate) use path::DecodedPath;
pub(crate) use variables::{Facts, Redirected, split_query};
