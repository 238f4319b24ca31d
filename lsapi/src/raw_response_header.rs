//! RESP_HEADER as plain data, every field open to be wrong. [`ResponseHead`](crate::ResponseHead) makes right ones;
//! decoding makes faithful ones.

use crate::raw_header::{RawHeader, wrap_i32};
use crate::{ByteOrder, HEADER_LEN, PacketHeader, PacketType, ResponseHeader};

/// All of a RESP_HEADER packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawResponseHeader {
    /// The packet header.
    pub header: RawHeader,
    /// The byte order integers are written in, whatever the flag says.
    pub order: ByteOrder,
    /// `cntHeaders`; `None` writes the number of `lengths`.
    pub cnt_headers: Option<i32>,
    /// `status`.
    pub status: i32,
    /// The length of each line, its NUL included.
    pub lengths: Vec<i16>,
    /// The lines, each with its NUL, back to back; nothing makes them agree with `lengths`.
    pub lines: Vec<u8>,
}

impl RawResponseHeader {
    /// A packet in native order without any line.
    #[must_use]
    pub const fn new(status: i32) -> Self {
        let order = ByteOrder::NATIVE;
        let header = RawHeader::new(PacketType::RespHeader, order);
        Self { header, order, cnt_headers: None, status, lengths: Vec::new(), lines: Vec::new() }
    }

    /// Adds a line, which is given without NUL, and its length.
    ///
    /// As in the C library, a length that does not fit into 16 bits comes out negative.
    #[must_use]
    pub fn line(mut self, line: &[u8]) -> Self {
        self.lines.extend(line);
        self.lines.push(0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "documented above")]
        self.lengths.push((line.len() + 1) as i16);
        self
    }

    /// The packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let payload = 8 + 2 * self.lengths.len() + self.lines.len();
        let count = self.cnt_headers.unwrap_or_else(|| wrap_i32(self.lengths.len()));
        let mut out = Vec::with_capacity(HEADER_LEN + payload);
        out.extend(self.header.encode(self.order, payload));
        out.extend(self.order.i32_bytes(count));
        out.extend(self.order.i32_bytes(self.status));
        for len in &self.lengths {
            out.extend(self.order.u16_bytes(len.cast_unsigned()));
        }
        out.extend(&self.lines);
        out
    }
}

impl From<(PacketHeader, ResponseHeader<'_>)> for RawResponseHeader {
    /// The parts of a decoded packet; encoding them gives the same bytes again.
    fn from((header, response): (PacketHeader, ResponseHeader<'_>)) -> Self {
        Self {
            header: header.into(),
            order: header.order(),
            cnt_headers: None,
            status: response.status(),
            lengths: response.lengths().collect(),
            lines: response.line_bytes().to_vec(),
        }
    }
}
