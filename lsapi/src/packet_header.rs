//! The eight bytes at the start of every packet.

use crate::error::{DecodeError, Reason};
use crate::{ByteOrder, PacketType, read};

/// Length of a packet header, in bytes.
pub const HEADER_LEN: usize = 8;

/// The first two bytes of every packet.
pub const MAGIC: [u8; 2] = *b"LS";

/// A decoded packet header. Holding one says that the magic was right and that the length covers at least the header
/// itself; type and length have not been judged otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// The type byte, whether or not such a type exists.
    pub type_byte: u8,
    /// The flag byte as it arrived, see [`ByteOrder::from_flag`].
    pub flag: u8,
    /// Length of the packet in bytes, these eight included.
    pub len: usize,
}

impl PacketHeader {
    /// The header of a packet this side sends, in native order.
    #[must_use]
    pub const fn new(ty: PacketType, payload_len: usize) -> Self {
        Self { type_byte: ty.byte(), flag: ByteOrder::NATIVE_FLAG, len: HEADER_LEN + payload_len }
    }

    /// Reads the header at the start of `buf`.
    ///
    /// # Errors
    /// [`DecodeError::Incomplete`] while fewer than eight bytes are there and those are right; wrong magic is reported
    /// from the first wrong byte on. [`DecodeError::Invalid`] for wrong magic or a length below eight.
    pub fn decode(buf: &[u8]) -> Result<Self, DecodeError> {
        for (offset, (&byte, magic)) in buf.iter().zip(MAGIC).enumerate() {
            if byte != magic {
                return Err(DecodeError::invalid("versionB", offset, byte, Reason::NotMagic));
            }
        }
        let Some([_, _, type_byte, flag, length @ ..]) = read::array::<HEADER_LEN>(buf, 0) else {
            return Err(DecodeError::Incomplete { need: HEADER_LEN });
        };
        let value = ByteOrder::from_flag(flag).i32_from(length);
        match usize::try_from(value) {
            Ok(len) if len >= HEADER_LEN => Ok(Self { type_byte, flag, len }),
            Ok(_) => Err(DecodeError::invalid("packetLen", 4, value, Reason::TooShort { min: HEADER_LEN })),
            Err(_) => Err(DecodeError::invalid("packetLen", 4, value, Reason::Negative)),
        }
    }

    /// The packet's type, if it is one of the nine.
    #[must_use]
    pub const fn packet_type(&self) -> Option<PacketType> {
        PacketType::from_byte(self.type_byte)
    }

    /// The byte order of this packet's integers.
    #[must_use]
    pub const fn order(&self) -> ByteOrder {
        ByteOrder::from_flag(self.flag)
    }

    /// Bytes that follow the header.
    #[must_use]
    pub const fn payload_len(&self) -> usize {
        self.len.saturating_sub(HEADER_LEN)
    }

    /// The eight bytes. A length that does not fit into 31 bits is written cut off; nothing this crate builds is that
    /// long.
    #[must_use]
    pub const fn encode(&self) -> [u8; HEADER_LEN] {
        #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "documented above")]
        let [a, b, c, d] = self.order().i32_bytes(self.len as i32);
        let [l, s] = MAGIC;
        [l, s, self.type_byte, self.flag, a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_a_header_is_incomplete() {
        let bytes = PacketHeader::new(PacketType::BeginRequest, 100).encode();
        for cut in 0..HEADER_LEN {
            assert_eq!(
                PacketHeader::decode(&bytes[..cut]),
                Err(DecodeError::Incomplete { need: HEADER_LEN })
            );
        }
        assert_eq!(PacketHeader::decode(&bytes).unwrap().len, 108);
    }

    #[test]
    fn wrong_magic_is_reported_from_its_first_byte() {
        let error = PacketHeader::decode(b"G").unwrap_err();
        assert_eq!(error.to_string(), "versionB = 71 at offset 0: packets start with 'LS' (0x4c 0x53)");
        let DecodeError::Invalid(invalid) = PacketHeader::decode(b"LX").unwrap_err() else { panic!() };
        assert_eq!(invalid.offset, 1);
    }

    #[test]
    fn lengths_below_the_header_are_refused() {
        for length in [i32::MIN, -1, 0, 7] {
            let mut bytes = PacketHeader::new(PacketType::RespEnd, 0).encode();
            bytes[4..].copy_from_slice(&ByteOrder::NATIVE.i32_bytes(length));
            assert!(matches!(
                PacketHeader::decode(&bytes),
                Err(DecodeError::Invalid(Invalid { offset: 4, .. }))
            ));
        }
    }

    use crate::Invalid;
}
