//! Decoding RESP_HEADER: status and header lines of a response.
//!
//! ```text
//!  0  packet header   8 bytes
//!  8  cntHeaders      int32, the count comes first
//! 12  status          int32, 0 means not set
//! 16  lengths         cntHeaders x int16, each with its line's NUL
//!     lines           "Name: value" NUL, back to back
//! ```

use crate::error::{DecodeError, Reason};
use crate::limits::MAX_SERVER_RESPONSE_HEADERS;
use crate::{ByteOrder, read};

/// Where the table of lengths starts, counted from the start of the payload.
const LENGTHS_AT: usize = 8;

/// A decoded RESP_HEADER. Count and table are checked; whether the lines add up to the payload is
/// [`ResponseHeader::surplus`], and what is in the lines is for the caller to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHeader<'a> {
    status: i32,
    count: usize,
    lengths: &'a [u8],
    lines: &'a [u8],
    order: ByteOrder,
}

impl<'a> ResponseHeader<'a> {
    pub(crate) fn decode(payload: &'a [u8], order: ByteOrder) -> Result<Self, DecodeError> {
        let int = |at| read::i32_at(payload, at, order).unwrap_or_default();
        let count_value = int(0);
        let bad_count = |reason| DecodeError::invalid("cntHeaders", 8, count_value, reason);
        let count = usize::try_from(count_value).map_err(|_| bad_count(Reason::Negative))?;
        if count > MAX_SERVER_RESPONSE_HEADERS {
            return Err(bad_count(Reason::TooLarge { max: MAX_SERVER_RESPONSE_HEADERS }));
        }
        let variable = payload.get(LENGTHS_AT..).unwrap_or_default();
        let (lengths, lines) = variable
            .split_at_checked(2 * count)
            .ok_or_else(|| bad_count(Reason::OutOfBlock { size: payload.len() }))?;
        Ok(Self { status: int(4), count, lengths, lines, order })
    }

    /// The status as sent; 0 means that the application set none.
    #[must_use]
    pub const fn status(&self) -> i32 {
        self.status
    }

    /// `cntHeaders`.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The announced lengths, each with its NUL.
    pub fn lengths(&self) -> impl Iterator<Item = i16> + use<'a> {
        let order = self.order;
        self.lengths
            .chunks_exact(2)
            .map(move |pair| read::u16_at(pair, 0, order).unwrap_or_default().cast_signed())
    }

    /// The header lines, as far as the payload holds them.
    #[must_use]
    pub fn lines(&self) -> HeaderLines<'a> {
        HeaderLines { lengths: self.lengths, rest: self.lines, order: self.order }
    }

    /// Everything behind the table of lengths, whether or not the lengths cover it.
    #[must_use]
    pub const fn line_bytes(&self) -> &'a [u8] {
        self.lines
    }

    /// Bytes of the payload beyond the announced lines; negative if the lines announce more than there is. A right
    /// packet has 0.
    #[must_use]
    pub fn surplus(&self) -> i64 {
        let announced: i64 = self.lengths().map(i64::from).sum();
        i64::try_from(self.lines.len()).unwrap_or(i64::MAX) - announced
    }
}

/// The lines of a [`ResponseHeader`]. Entries of length 0 or less have none and are skipped, as a server does.
#[derive(Clone, Debug)]
pub struct HeaderLines<'a> {
    lengths: &'a [u8],
    rest: &'a [u8],
    order: ByteOrder,
}

impl<'a> Iterator for HeaderLines<'a> {
    type Item = HeaderLine<'a>;

    fn next(&mut self) -> Option<HeaderLine<'a>> {
        loop {
            let len = read::u16_at(self.lengths, 0, self.order)?.cast_signed();
            self.lengths = self.lengths.get(2..)?;
            let Ok(len @ 1..) = usize::try_from(len) else { continue };
            let Some((raw, rest)) = self.rest.split_at_checked(len) else {
                // From here on, nobody can tell where lines start.
                self.lengths = &[];
                return None;
            };
            self.rest = rest;
            return Some(HeaderLine { raw });
        }
    }
}

/// One header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderLine<'a> {
    /// The line with its final byte, which should be a NUL: a server overwrites it with one.
    pub raw: &'a [u8],
}

impl<'a> HeaderLine<'a> {
    /// The line as a server sees it, without the final byte.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        self.raw.split_last().map_or(&[], |(_, text)| text)
    }

    /// Whether the final byte is the NUL it should be.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.raw.last() == Some(&0)
    }

    /// Name and value, split at the first colon, blanks around both removed. `None` without a colon.
    #[must_use]
    pub fn name_value(&self) -> Option<(&'a [u8], &'a [u8])> {
        let text = self.text();
        let colon = text.iter().position(|&byte| byte == b':')?;
        let (name, value) = text.split_at_checked(colon)?;
        Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
    }
}
