//! The BEGIN_REQUEST packet of one HTTP request.

use lsapi::{RawRequest, RequestBuilder};

use super::header_block::{HeaderBlock, LengthFields};
use super::variables::{Facts, Variable, variables};
use crate::config::PhpIni;
use crate::http::RequestHead;

/// The longest name and value of a variable; longer ones are left out (lsapi 4.2). Both lengths count a NUL in 16 bits.
const LONGEST: (usize, usize) = (1024, u16::MAX as usize - 1);

/// What is known of the body at the moment the packet is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyState {
    /// There is none.
    None,
    /// The client declared its length.
    Declared(u64),
    /// It came in chunks and is complete: the chunked head is rewritten to this length.
    Collected(u64),
    /// It comes in chunks and its end is not known: -1.
    Streaming,
}

/// Everything the packet is made of, but the state of the body.
#[derive(Clone, Debug)]
pub(crate) struct Begin {
    head: RequestHead,
    variables: Vec<Variable>,
    special: Vec<(Vec<u8>, Vec<u8>)>,
    is_head: bool,
    /// The body was read by the application that redirected the request.
    is_redirected: bool,
}

impl Begin {
    /// For a client's request.
    pub(crate) fn new(head: &RequestHead, facts: &Facts<'_>, php_ini: &[PhpIni]) -> Self {
        let protocol = if head.minor == 0 { "HTTP/1.0" } else { "HTTP/1.1" };
        // An internal redirect is followed without the body, so whatever the method was, it is GET now.
        let method = match facts.redirected {
            Some(_) if !head.is_method("HEAD") => b"GET",
            _ => head.method(),
        };
        let special = php_ini.iter().map(|setting| {
            let kind = if setting.admin { 4 } else { 1 };
            ([&[1, kind], setting.name.as_bytes()].concat(), setting.value.as_bytes().to_vec())
        });
        Self {
            variables: variables(head, protocol, method, facts),
            special: special.collect(),
            is_head: head.is_method("HEAD"),
            is_redirected: facts.redirected.is_some(),
            head: head.clone(),
        }
    }

    /// For a request that is made of parts, which say their own protocol.
    pub(super) fn composed(head: RequestHead, protocol: &str, facts: &Facts<'_>) -> Self {
        let variables = variables(&head, protocol, head.method(), facts);
        let is_head = head.is_method("HEAD");
        Self { head, variables, special: Vec::new(), is_head, is_redirected: false }
    }

    /// With further special variables, behind the others.
    pub(crate) fn special(mut self, entries: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> Self {
        self.special.extend(entries);
        self
    }

    /// The bytes of the packet.
    pub(crate) fn encode(&self, body: BodyState) -> Vec<u8> {
        self.to_raw(body).encode()
    }

    /// The packet, in parts.
    pub(super) fn to_raw(&self, body: BodyState) -> RawRequest {
        // From 2 GiB on the field cannot say it; -2 sends the application to Content-Length.
        let announced = |length| i32::try_from(length).unwrap_or(-2);
        let (length_fields, length) = match body {
            _ if self.is_redirected => (LengthFields::Remove, 0),
            BodyState::None => (LengthFields::Keep, 0),
            BodyState::Declared(length) => (LengthFields::Keep, announced(length)),
            BodyState::Collected(length) => (LengthFields::Become(length), announced(length)),
            BodyState::Streaming => (LengthFields::Keep, -1),
        };
        let mut builder = RequestBuilder::bare().raw_body_len(length);
        for (key, value) in &self.special {
            builder = builder.special_env(key, value);
        }
        for (key, value) in &self.variables {
            if key.len() <= LONGEST.0 && value.len() <= LONGEST.1 {
                builder = builder.env(key, value);
            }
        }
        let mut raw = builder.build();
        let block = HeaderBlock::new(&self.head, length_fields);
        (raw.block, raw.known, raw.unknown) = (block.bytes, block.known, block.unknown);
        raw
    }

    /// Whether the method is HEAD.
    pub(crate) const fn is_head(&self) -> bool {
        self.is_head
    }
}

#[cfg(test)]
mod tests;
