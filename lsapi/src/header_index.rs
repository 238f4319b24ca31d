//! The request headers of BEGIN_REQUEST: the index of known headers, the array of unknown ones, and the block of text
//! both point into.

use crate::error::{DecodeError, Reason};
use crate::limits::{HEADER_INDEX_LEN, UNKNOWN_HEADER_LEN};
use crate::{ByteOrder, KnownHeader, read};

/// Where the 25 offsets start inside the index: after 25 lengths and two bytes of padding.
const OFFSETS_AT: usize = 52;

/// The checked index of known headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownHeaders<'a> {
    index: &'a [u8; HEADER_INDEX_LEN],
    block: &'a [u8],
    order: ByteOrder,
}

impl<'a> KnownHeaders<'a> {
    pub(crate) fn decode(
        index: &'a [u8; HEADER_INDEX_LEN],
        block: &'a [u8],
        order: ByteOrder,
        at: usize,
    ) -> Result<Self, DecodeError> {
        let headers = Self { index, block, order };
        for header in KnownHeader::ALL {
            let (len, offset) = headers.slot(header);
            // A removed header keeps its length: only the offset tells that it is absent.
            if offset != 0 {
                let at = at + OFFSETS_AT + 4 * header.index();
                check_slice(["header offset", "header length"], at, offset, len.into(), block.len())?;
            }
        }
        Ok(headers)
    }

    /// The value of `header` up to its first NUL, or `None` if the request does not have it.
    #[inline]
    #[must_use]
    pub fn get(&self, header: KnownHeader) -> Option<&'a [u8]> {
        let (len, offset) = self.slot(header);
        if offset == 0 {
            return None;
        }
        slice(self.block, offset, len.into()).map(read::until_nul)
    }

    /// The headers the request has, in index order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (KnownHeader, &'a [u8])> + use<'a> {
        let headers = *self;
        KnownHeader::ALL.into_iter().filter_map(move |header| Some((header, headers.get(header)?)))
    }

    /// Length and offset as sent, also of an absent header.
    #[inline]
    #[must_use]
    pub fn slot(&self, header: KnownHeader) -> (u16, i32) {
        let index = header.index();
        let len = read::u16_at(self.index, 2 * index, self.order);
        let offset = read::i32_at(self.index, OFFSETS_AT + 4 * index, self.order);
        (len.unwrap_or(0), offset.unwrap_or(0))
    }

    /// The two bytes between lengths and offsets; a real server sends zeros.
    #[must_use]
    pub fn hole(&self) -> [u8; 2] {
        read::array(self.index, OFFSETS_AT - 2).unwrap_or_default()
    }
}

/// The checked array of headers without a slot of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownHeaders<'a> {
    array: &'a [u8],
    block: &'a [u8],
    order: ByteOrder,
}

impl<'a> UnknownHeaders<'a> {
    pub(crate) fn decode(
        array: &'a [u8],
        block: &'a [u8],
        order: ByteOrder,
        at: usize,
    ) -> Result<Self, DecodeError> {
        let headers = Self { array, block, order };
        for (number, entry) in headers.entries().enumerate() {
            let at = at + number * UNKNOWN_HEADER_LEN;
            let name = ["unknown header nameOff", "unknown header nameLen"];
            check_slice(name, at, entry.name_off, entry.name_len.into(), block.len())?;
            let value = ["unknown header valueOff", "unknown header valueLen"];
            check_slice(value, at + 8, entry.value_off, entry.value_len.into(), block.len())?;
        }
        Ok(headers)
    }

    /// Number of entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.array.len() / UNKNOWN_HEADER_LEN
    }

    /// Whether there are no entries.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.array.is_empty()
    }

    /// Names and values in wire order, values cut at their first NUL. Names keep their case; duplicates stay.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = UnknownHeader<'a>> + use<'a> {
        let block = self.block;
        self.entries().filter_map(move |entry| {
            let name = slice(block, entry.name_off, entry.name_len.into()).map(read::until_nul)?;
            let value = slice(block, entry.value_off, entry.value_len.into()).map(read::until_nul)?;
            (!name.is_empty()).then_some(UnknownHeader { name, value })
        })
    }

    /// The entries as sent.
    #[inline]
    pub fn entries(&self) -> impl Iterator<Item = UnknownHeaderEntry> + use<'a> {
        let order = self.order;
        self.array.chunks_exact(UNKNOWN_HEADER_LEN).map(move |entry| {
            let int = |at| read::i32_at(entry, at, order).unwrap_or_default();
            UnknownHeaderEntry { name_off: int(0), name_len: int(4), value_off: int(8), value_len: int(12) }
        })
    }
}

/// A header without a slot of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownHeader<'a> {
    /// The name in the case it was sent in.
    pub name: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

/// The four integers of an unknown header, offsets counted from the start of the header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct UnknownHeaderEntry {
    pub name_off: i32,
    pub name_len: i32,
    pub value_off: i32,
    pub value_len: i32,
}

/// Checks that `offset..offset + len` lies inside a block of `size` bytes, in 64 bits. `fields` are the names of the two, for
/// the error; a signed length follows its offset.
fn check_slice(
    [offset_field, len_field]: [&'static str; 2],
    at: usize,
    offset: i32,
    len: i64,
    size: usize,
) -> Result<(), DecodeError> {
    if offset < 0 {
        return Err(DecodeError::invalid(offset_field, at, offset, Reason::Negative));
    }
    if len < 0 {
        return Err(DecodeError::invalid(len_field, at + 4, len, Reason::Negative));
    }
    let end = i64::from(offset) + len;
    match usize::try_from(end) {
        Ok(end) if end <= size => Ok(()),
        _ => Err(DecodeError::invalid(offset_field, at, offset, Reason::OutOfBlock { size })),
    }
}

#[inline]
fn slice(block: &[u8], offset: i32, len: i64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    block.get(start..)?.get(..usize::try_from(len).ok()?)
}
