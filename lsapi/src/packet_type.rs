//! The nine packet types and who sends them.

use std::fmt;

/// The type byte of a packet header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// Server to application: a request. The raw body follows the packet.
    BeginRequest = 1,
    /// Server to application: the client is gone. No payload; the server closes right after it.
    AbortRequest = 2,
    /// Application to server: status and header lines, once per response, before any body.
    RespHeader = 3,
    /// Application to server: bytes of the response body.
    RespStream = 4,
    /// Application to server: the response is complete. No payload.
    RespEnd = 5,
    /// Application to server: text for the server's log, or the PID notice.
    StderrStream = 6,
    /// Application to server: the request packet has been received whole. No payload.
    ReqReceived = 7,
    /// Application to server: do not send another request on this connection. No payload.
    ConnClose = 8,
    /// Application to server: reserved; the server ignores an empty one and refuses any other.
    InternalError = 9,
}

impl PacketType {
    /// All types, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::BeginRequest,
        Self::AbortRequest,
        Self::RespHeader,
        Self::RespStream,
        Self::RespEnd,
        Self::StderrStream,
        Self::ReqReceived,
        Self::ConnClose,
        Self::InternalError,
    ];

    /// The type with this number, if there is one.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::BeginRequest,
            2 => Self::AbortRequest,
            3 => Self::RespHeader,
            4 => Self::RespStream,
            5 => Self::RespEnd,
            6 => Self::StderrStream,
            7 => Self::ReqReceived,
            8 => Self::ConnClose,
            9 => Self::InternalError,
            _ => return None,
        })
    }

    /// The number on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// The name people use, for example `RESP_HEADER`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeginRequest => "BEGIN_REQUEST",
            Self::AbortRequest => "ABORT_REQUEST",
            Self::RespHeader => "RESP_HEADER",
            Self::RespStream => "RESP_STREAM",
            Self::RespEnd => "RESP_END",
            Self::StderrStream => "STDERR_STREAM",
            Self::ReqReceived => "REQ_RECEIVED",
            Self::ConnClose => "CONN_CLOSE",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }

    /// Whether the server sends this type; the application sends the others.
    #[must_use]
    pub const fn is_from_server(self) -> bool {
        matches!(self, Self::BeginRequest | Self::AbortRequest)
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_types_map_both_ways() {
        for (index, ty) in PacketType::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(ty.byte()), index + 1);
            assert_eq!(PacketType::from_byte(ty.byte()), Some(ty));
        }
        for byte in (0..=0).chain(10..=255) {
            assert_eq!(PacketType::from_byte(byte), None);
        }
    }
}
