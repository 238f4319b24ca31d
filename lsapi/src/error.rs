//! Why bytes could not be decoded: not enough of them yet, or wrong ones.

use std::fmt;

/// The outcome of decoding that is not a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes are right as far as they go, and the packet is not complete.
    Incomplete {
        /// Bytes, counted from the start of the packet, that must be there before decoding can get any further.
        /// Always more than there were.
        need: usize,
    },
    /// The bytes can never become a packet. The connection they came from is beyond repair.
    Invalid(Invalid),
}

impl DecodeError {
    pub(crate) fn invalid(field: &'static str, offset: usize, value: impl Into<i64>, reason: Reason) -> Self {
        Self::Invalid(Invalid { field, offset, value: value.into(), reason })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete { need } => write!(f, "packet is incomplete, {need} bytes are needed"),
            Self::Invalid(invalid) => invalid.fmt(f),
        }
    }
}

impl std::error::Error for DecodeError {}

/// What is wrong with a packet, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The field as the protocol's descriptions name it, for example `cntEnv`.
    pub field: &'static str,
    /// Where the field starts, in bytes from the start of the packet.
    pub offset: usize,
    /// The value found there.
    pub value: i64,
    /// What rule it breaks.
    pub reason: Reason,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, offset, value, reason } = self;
        write!(f, "{field} = {value} at offset {offset}: {reason}")
    }
}

impl std::error::Error for Invalid {}

/// The rule a packet breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The first two bytes are not `LS`.
    NotMagic,
    /// The type does not exist or is not sent in this direction.
    UnexpectedType,
    /// The packet is shorter than its fixed part.
    TooShort {
        /// The least it may be, in bytes.
        min: usize,
    },
    /// The packet, or a count in it, is more than the limit.
    TooLarge {
        /// The most it may be.
        max: usize,
    },
    /// A count, length or offset is below zero, or below what the protocol gives a meaning to.
    Negative,
    /// An offset, or an offset with its length, leaves the block it belongs to.
    OutOfBlock {
        /// Size of the block, in bytes.
        size: usize,
    },
    /// An entry of an environment list, or the list itself, does not fit into the packet.
    Overrun,
    /// An environment list ends before the number of entries announced for it.
    ListTooShort,
    /// An environment list does not end with four zero bytes after its last entry.
    NoListTerminator,
    /// An environment key or value has length 0; an empty one has length 1, for its NUL.
    NoRoomForNul,
    /// A string that should end with NUL runs to the end of the packet.
    NoStringTerminator,
    /// The packet length is not the sum of the parts.
    LayoutMismatch {
        /// The length the parts add up to, in bytes.
        computed: i64,
    },
    /// A packet that has no payload has some.
    PayloadNotEmpty,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMagic => f.write_str("packets start with 'LS' (0x4c 0x53)"),
            Self::UnexpectedType => f.write_str("no packet of this type is expected here"),
            Self::TooShort { min } => write!(f, "at least {min} is required"),
            Self::TooLarge { max } => write!(f, "the limit is {max}"),
            Self::Negative => f.write_str("negative values have no meaning here"),
            Self::OutOfBlock { size } => write!(f, "outside its block of {size} bytes"),
            Self::Overrun => f.write_str("the environment list runs past the end of the packet"),
            Self::ListTooShort => f.write_str("the environment list ends before its announced count"),
            Self::NoListTerminator => {
                f.write_str("four zero bytes must follow the last entry of an environment list")
            }
            Self::NoRoomForNul => f.write_str("environment lengths include a NUL and are at least 1"),
            Self::NoStringTerminator => f.write_str("the string there has no terminating NUL"),
            Self::LayoutMismatch { computed } => write!(f, "the parts add up to {computed} bytes"),
            Self::PayloadNotEmpty => f.write_str("this packet type has no payload"),
        }
    }
}
