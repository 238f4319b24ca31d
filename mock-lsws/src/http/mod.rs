//! HTTP/1.1 in front of the applications.
//!
//! Owns the client's connection: reading heads and bodies, writing responses, static files, the access log. Which
//! application a request goes to is the router's; what it answers is the gateway's.

mod access_log;
mod connection;
mod front;
mod head;
mod record;
mod upload;

pub use access_log::AccessLog;
pub(crate) use connection::serve_connection;
pub(crate) use front::Front;
pub(crate) use head::{BodyLength, HeadLimits, ParsedHead, Refusal, RequestHead};
pub(crate) use record::Observer;
pub use record::RequestRecord;
pub(crate) use upload::{Upload, UploadError};
