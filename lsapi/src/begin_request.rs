//! Decoding BEGIN_REQUEST, the one structured packet a server sends.
//!
//! ```text
//!   0  packet header            8 bytes
//!   8  nine integers            httpHeaderLen reqBodyLen scriptFileOff scriptNameOff queryStringOff
//!                               requestMethodOff cntUnknownHeaders cntEnv cntSpecialEnv
//!  44  special environment      entries, four zero bytes
//!      environment              entries, four zero bytes
//!      padding                  to a multiple of 8, counted from the packet's start
//!      known-header index       152 bytes
//!      unknown-header array     16 bytes each
//!      header block             httpHeaderLen bytes, the end of the packet
//! ```

use std::ffi::CStr;

use crate::error::{DecodeError, Reason};
use crate::limits::{BEGIN_REQUEST_FIXED, HEADER_INDEX_LEN, UNKNOWN_HEADER_LEN};
use crate::{
    BodyLength, ByteOrder, EnvList, KnownHeader, KnownHeaders, PacketHeader, PacketType, UnknownHeaders, read,
};

/// A request packet, checked whole: every accessor is a lookup that cannot fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeginRequest<'a> {
    header: PacketHeader,
    req_body_len: i32,
    string_offsets: [i32; 4],
    script_filename: Option<&'a [u8]>,
    script_name: Option<&'a [u8]>,
    query_string: Option<&'a [u8]>,
    request_method: Option<&'a [u8]>,
    special_env: EnvList<'a>,
    env: EnvList<'a>,
    padding: &'a [u8],
    known: KnownHeaders<'a>,
    unknown: UnknownHeaders<'a>,
    block: &'a [u8],
    body_length: BodyLength,
}

impl<'a> BeginRequest<'a> {
    /// Decodes the BEGIN_REQUEST at the start of `buf`; bytes after it are body and are left alone.
    ///
    /// `max_packet` is the longest packet accepted, in bytes, normally
    /// [`MAX_REQUEST_PACKET`](crate::limits::MAX_REQUEST_PACKET).
    ///
    /// # Errors
    /// [`DecodeError::Incomplete`] until the whole packet is there, [`DecodeError::Invalid`] as soon as it is certain
    /// that it never will be right. Magic, type and length are judged before the rest has arrived.
    pub fn decode(buf: &'a [u8], max_packet: usize) -> Result<Self, DecodeError> {
        let header = Self::frame(buf, max_packet)?;
        let Some(packet) = buf.get(..header.len) else {
            return Err(DecodeError::Incomplete { need: header.len });
        };
        Self::decode_packet(header, packet)
    }

    /// The first part of [`decode`](Self::decode): magic, type and length. `Ok` says that the whole packet is there.
    pub(crate) fn frame(buf: &[u8], max_packet: usize) -> Result<PacketHeader, DecodeError> {
        // A wrong type shows in the third byte; there is no reason to wait for the eighth.
        if let (Some(&type_byte), [b'L', b'S', ..]) = (buf.get(2), buf)
            && type_byte != PacketType::BeginRequest.byte()
        {
            return Err(DecodeError::invalid("type", 2, type_byte, Reason::UnexpectedType));
        }
        let header = PacketHeader::decode(buf)?;
        let bad_len = |reason| Err(DecodeError::invalid("packetLen", 4, as_i64(header.len), reason));
        if header.len < BEGIN_REQUEST_FIXED {
            return bad_len(Reason::TooShort { min: BEGIN_REQUEST_FIXED });
        }
        if header.len > max_packet {
            return bad_len(Reason::TooLarge { max: max_packet });
        }
        if buf.len() < header.len {
            return Err(DecodeError::Incomplete { need: header.len });
        }
        Ok(header)
    }

    fn decode_packet(header: PacketHeader, packet: &'a [u8]) -> Result<Self, DecodeError> {
        let order = header.order();
        let int = |at| read::i32_at(packet, at, order).unwrap_or_default();

        let (special_env, at) = EnvList::decode(packet, BEGIN_REQUEST_FIXED, int(40), ("cntSpecialEnv", 40))?;
        let (env, env_end) = EnvList::decode(packet, at, int(36), ("cntEnv", 36))?;

        // Everything behind the lists has a computed place, so the length of the packet is known from here on.
        let index_at = env_end.next_multiple_of(8);
        let http_header_len = non_negative("httpHeaderLen", 8, int(8))?;
        let cnt_unknown = non_negative("cntUnknownHeaders", 32, int(32))?;
        let array_at = index_at + HEADER_INDEX_LEN;
        let computed = array_at as u64 + cnt_unknown * UNKNOWN_HEADER_LEN as u64 + http_header_len;
        if computed != packet.len() as u64 {
            let computed = i64::try_from(computed).unwrap_or(i64::MAX);
            let reason = Reason::LayoutMismatch { computed };
            return Err(DecodeError::invalid("packetLen", 4, as_i64(packet.len()), reason));
        }
        // The sum matched, so neither conversion below can lose anything and every slice is there.
        let block_at = packet.len() - usize::try_from(http_header_len).unwrap_or_default();
        let block = packet.get(block_at..).unwrap_or_default();
        let index = packet.get(index_at..).and_then(<[u8]>::first_chunk).unwrap_or(&[0; HEADER_INDEX_LEN]);
        let array = packet.get(array_at..block_at).unwrap_or_default();

        let known = KnownHeaders::decode(index, block, order, index_at)?;
        let unknown = UnknownHeaders::decode(array, block, order, array_at)?;
        let req_body_len = int(12);
        Ok(Self {
            header,
            req_body_len,
            string_offsets: [int(16), int(20), int(24), int(28)],
            script_filename: string(packet, "scriptFileOff", 16, int(16))?,
            script_name: string(packet, "scriptNameOff", 20, int(20))?,
            query_string: string(packet, "queryStringOff", 24, int(24))?,
            request_method: string(packet, "requestMethodOff", 28, int(28))?,
            special_env,
            env,
            padding: packet.get(env_end..index_at).unwrap_or_default(),
            known,
            unknown,
            block,
            body_length: BodyLength::decode(req_body_len, known.get(KnownHeader::ContentLength))?,
        })
    }

