//! The head of a request: what the client sent, byte for byte, and what the server reads from it.
//!
//! Owns what is refused before anything else is asked (lsapi 4.2.3), and the length of the body. What the rest of the fields
//! mean is for those who use them.

mod framing;
mod parse;
mod refusal;
mod request_head;

pub(crate) use framing::BodyLength;
pub(crate) use parse::{HeadLimits, ParsedHead};
pub(crate) use refusal::Refusal;
pub(crate) use request_head::{RequestHead, is_continue};
