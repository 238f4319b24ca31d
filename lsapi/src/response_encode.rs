//! Encoding what an application sends.
//!
//! Everything is in native byte order with the native flag. The fixed packets are constants; the rest is appended to a
//! buffer the caller keeps from response to response.

use std::fmt;

use crate::app_packet::PID_MARK;
use crate::limits::{
    MAX_RESPONSE_HEADER_LINE, MAX_RESPONSE_HEADER_PAYLOAD, MAX_RESPONSE_HEADERS, MAX_STREAM_PAYLOAD,
    MIN_RESPONSE_HEADER_PAYLOAD,
};
use crate::{ByteOrder, HEADER_LEN, PacketHeader, PacketType};

/// The RESP_END packet.
pub const RESP_END: [u8; HEADER_LEN] = PacketHeader::new(PacketType::RespEnd, 0).encode();

/// The REQ_RECEIVED packet.
pub const REQ_RECEIVED: [u8; HEADER_LEN] = PacketHeader::new(PacketType::ReqReceived, 0).encode();

/// The CONN_CLOSE packet.
pub const CONN_CLOSE: [u8; HEADER_LEN] = PacketHeader::new(PacketType::ConnClose, 0).encode();

/// CONN_CLOSE and RESP_END, in the order that is free of races: the server knows that the connection ends before it could
/// put it back into its pool.
pub const CLOSE_AND_END: [u8; 2 * HEADER_LEN] = {
    let mut both = [0; 2 * HEADER_LEN];
    let (close, end) = both.split_at_mut(HEADER_LEN);
    close.copy_from_slice(&CONN_CLOSE);
    end.copy_from_slice(&RESP_END);
    both
};

/// The PID notice of process `pid`: a STDERR_STREAM packet of exactly 16 bytes.
#[must_use]
pub const fn pid_notice(pid: i32) -> [u8; 16] {
    let [h0, h1, h2, h3, h4, h5, h6, h7] = PacketHeader::new(PacketType::StderrStream, 8).encode();
    let [m0, m1, m2, m3] = PID_MARK;
    let [p0, p1, p2, p3] = ByteOrder::NATIVE.i32_bytes(pid);
    [h0, h1, h2, h3, h4, h5, h6, h7, m0, m1, m2, m3, p0, p1, p2, p3]
}

/// The header of a RESP_STREAM packet with `len` bytes of payload, at most
/// [`MAX_STREAM_PAYLOAD`](crate::limits::MAX_STREAM_PAYLOAD).
#[must_use]
pub const fn stream_header(len: usize) -> [u8; HEADER_LEN] {
    PacketHeader::new(PacketType::RespStream, len).encode()
}

/// Appends `body` as RESP_STREAM packets, as many as its length takes; none for an empty one.
pub fn put_stream(body: &[u8], out: &mut Vec<u8>) {
    for chunk in body.chunks(MAX_STREAM_PAYLOAD) {
        put_packet(PacketType::RespStream, chunk, out);
    }
}

/// Appends `text` as STDERR_STREAM packets, as many as its length takes; none for an empty one. Where it has to be cut, it
/// is cut behind a line if there is one, because a server logs packet by packet.
pub fn put_stderr(mut text: &[u8], out: &mut Vec<u8>) {
    while !text.is_empty() {
        let (most, beyond) = text.split_at(text.len().min(MAX_STREAM_PAYLOAD));
        let newline = most.iter().rposition(|&byte| byte == b'\n').filter(|_| !beyond.is_empty());
        let (chunk, rest) = text.split_at(newline.map_or(most.len(), |at| at + 1));
        text = rest;
        // A server takes a payload of this shape for a PID notice and does not log it. In two packets it is text.
        let split =
            if chunk.len() == 8 && chunk.starts_with(&PID_MARK) { PID_MARK.len() } else { chunk.len() };
        for piece in chunk.chunks(split) {
            put_packet(PacketType::StderrStream, piece, out);
        }
    }
}

fn put_packet(ty: PacketType, payload: &[u8], out: &mut Vec<u8>) {
    out.extend(PacketHeader::new(ty, payload.len()).encode());
    out.extend(payload);
}

/// The header lines of a response under construction. Cleared and used again, it does not allocate.
///
/// It keeps to the limits an application has to keep so that a real server delivers the response; it does not look at
/// the bytes of names and values.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    lengths: Vec<u16>,
    lines: Vec<u8>,
}

impl ResponseHead {
    /// Forgets all lines and keeps the memory.
    pub fn clear(&mut self) {
        self.lengths.clear();
        self.lines.clear();
    }

