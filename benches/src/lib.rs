//! What the benches measure: the requests and responses they share, and what "using" a request means.
//!
//! The fixtures are built with `lsapi`'s own builder and laid out like the packets a real server sends. What is measured,
//! and how, is in `benches/`.

mod request;
mod response;
mod usage;

pub use request::{browser_request, headers_request, large_block_request, small_request};
pub use response::{BODY, encode_response, response_head};
pub use usage::use_request;
