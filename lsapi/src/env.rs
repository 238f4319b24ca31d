//! The two environment lists of BEGIN_REQUEST: checking them once, then walking them for free.
//!
//! An entry is a big-endian 16-bit key length, the same for the value, the key and the value; both lengths count the
//! NUL that ends the string. Four zero bytes end the list, also an empty one.

use crate::error::{DecodeError, Reason};
use crate::{ByteOrder, limits, read};

/// Bytes before the key of an entry: its two lengths.
const ENTRY_HEADER: usize = 4;

/// A checked environment list: its entries, without the terminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct EnvList<'a> {
    entries: &'a [u8],
    count: usize,
}

impl<'a> EnvList<'a> {
    /// Checks the list of `count` entries that starts at `start`, and returns it with the offset after its terminator.
    pub(crate) fn decode(
        packet: &'a [u8],
        start: usize,
        count: i32,
        count_field: (&'static str, usize),
    ) -> Result<(Self, usize), DecodeError> {
        let (name, offset) = count_field;
        let bad_count = |reason| DecodeError::invalid(name, offset, count, reason);
        let count = usize::try_from(count).map_err(|_| bad_count(Reason::Negative))?;
        if count > limits::MAX_ENV_ENTRIES {
            return Err(bad_count(Reason::TooLarge { max: limits::MAX_ENV_ENTRIES }));
        }
        let mut at = start;
        for _ in 0..count {
            let overrun = || DecodeError::invalid("env entry", at, len_value(packet, at), Reason::Overrun);
            let (key, value) = lengths(packet, at).ok_or_else(overrun)?;
            match (key, value) {
                (0, 0) => return Err(bad_count(Reason::ListTooShort)),
                (0, _) => return Err(DecodeError::invalid("env keyLen", at, 0, Reason::NoRoomForNul)),
                (_, 0) => return Err(DecodeError::invalid("env valLen", at + 2, 0, Reason::NoRoomForNul)),
                _ => {}
            }
            let end = at + ENTRY_HEADER + key + value;
            if end > packet.len() {
                return Err(overrun());
            }
            at = end;
        }
        let entries = packet.get(start..at).unwrap_or_default();
        match read::array::<ENTRY_HEADER>(packet, at) {
            Some([0, 0, 0, 0]) => Ok((Self { entries, count }, at + ENTRY_HEADER)),
            _ => Err(DecodeError::invalid(
                "env terminator",
                at,
                len_value(packet, at),
                Reason::NoListTerminator,
            )),
        }
    }

    /// Number of entries.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no entries.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entries in wire order.
    #[must_use]
    pub const fn iter(&self) -> EnvIter<'a> {
        EnvIter { rest: self.entries }
    }

    /// The value of the last entry called `key`, cut at its first NUL. A later entry wins, as in an environment.
    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.iter().filter(|entry| entry.key() == key).last().map(|entry| entry.value())
    }
}

impl<'a> IntoIterator for EnvList<'a> {
    type Item = EnvEntry<'a>;
    type IntoIter = EnvIter<'a>;

    fn into_iter(self) -> EnvIter<'a> {
        self.iter()
    }
}

/// The entries of an [`EnvList`], in wire order.
#[derive(Clone, Debug)]
pub struct EnvIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for EnvIter<'a> {
    type Item = EnvEntry<'a>;

    #[inline]
    fn next(&mut self) -> Option<EnvEntry<'a>> {
        let (key, value) = lengths(self.rest, 0)?;
        let (entry, rest) = self.rest.split_at_checked(ENTRY_HEADER + key + value)?;
        self.rest = rest;
        let (key, value) = entry.get(ENTRY_HEADER..)?.split_at_checked(key)?;
        Some(EnvEntry { raw_key: key, raw_value: value })
    }
}

/// One variable. The raw slices are what the lengths cover, final byte included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvEntry<'a> {
    /// The key as sent, with its final byte, which should be a NUL.
    pub raw_key: &'a [u8],
    /// The value as sent, with its final byte, which should be a NUL.
    pub raw_value: &'a [u8],
}

impl<'a> EnvEntry<'a> {
    /// The name: without the final byte, and uncut, because the names of special entries begin with a control byte
    /// that may be a NUL.
    #[inline]
    #[must_use]
    pub fn key(&self) -> &'a [u8] {
        self.raw_key.split_last().map_or(&[], |(_, key)| key)
    }

    /// The value up to its first NUL. A real server sends PATH_INFO with memory of its own after that NUL when decoding
    /// made the path shorter; those bytes are nobody's business. Without any NUL the last byte is dropped, as the
    /// reference does.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &'a [u8] {
        read::until_nul(self.raw_value.split_last().map_or(&[], |(_, value)| value))
    }
}

/// Key and value length of the entry at `at`.
#[inline]
fn lengths(packet: &[u8], at: usize) -> Option<(usize, usize)> {
    let [k0, k1, v0, v1] = read::array::<ENTRY_HEADER>(packet, at)?;
    Some((u16::from_be_bytes([k0, k1]).into(), u16::from_be_bytes([v0, v1]).into()))
}

/// The four bytes at `at` as one number, for error messages; -1 where the packet has ended.
fn len_value(packet: &[u8], at: usize) -> i64 {
    read::array(packet, at).map_or(-1, |bytes| i64::from(ByteOrder::Big.i32_from(bytes).cast_unsigned()))
}
