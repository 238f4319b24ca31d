//! Decoding what an application sends, with the checks a real server makes before it looks further.

use crate::error::{DecodeError, Reason};
use crate::limits::{MAX_RESPONSE_HEADER_PAYLOAD, MAX_STREAM_PAYLOAD, MIN_RESPONSE_HEADER_PAYLOAD};
use crate::{HEADER_LEN, PacketHeader, PacketType, ResponseHeader, read};

/// What a STDERR_STREAM payload starts with when it is a PID notice and not text; the pid follows.
pub(crate) const PID_MARK: [u8; 4] = *b"\0PID";

/// A packet from the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppPacket<'a> {
    /// Status and header lines.
    RespHeader(ResponseHeader<'a>),
    /// Bytes of the body, possibly none.
    RespStream(&'a [u8]),
    /// The response is complete.
    RespEnd,
    /// Text for the server's log.
    Stderr(&'a [u8]),
    /// A process of a group announces its pid on its first connection; counts as [`AppPacket::ReqReceived`].
    PidNotice(i32),
    /// The request has been received. Servers tolerate and ignore a payload.
    ReqReceived,
    /// No further request, please.
    ConnClose,
    /// Reserved; a server ignores it.
    InternalError,
}

impl<'a> AppPacket<'a> {
    /// Decodes the packet at the start of `buf` and returns it with its header.
    ///
    /// # Errors
    /// [`DecodeError::Incomplete`] until the packet is whole; [`DecodeError::Invalid`] where a real server logs
    /// "packet header is invalid" and drops the connection.
    pub fn decode(buf: &'a [u8]) -> Result<(PacketHeader, Self), DecodeError> {
        let header = PacketHeader::decode(buf)?;
        let unexpected = || DecodeError::invalid("type", 2, header.type_byte, Reason::UnexpectedType);
        let ty = header.packet_type().filter(|ty| !ty.is_from_server()).ok_or_else(unexpected)?;
        check_payload_len(ty, header.payload_len())?;
        let Some(payload) = buf.get(HEADER_LEN..header.len) else {
            return Err(DecodeError::Incomplete { need: header.len });
        };
        let packet = match ty {
            PacketType::RespHeader => Self::RespHeader(ResponseHeader::decode(payload, header.order())?),
            PacketType::RespStream => Self::RespStream(payload),
            PacketType::RespEnd => Self::RespEnd,
            PacketType::StderrStream => match payload.strip_prefix(&PID_MARK) {
                Some(pid) if pid.len() == 4 => {
                    Self::PidNotice(read::i32_at(pid, 0, header.order()).unwrap_or_default())
                }
                _ => Self::Stderr(payload),
            },
            PacketType::ReqReceived => Self::ReqReceived,
            PacketType::ConnClose => Self::ConnClose,
            PacketType::InternalError if payload.is_empty() => Self::InternalError,
            _ => return Err(unexpected()),
        };
        Ok((header, packet))
    }

    /// The packet's type.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::RespHeader(_) => PacketType::RespHeader,
            Self::RespStream(_) => PacketType::RespStream,
            Self::RespEnd => PacketType::RespEnd,
            Self::Stderr(_) | Self::PidNotice(_) => PacketType::StderrStream,
            Self::ReqReceived => PacketType::ReqReceived,
            Self::ConnClose => PacketType::ConnClose,
            Self::InternalError => PacketType::InternalError,
        }
    }
}

