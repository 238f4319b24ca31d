//! Which way round the integers of a packet are: the rule behind bit 0 of the packet flag.

/// Bit 0 of the flag byte; the other bits carry no meaning and are ignored.
const ORDER_BIT: u8 = 1;

/// The byte order of the integers in one packet.
///
/// The flag does not simply say "big endian". Both LiteSpeed and its application library pick their own flag value
/// when they are compiled: 0 on i386 and x86-64, **1 on every other architecture**, little-endian ones included, and
/// then write native integers. So a peer with the same flag needs no swapping, and one with another flag does; that
/// is what [`ByteOrder::from_flag`] and [`ByteOrder::flag`] implement.
///
/// The lengths of environment keys and values are the exception: they are big-endian in every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// The order of this machine.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };

    /// The flag byte a program built for this machine puts on its own packets.
    pub const NATIVE_FLAG: u8 =
        if cfg!(any(target_arch = "x86", target_arch = "x86_64")) { 0 } else { ORDER_BIT };

    /// The order of a packet that arrived with `flag`; bits other than bit 0 are ignored.
    #[must_use]
    pub const fn from_flag(flag: u8) -> Self {
        if flag & ORDER_BIT == Self::NATIVE_FLAG { Self::NATIVE } else { Self::NATIVE.opposite() }
    }

    /// The flag that tells a peer on this machine that a packet is in this order.
    #[must_use]
    pub const fn flag(self) -> u8 {
        match (self, Self::NATIVE) {
            (Self::Little, Self::Little) | (Self::Big, Self::Big) => Self::NATIVE_FLAG,
            _ => Self::NATIVE_FLAG ^ ORDER_BIT,
        }
    }

    /// The other order.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Little => Self::Big,
            Self::Big => Self::Little,
        }
    }

    /// The four bytes of `value` in this order.
    #[must_use]
    pub const fn i32_bytes(self, value: i32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// The two bytes of `value` in this order.
    #[must_use]
    pub const fn u16_bytes(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// The integer that four bytes in this order stand for.
    #[must_use]
    pub const fn i32_from(self, bytes: [u8; 4]) -> i32 {
        match self {
            Self::Little => i32::from_le_bytes(bytes),
            Self::Big => i32::from_be_bytes(bytes),
        }
    }

    /// The integer that two bytes in this order stand for.
    #[must_use]
    pub const fn u16_from(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_flag_means_native_order_and_the_other_flag_means_swapped() {
        assert_eq!(ByteOrder::from_flag(ByteOrder::NATIVE_FLAG), ByteOrder::NATIVE);
        assert_eq!(ByteOrder::from_flag(ByteOrder::NATIVE_FLAG ^ 1), ByteOrder::NATIVE.opposite());
        for order in [ByteOrder::Little, ByteOrder::Big] {
            assert_eq!(ByteOrder::from_flag(order.flag()), order);
        }
    }

    #[test]
    fn bits_other_than_bit_0_are_ignored() {
        assert_eq!(ByteOrder::from_flag(0xFE), ByteOrder::from_flag(0));
        assert_eq!(ByteOrder::from_flag(0xFF), ByteOrder::from_flag(1));
    }
}
