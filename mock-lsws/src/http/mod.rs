//! HTTP/1.1 in front of the applications.
//!
//! Owns the client's connection: reading heads and bodies, writing responses, static files, the access log. Which
//! application a request goes to is the router's; what it answers is the gateway's.

mod access_log;
mod answer;
mod byte_range;
mod chunked;
mod connection;
mod delivery;
mod front;
mod head;
mod page;
mod record;
mod response_head;
mod static_file;
mod upload;
mod writer;

pub use access_log::AccessLog;
pub(crate) use connection::serve_connection;
pub(crate) use front::Front;
pub(crate) use head::{BodyLength, HeadLimits, ParsedHead, RequestHead, is_continue};
pub(crate) use record::Observer;
pub use record::RequestRecord;
pub(crate) use upload::{Upload, UploadError};
