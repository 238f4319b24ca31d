//! How long the body is. Two readers of one connection that disagree on it are what request smuggling lives on, so there is
//! one right way to say it, and all others are refused.

use super::refusal::Refusal;
use super::request_head::RequestHead;

/// What the client said about the length of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// Nothing, or 0.
    None,
    /// Content-Length.
    Declared(u64),
    /// Transfer-Encoding: chunked.
    Chunked,
}

impl BodyLength {
    /// What the fields of `head` say.
    pub(super) fn of(head: &RequestHead) -> Result<Self, Refusal> {
        let mut length = None;
        let mut chunked = false;
        for (name, value) in head.fields() {
            if name.eq_ignore_ascii_case(b"Content-Length") {
                if length.is_some() {
                    return Err(Refusal::bad("more than one Content-Length"));
                }
                length = Some(number(value).ok_or(Refusal::bad("Content-Length is not a number"))?);
            } else if name.eq_ignore_ascii_case(b"Transfer-Encoding") {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::new(501, "Transfer-Encoding is not chunked"));
                }
                if chunked {
                    return Err(Refusal::bad("more than one Transfer-Encoding"));
                }
                chunked = true;
            }
        }
        match (length, chunked) {
            (Some(_), true) => Err(Refusal::bad("Content-Length and Transfer-Encoding together")),
            (None, true) if head.minor == 0 => Err(Refusal::bad("Transfer-Encoding in HTTP/1.0")),
            (None, true) => Ok(Self::Chunked),
            (None | Some(0), false) => Ok(Self::None),
            (Some(length), false) => Ok(Self::Declared(length)),
        }
    }
}

/// Digits and nothing else: no sign, no list.
fn number(value: &[u8]) -> Option<u64> {
    let digits =
        std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}