    /// Number of lines.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there is no line yet. A response without any is an error to the server.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Adds the line `name: value`.
    ///
    /// # Errors
    /// [`HeadError`] when the line or the head would pass a limit; the head is then as it was before.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        let len = name.len() + 2 + value.len();
        if len > MAX_RESPONSE_HEADER_LINE {
            return Err(HeadError::LineTooLong { len });
        }
        if self.lengths.len() >= MAX_RESPONSE_HEADERS {
            return Err(HeadError::TooManyHeaders);
        }
        let payload = self.payload_len() + 2 + len + 1;
        if payload > MAX_RESPONSE_HEADER_PAYLOAD {
            return Err(HeadError::HeadTooLarge { payload });
        }
        // The limit above is far below what sixteen bits hold.
        self.lengths.push(u16::try_from(len + 1).unwrap_or(u16::MAX));
        self.lines.reserve(len + 1);
        self.lines.extend_from_slice(name);
        self.lines.extend_from_slice(b": ");
        self.lines.extend_from_slice(value);
        self.lines.push(0);
        Ok(())
    }

    /// Payload of the packet these lines make, in bytes.
    #[must_use]
    pub const fn payload_len(&self) -> usize {
        MIN_RESPONSE_HEADER_PAYLOAD + 2 * self.lengths.len() + self.lines.len()
    }

    /// Appends the RESP_HEADER packet with `status`.
    ///
    /// # Errors
    /// [`HeadError::NoHeaders`]: the server would not take a head without lines for one.
    pub fn encode(&self, status: u16, out: &mut Vec<u8>) -> Result<(), HeadError> {
        let Ok(count @ 1..) = i32::try_from(self.lengths.len()) else { return Err(HeadError::NoHeaders) };
        let order = ByteOrder::NATIVE;
        let payload = self.payload_len();
        out.reserve(HEADER_LEN + payload);
        out.extend_from_slice(&PacketHeader::new(PacketType::RespHeader, payload).encode());
        out.extend_from_slice(&order.i32_bytes(count));
        out.extend_from_slice(&order.i32_bytes(status.into()));
        for &len in &self.lengths {
            out.extend_from_slice(&order.u16_bytes(len));
        }
        out.extend_from_slice(&self.lines);
        Ok(())
    }
}

/// A response head that a real server would not deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// One line is longer than [`MAX_RESPONSE_HEADER_LINE`].
    LineTooLong {
        /// Its length in bytes, `": "` included.
        len: usize,
    },
    /// There are already [`MAX_RESPONSE_HEADERS`] lines.
    TooManyHeaders,
    /// The packet would pass [`MAX_RESPONSE_HEADER_PAYLOAD`].
    HeadTooLarge {
        /// The payload it would have, in bytes.
        payload: usize,
    },
    /// There is no line at all.
    NoHeaders,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong { len } => {
                write!(f, "a response header line of {len} bytes, the limit is {MAX_RESPONSE_HEADER_LINE}")
            }
            Self::TooManyHeaders => write!(f, "more than {MAX_RESPONSE_HEADERS} response headers"),
            Self::HeadTooLarge { payload } => write!(
                f,
                "response headers of {payload} bytes together, the limit is {MAX_RESPONSE_HEADER_PAYLOAD}"
            ),
            Self::NoHeaders => f.write_str("a response without any header"),
        }
    }
}

impl std::error::Error for HeadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stop_at_the_limits_and_leave_the_head_as_it_was() {
        let mut head = ResponseHead::default();
        head.push(b"X", &[b'v'; MAX_RESPONSE_HEADER_LINE - 3]).unwrap();
        let before = head.payload_len();
        let error = head.push(b"X", &[b'v'; MAX_RESPONSE_HEADER_LINE - 2]).unwrap_err();
        assert_eq!(error, HeadError::LineTooLong { len: MAX_RESPONSE_HEADER_LINE + 1 });
        assert_eq!(head.payload_len(), before);

        head.clear();
        for _ in 0..MAX_RESPONSE_HEADERS {
            head.push(b"A", b"b").unwrap();
        }
        assert_eq!(head.push(b"A", b"b"), Err(HeadError::TooManyHeaders));
    }

    #[test]
    fn payload_fills_to_the_last_byte_and_no_further() {
        let mut head = ResponseHead::default();
        for _ in 0..4 {
            head.push(b"X", &[b'v'; MAX_RESPONSE_HEADER_LINE - 3]).unwrap();
        }
        let room = MAX_RESPONSE_HEADER_PAYLOAD - head.payload_len();
        let value = vec![b'v'; room - 2 - 1 - 3];
        assert!(matches!(head.clone().push(b"XX", &value), Err(HeadError::HeadTooLarge { .. })));
        head.push(b"X", &value).unwrap();
        assert_eq!(head.payload_len(), MAX_RESPONSE_HEADER_PAYLOAD);
    }

    #[test]
    fn long_error_text_is_cut_behind_lines_where_it_has_any() {
        let sizes = |text: &[u8]| {
            let mut out = Vec::new();
            put_stderr(text, &mut out);
            let (mut rest, mut sizes) = (&out[..], Vec::new());
            while !rest.is_empty() {
                let header = PacketHeader::decode(rest).unwrap();
                sizes.push(header.len - HEADER_LEN);
                rest = &rest[header.len..];
            }
            sizes
        };
        assert_eq!(sizes(b""), [0; 0]);
        assert_eq!(sizes(&[b'x'; MAX_STREAM_PAYLOAD + 1]), [MAX_STREAM_PAYLOAD, 1]);
        let lines =
            [vec![b'x'; 9_999], vec![b'\n'], vec![b'y'; 9_999], vec![b'\n'], b"partial".to_vec()].concat();
        assert_eq!(sizes(&lines), [10_000, 10_007]);
        assert_eq!(sizes(&lines[..MAX_STREAM_PAYLOAD]), [MAX_STREAM_PAYLOAD]);
    }

    #[test]
    fn an_empty_head_cannot_be_sent() {
        let mut out = Vec::new();
        assert_eq!(ResponseHead::default().encode(200, &mut out), Err(HeadError::NoHeaders));
        assert!(out.is_empty());
    }

    #[test]
    fn long_bodies_are_cut_into_packets_a_server_takes() {
        let mut out = Vec::new();
        put_stream(&[1; 40_000], &mut out);
        assert_eq!(out.len(), 40_000 + 3 * HEADER_LEN);
        let mut empty = Vec::new();
        put_stream(b"", &mut empty);
        assert!(empty.is_empty());
    }
}
