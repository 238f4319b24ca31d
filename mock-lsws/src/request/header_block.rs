//! The client's head as applications get it: its bytes with some of them changed in place, and the index to them.

use std::ops::Range;

use lsapi::{KnownHeader, UnknownHeaderEntry};

use crate::http::{RequestHead, is_continue};

/// What stands before the request line, so that no field has offset 0.
const START: [u8; 4] = [0; 4];

/// What becomes of Content-Length and Transfer-Encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LengthFields {
    /// They stay.
    Keep,
    /// Transfer-Encoding becomes a Content-Length.
    Become(u64),
    /// They go: the body was for somebody else.
    Remove,
}

/// The header block of a packet, and its index.
#[derive(Debug)]
pub(super) struct HeaderBlock {
    pub(super) bytes: Vec<u8>,
    pub(super) known: [(u16, i32); KnownHeader::COUNT],
    pub(super) unknown: Vec<UnknownHeaderEntry>,
}

impl HeaderBlock {
    pub(super) fn new(head: &RequestHead, length_fields: LengthFields) -> Self {
        let bytes = [&START[..], &head.raw].concat();
        let mut block = Self { bytes, known: [(0, 0); KnownHeader::COUNT], unknown: Vec::new() };
        if head.minor == 0 {
            // Applications read the version of their own connection there: the server speaks 1.1 to them.
            let digit = START.len() + head.target.end + b" HTTP/1.".len();
            block.overwrite(digit..digit + 1, b"1");
        }
        for (name, value) in &head.fields {
            let at = |range: &Range<usize>| range.start + START.len()..range.end + START.len();
            block.field(at(name), at(value), head.expects_continue, length_fields);
        }
        block
    }

    fn field(
        &mut self,
        name: Range<usize>,
        value: Range<usize>,
        expects_continue: bool,
        length_fields: LengthFields,
    ) {
        use KnownHeader::{ContentLength, Host, TransferEncoding};
        let text = self.bytes.get(name.clone()).unwrap_or_default();
        let known = KnownHeader::from_name(text);
        let is_expect = expects_continue && text.eq_ignore_ascii_case(b"Expect");
        if is_expect && self.bytes.get(value.clone()).is_some_and(is_continue) {
            self.blank(&name, &value);
            return;
        }
        match (known, length_fields) {
            (Some(header @ (ContentLength | TransferEncoding)), LengthFields::Remove) => {
                self.blank(&name, &value);
                self.leave_length(header, value.len());
            }
            (Some(TransferEncoding), LengthFields::Become(length)) => self.become_length(name, value, length),
            (Some(Host), _) => {
                self.bytes.get_mut(value.clone()).unwrap_or_default().make_ascii_lowercase();
                if !self.put(Host, &value) {
                    // A further Host is kept out of the way of the first.
                    self.overwrite(name.clone(), b"Hos2");
                    self.put_unknown(&name, &value);
                }
            }
            (Some(header), _) if self.put(header, &value) => {}
            _ => self.put_unknown(&name, &value),
        }
    }

    /// Gives a field its place in the index, if that is free and can say its length.
    fn put(&mut self, header: KnownHeader, value: &Range<usize>) -> bool {
        match (self.known.get_mut(header.index()), u16::try_from(value.len())) {
            (Some(slot @ (_, 0)), Ok(len)) => {
                *slot = (len, to_i32(value.start));
                true
            }
            _ => false,
        }
    }

    fn put_unknown(&mut self, name: &Range<usize>, value: &Range<usize>) {
        self.unknown.push(UnknownHeaderEntry {
            name_off: to_i32(name.start),
            name_len: to_i32(name.len()),
            value_off: to_i32(value.start),
            value_len: to_i32(value.len()),
        });
    }

    /// The length of a removed field stays behind, with no offset (lsapi 4.2).
    fn leave_length(&mut self, header: KnownHeader, len: usize) {
        if let (Some(slot), Ok(len)) = (self.known.get_mut(header.index()), u16::try_from(len)) {
            *slot = (len, 0);
        }
    }

    fn become_length(&mut self, name: Range<usize>, value: Range<usize>, length: u64) {
        let digits = length.to_string();
        let with_blank = [b"Content-length: ", digits.as_bytes()].concat();
        let room = value.end - name.start;
        let text = if with_blank.len() <= room {
            with_blank
        } else {
            [b"Content-length:", digits.as_bytes()].concat()
        };
        if text.len() > room {
            // No body the server takes is so long.
            self.put_unknown(&name, &value);
            return;
        }
        self.bytes.get_mut(name.start..value.end).unwrap_or_default().fill(b' ');
        let end = name.start + text.len();
        self.overwrite(name.start..end, &text);
        self.put(KnownHeader::ContentLength, &(end - digits.len()..end));
        self.leave_length(KnownHeader::TransferEncoding, value.len());
    }

    /// Puts spaces over a field and the line end before it. Its own line end stays.
    fn blank(&mut self, name: &Range<usize>, value: &Range<usize>) {
        let before = self.bytes.get(..name.start).unwrap_or_default();
        let text = before.strip_suffix(b"\n").unwrap_or(before);
        let start = text.strip_suffix(b"\r").unwrap_or(text).len();
        self.bytes.get_mut(start..value.end).unwrap_or_default().fill(b' ');
    }

    fn overwrite(&mut self, range: Range<usize>, text: &[u8]) {
        if let Some(place) = self.bytes.get_mut(range).filter(|place| place.len() == text.len()) {
            place.copy_from_slice(text);
        }
    }
}

/// Lengths of things that are in memory; saturates where a packet could not hold them anyway.
fn to_i32(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}
