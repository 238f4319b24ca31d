//! What a server may send where a packet is expected.

use crate::error::{DecodeError, Reason};
use crate::{BeginRequest, HEADER_LEN, PacketHeader, PacketType};

/// The ABORT_REQUEST packet of a server on this machine. The server closes the connection right after it.
pub const ABORT_REQUEST: [u8; HEADER_LEN] = PacketHeader::new(PacketType::AbortRequest, 0).encode();

/// A packet from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "decoded in place and used at once; boxing would allocate per request"
)]
pub enum ServerPacket<'a> {
    /// A request.
    BeginRequest(BeginRequest<'a>),
    /// The client of the request before is gone; nothing else comes on this connection.
    AbortRequest,
}

impl<'a> ServerPacket<'a> {
    /// Decodes the packet at the start of `buf`, see [`BeginRequest::decode`].
    ///
    /// # Errors
    /// As for [`BeginRequest::decode`]; also for an ABORT_REQUEST that has a payload.
    pub fn decode(buf: &'a [u8], max_packet: usize) -> Result<Self, DecodeError> {
        if !Self::is_abort(buf) {
            return BeginRequest::decode(buf, max_packet).map(Self::BeginRequest);
        }
        Self::frame(buf, max_packet).map(|_| Self::AbortRequest)
    }

    /// Judges the header of the packet at the start of `buf` and nothing else, so that a reader knows how much to wait
    /// for. `Ok` says that the whole packet is there; [`decode`](Self::decode) still has to look into it.
    ///
    /// # Errors
    /// As for [`decode`](Self::decode).
    pub fn frame(buf: &[u8], max_packet: usize) -> Result<PacketHeader, DecodeError> {
        if !Self::is_abort(buf) {
            return BeginRequest::frame(buf, max_packet);
        }
        let header = PacketHeader::decode(buf)?;
        if header.len != HEADER_LEN {
            let len = i64::try_from(header.len).unwrap_or(i64::MAX);
            return Err(DecodeError::invalid("packetLen", 4, len, Reason::PayloadNotEmpty));
        }
        Ok(header)
    }

    fn is_abort(buf: &[u8]) -> bool {
        buf.get(2) == Some(&PacketType::AbortRequest.byte())
    }

    /// Length of the packet in bytes.
    #[must_use]
    pub const fn packet_len(&self) -> usize {
        match self {
            Self::BeginRequest(request) => request.packet_len(),
            Self::AbortRequest => HEADER_LEN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_REQUEST_PACKET;

    #[test]
    fn abort_is_recognised_and_has_no_payload() {
        assert_eq!(ServerPacket::decode(&ABORT_REQUEST, MAX_REQUEST_PACKET), Ok(ServerPacket::AbortRequest));
        let long = PacketHeader::new(PacketType::AbortRequest, 1).encode();
        assert!(matches!(ServerPacket::decode(&long, MAX_REQUEST_PACKET), Err(DecodeError::Invalid(_))));
        assert_eq!(
            ServerPacket::frame(&ABORT_REQUEST, MAX_REQUEST_PACKET).map(|header| header.len),
            Ok(HEADER_LEN)
        );
        let cut = ServerPacket::decode(&ABORT_REQUEST[..3], MAX_REQUEST_PACKET);
        assert_eq!(cut, Err(DecodeError::Incomplete { need: HEADER_LEN }));
    }

    #[test]
    fn types_of_the_application_are_refused_by_their_third_byte() {
        for ty in (0..=255).filter(|ty| ![1, 2].contains(ty)) {
            let error = ServerPacket::decode(&[b'L', b'S', ty], MAX_REQUEST_PACKET).unwrap_err();
            assert!(error.to_string().starts_with(&format!("type = {ty} at offset 2")), "{error}");
        }
    }
}
