//! HTTP/1.1 in front of the applications.
//!
//! Owns the client's connection: reading heads and bodies, writing responses, static files, the access log. Which
//! application a request goes to is the router's; what it answers is the gateway's.

mod head;
mod upload;

pub(crate) use head::{BodyLength, HeadLimits, ParsedHead, Refusal, RequestHead};
pub(crate) use upload::{Upload, UploadError};
