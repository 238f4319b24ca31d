//! A packet header as plain data, every field open to be wrong. [`PacketHeader`] is the one that is right.

use crate::{ByteOrder, HEADER_LEN, MAGIC, PacketHeader, PacketType};

/// The eight bytes of a packet header, each part settable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawHeader {
    /// The first two bytes, `LS` in a right packet.
    pub magic: [u8; 2],
    /// The type byte.
    pub type_byte: u8,
    /// The flag byte. It does not decide how integers are written; that is chosen apart from it.
    pub flag: u8,
    /// The packet length; `None` writes the right one.
    pub len: Option<i32>,
}

impl RawHeader {
    /// A right header for a packet in `order`.
    #[must_use]
    pub const fn new(ty: PacketType, order: ByteOrder) -> Self {
        Self { magic: MAGIC, type_byte: ty.byte(), flag: order.flag(), len: None }
    }

    /// The eight bytes in front of `payload_len` bytes of payload, the length written in `order`.
    #[must_use]
    pub fn encode(&self, order: ByteOrder, payload_len: usize) -> [u8; HEADER_LEN] {
        let len = self.len.unwrap_or_else(|| wrap_i32(HEADER_LEN + payload_len));
        let [a, b, c, d] = order.i32_bytes(len);
        let [l, s] = self.magic;
        [l, s, self.type_byte, self.flag, a, b, c, d]
    }
}

impl From<PacketHeader> for RawHeader {
    fn from(header: PacketHeader) -> Self {
        Self { magic: MAGIC, type_byte: header.type_byte, flag: header.flag, len: None }
    }
}

/// `len` in 32 bits, wrapping: a packet that long cannot be right anyway.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "documented above")]
pub(crate) const fn wrap_i32(len: usize) -> i32 {
    len as i32
}