    /// Length of the packet in bytes; the body starts there.
    #[must_use]
    pub const fn packet_len(&self) -> usize {
        self.header.len
    }

    /// The packet header.
    #[must_use]
    pub const fn header(&self) -> PacketHeader {
        self.header
    }

    /// The byte order of the packet's integers.
    #[must_use]
    pub const fn order(&self) -> ByteOrder {
        self.header.order()
    }

    /// How much body follows the packet.
    #[must_use]
    pub const fn body_length(&self) -> BodyLength {
        self.body_length
    }

    /// `reqBodyLen` as sent.
    #[must_use]
    pub const fn req_body_len(&self) -> i32 {
        self.req_body_len
    }

    /// Path of the script file; absent when the server has no real path for it (its offset is 0 then).
    #[must_use]
    pub const fn script_filename(&self) -> Option<&'a [u8]> {
        self.script_filename
    }

    /// Decoded URI path of the script, without path info.
    #[must_use]
    pub const fn script_name(&self) -> Option<&'a [u8]> {
        self.script_name
    }

    /// The raw query string.
    #[must_use]
    pub const fn query_string(&self) -> Option<&'a [u8]> {
        self.query_string
    }

    /// The request method.
    #[must_use]
    pub const fn request_method(&self) -> Option<&'a [u8]> {
        self.request_method
    }

    /// `scriptFileOff`, `scriptNameOff`, `queryStringOff` and `requestMethodOff` as sent.
    #[must_use]
    pub const fn string_offsets(&self) -> [i32; 4] {
        self.string_offsets
    }

    /// The special environment: PHP ini overrides and suEXEC credentials, names starting with a control byte.
    #[must_use]
    pub const fn special_env(&self) -> EnvList<'a> {
        self.special_env
    }

    /// The CGI variables of the request. HTTP headers are not among them.
    #[must_use]
    pub const fn env(&self) -> EnvList<'a> {
        self.env
    }

    /// The bytes between the environment and the header index, 0 to 7 of them.
    #[must_use]
    pub const fn padding(&self) -> &'a [u8] {
        self.padding
    }

    /// The value of a known header, if the request has it.
    #[inline]
    #[must_use]
    pub fn known_header(&self, header: KnownHeader) -> Option<&'a [u8]> {
        self.known.get(header)
    }

    /// All known headers.
    #[must_use]
    pub const fn known_headers(&self) -> KnownHeaders<'a> {
        self.known
    }

    /// The headers without a slot of their own, in wire order, duplicates of known ones among them.
    #[must_use]
    pub const fn unknown_headers(&self) -> UnknownHeaders<'a> {
        self.unknown
    }

    /// The header block: normally the raw HTTP request head, with four NULs in front.
    #[must_use]
    pub const fn header_block(&self) -> &'a [u8] {
        self.block
    }
}

/// The NUL-terminated string at `offset`; offset 0 means that there is none.
fn string<'a>(
    packet: &'a [u8],
    field: &'static str,
    at: usize,
    offset: i32,
) -> Result<Option<&'a [u8]>, DecodeError> {
    let invalid = |reason| DecodeError::invalid(field, at, offset, reason);
    let start = usize::try_from(offset).map_err(|_| invalid(Reason::Negative))?;
    if start == 0 {
        return Ok(None);
    }
    let rest = packet.get(start..).filter(|rest| !rest.is_empty());
    let rest = rest.ok_or_else(|| invalid(Reason::OutOfBlock { size: packet.len() }))?;
    let string = CStr::from_bytes_until_nul(rest).map_err(|_| invalid(Reason::NoStringTerminator))?;
    Ok(Some(string.to_bytes()))
}

fn non_negative(field: &'static str, at: usize, value: i32) -> Result<u64, DecodeError> {
    u64::try_from(value).map_err(|_| DecodeError::invalid(field, at, value, Reason::Negative))
}

fn as_i64(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
