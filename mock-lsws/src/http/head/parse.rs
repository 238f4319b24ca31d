//! Reading a head from the bytes of a connection.
//!
//! `httparse` says which fields are right. The request line is read here: what is wrong with it decides the status, and its
//! target may be any bytes. So is what the server looks at besides.

use std::ops::Range;

use super::refusal::Refusal;
use super::request_head::{RequestHead, behind_scheme};

/// What a request line is made of besides its target: the longest method, and the version.
const REST_OF_LINE: usize = 64;

/// Limits of the real server, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadLimits {
    /// `maxReqHeaderSize`.
    pub(crate) head: usize,
    /// `maxReqURLLen`.
    pub(crate) url: usize,
}

/// What parsing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ParsedHead {
    /// More bytes are needed.
    Partial,
    /// A head, and the number of bytes it took.
    Complete(RequestHead, usize),
}

impl RequestHead {
    /// Reads a head from the start of `bytes`. Empty lines before it are passed over, and a line may end without CR.
    ///
    /// # Errors
    /// When the real server would refuse it, as soon as that is clear.
    pub(crate) fn parse(bytes: &[u8], limits: HeadLimits) -> Result<ParsedHead, Refusal> {
        let skipped = empty_lines(bytes);
        let rest = bytes.get(skipped..).unwrap_or_default();
        // Somebody who speaks TLS here should not have to wait for the end of a line.
        if rest.first().is_some_and(|byte| !byte.is_ascii_graphic() && *byte != b'\r') {
            return Err(Refusal::bad("no request begins like this"));
        }
        if skipped > limits.head {
            return Err(Refusal::bad("nothing but empty lines"));
        }
        let Some(line) = line_at(rest, 0) else {
            return match rest.len() {
                len if len > limits.url.saturating_add(REST_OF_LINE) => {
                    Err(Refusal::new(414, "the URL is too long"))
                }
                len if len > limits.head => Err(Refusal::new(431, "the head is too long")),
                _ => Ok(ParsedHead::Partial),
            };
        };
        let (method, target, minor) = request_line(rest.get(line.text.clone()).unwrap_or_default(), limits)?;
        let end = head_end(rest, line.next);
        if end.unwrap_or(rest.len()) > limits.head {
            return Err(Refusal::new(431, "the head is too long"));
        }
        let Some(end) = end else { return Ok(ParsedHead::Partial) };
        let mut raw = rest.get(..end).unwrap_or_default().to_vec();
        flatten_folds(&mut raw, line.next)?;
        check_fields(raw.get(line.next..).unwrap_or_default())?;
        let fields = fields(&raw, line.next);
        let head = Self::unread(raw, method, target, minor, fields).read_fields()?;
        Ok(ParsedHead::Complete(head, skipped + end))
    }
}

/// Length of the empty lines at the start.
fn empty_lines(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match bytes.get(at..) {
            Some([b'\n', ..]) => at += 1,
            Some([b'\r', b'\n', ..]) => at += 2,
            _ => return at,
        }
    }
}

/// A line: its text without its end, and where the next one starts.
struct Line {
    text: Range<usize>,
    next: usize,
}

fn line_at(bytes: &[u8], start: usize) -> Option<Line> {
    let rest = bytes.get(start..)?;
    let len = rest.iter().position(|&byte| byte == b'\n')?;
    let text = rest.get(..len).unwrap_or_default();
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    Some(Line { text: start..start + text.len(), next: start + len + 1 })
}

/// Method and target in a request line, and the minor version.
fn request_line(line: &[u8], limits: HeadLimits) -> Result<(Range<usize>, Range<usize>, u8), Refusal> {
    let no_version = Refusal::bad("the request line does not end with a version (HTTP/0.9 is not spoken)");
    let is_space = |byte: &u8| *byte == b' ';
    let first = line.iter().position(is_space).ok_or(no_version.clone())?;
    let last = line.iter().rposition(is_space).filter(|last| *last > first).ok_or(no_version.clone())?;
    let minor = match line.get(last + 1..).unwrap_or_default() {
        b"HTTP/1.0" => 0,
        b"HTTP/1.1" => 1,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(Refusal::new(505, "a version that is neither HTTP/1.0 nor HTTP/1.1"));
        }
        _ => return Err(no_version),
    };
    let target = first + 1..last;
    if target.len() > limits.url {
        return Err(Refusal::new(414, "the URL is too long"));
    }
    let text = line.get(target.clone()).unwrap_or_default();
    // Bytes that are no UTF-8 are none of the server's business.
    let is_right = |byte: &u8| byte.is_ascii_graphic() || !byte.is_ascii();
    if !is_token(line.get(..first).unwrap_or_default()) || !text.iter().all(is_right) {
        return Err(Refusal::bad("the method or the target has a character it cannot have"));
    }
    // `*` and CONNECT's host name no part of what is served.
    if !text.starts_with(b"/") && behind_scheme(text).is_none() {
        return Err(Refusal::bad("the target is neither a path nor an http URL"));
    }
    Ok((0..first, target, minor))
}

/// Whether `text` can be the name of a method.
fn is_token(text: &[u8]) -> bool {
    let is_right = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_right)
}

/// Where the head that has fields from `start` on ends.
fn head_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let line = line_at(bytes, at)?;
        if line.text.is_empty() {
            return Some(line.next);
        }
        at = line.next;
    }
}

/// Makes one line of those that go on in the next one.
fn flatten_folds(raw: &mut [u8], start: usize) -> Result<(), Refusal> {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    if is_blank(raw.get(start)) {
        return Err(Refusal::bad("the first field begins with a blank"));
    }
    let mut at = start;
    while let Some(line) = line_at(raw, at) {
        if is_blank(raw.get(line.next)) {
            raw.get_mut(line.text.end..line.next).unwrap_or_default().fill(b' ');
        }
        at = line.next;
    }
    Ok(())
}

/// Asks `httparse` whether `raw` has right fields and nothing else.
fn check_fields(raw: &[u8]) -> Result<(), Refusal> {
    let lines = raw.iter().filter(|&&byte| byte == b'\n').count();
    let mut fields = vec![httparse::EMPTY_HEADER; lines];
    match httparse::parse_headers(raw, &mut fields) {
        Ok(httparse::Status::Complete((len, _))) if len == raw.len() => Ok(()),
        Ok(_) => Err(Refusal::bad("the head does not end where it seems to")),
        Err(httparse::Error::HeaderName) => {
            Err(Refusal::bad("a field's name has a character it cannot have, or there is no colon"))
        }
        Err(_) => Err(Refusal::bad("a field's value has a control character")),
    }
}

/// Name and trimmed value of each field of a right head.
fn fields(raw: &[u8], start: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let mut fields = Vec::new();
    let mut at = start;
    while let Some(line) = line_at(raw, at) {
        at = line.next;
        let text = raw.get(line.text.clone()).unwrap_or_default();
        let Some(colon) = text.iter().position(|&byte| byte == b':') else { continue };
        let value = text.get(colon + 1..).unwrap_or_default();
        let leading = value.len() - value.trim_ascii_start().len();
        let value_start = line.text.start + colon + 1 + leading;
        fields.push((
            line.text.start..line.text.start + colon,
            value_start..value_start + value.trim_ascii().len(),
        ));
    }
    fields
}

#[cfg(test)]
mod tests;