fn check_payload_len(ty: PacketType, len: usize) -> Result<(), DecodeError> {
    let (min, max) = match ty {
        PacketType::RespHeader => (MIN_RESPONSE_HEADER_PAYLOAD, MAX_RESPONSE_HEADER_PAYLOAD),
        PacketType::RespEnd | PacketType::ConnClose => (0, 0),
        _ => (0, MAX_STREAM_PAYLOAD),
    };
    let reason = if len < min {
        Reason::TooShort { min: HEADER_LEN + min }
    } else if len > max {
        if max == 0 { Reason::PayloadNotEmpty } else { Reason::TooLarge { max: HEADER_LEN + max } }
    } else {
        return Ok(());
    };
    let value = i64::try_from(HEADER_LEN + len).unwrap_or(i64::MAX);
    Err(DecodeError::invalid("packetLen", 4, value, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CONN_CLOSE, REQ_RECEIVED, RESP_END, ResponseHead, pid_notice, put_stderr, put_stream};

    fn packet(ty: u8, payload: &[u8]) -> Vec<u8> {
        let mut header = PacketHeader::new(PacketType::RespEnd, payload.len());
        header.type_byte = ty;
        [&header.encode(), payload].concat()
    }

    fn refused(bytes: &[u8]) -> String {
        AppPacket::decode(bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_whole_response_decodes_packet_by_packet() {
        let mut bytes = REQ_RECEIVED.to_vec();
        let mut head = ResponseHead::default();
        head.push(b"Content-Type", b"text/plain").unwrap();
        head.encode(404, &mut bytes).unwrap();
        put_stderr(b"oops\n", &mut bytes);
        put_stream(b"hello", &mut bytes);
        bytes.extend(CONN_CLOSE);
        bytes.extend(RESP_END);

        let mut rest = &bytes[..];
        let mut types = Vec::new();
        while !rest.is_empty() {
            let (header, packet) = AppPacket::decode(rest).unwrap();
            if let AppPacket::RespHeader(head) = packet {
                assert_eq!((head.status(), head.count(), head.surplus()), (404, 1, 0));
                let line = head.lines().next().unwrap();
                assert!(line.is_terminated());
                assert_eq!(line.name_value(), Some((&b"Content-Type"[..], &b"text/plain"[..])));
            }
            types.push(packet.packet_type().byte());
            rest = &rest[header.len..];
        }
        assert_eq!(types, [7, 3, 6, 4, 8, 5]);
    }

    #[test]
    fn sizes_are_judged_as_the_server_does() {
        assert!(AppPacket::decode(&packet(4, &[0; 16_384])).is_ok());
        assert_eq!(refused(&packet(4, &[0; 16_385])), "packetLen = 16393 at offset 4: the limit is 16392");
        assert!(refused(&packet(5, b"x")).contains("no payload"));
        assert!(refused(&packet(8, b"x")).contains("no payload"));
        assert!(refused(&packet(3, &[0; 7])).contains("at least 16"));
        assert!(AppPacket::decode(&packet(3, &[0; 65_535])).is_ok());
        assert!(refused(&packet(3, &[0; 65_536])).contains("the limit is 65543"));
        assert_eq!(AppPacket::decode(&packet(4, b"")).unwrap().1, AppPacket::RespStream(b""));
        assert_eq!(AppPacket::decode(&packet(7, b"abcd")).unwrap().1, AppPacket::ReqReceived);
        assert_eq!(AppPacket::decode(&packet(9, b"")).unwrap().1, AppPacket::InternalError);
        for ty in [0, 1, 2, 10, 255] {
            assert!(refused(&packet(ty, b"")).starts_with(&format!("type = {ty}")));
        }
        assert!(refused(&packet(9, b"x")).starts_with("type = 9"));
    }

    #[test]
    fn header_counts_are_judged_as_the_server_does() {
        let count = |count: i32, rest: &[u8]| {
            packet(3, &[&count.to_ne_bytes()[..], &200_i32.to_ne_bytes(), rest].concat())
        };
        assert!(AppPacket::decode(&count(4095, &[0; 8190])).is_ok());
        assert!(refused(&count(4096, &[0; 8192])).starts_with("cntHeaders = 4096 at offset 8"));
        assert!(refused(&count(-1, &[])).contains("negative"));
        assert!(refused(&count(2, &[0; 3])).contains("outside its block"));
    }

    #[test]
    fn pid_notice_is_told_from_text() {
        assert_eq!(AppPacket::decode(&pid_notice(4711)).unwrap().1, AppPacket::PidNotice(4711));
        let text = packet(6, b"\0PID123");
        assert_eq!(AppPacket::decode(&text).unwrap().1, AppPacket::Stderr(b"\0PID123"));
    }
}
