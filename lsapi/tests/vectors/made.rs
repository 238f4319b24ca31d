//! Vectors that are too long to be files: the list says how to make them, and what their checksum is.

use lsapi::{ByteOrder, PacketType, RawHeader, RawResponseHeader, RequestBuilder};
use serde::Deserialize;

use crate::described::Packet;

/// What to make, and how much of it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Make {
    RequestOfLength(usize),
    RequestWithVariables(usize),
    RequestWithHeaders(usize),
    StreamOf(usize),
    HeadWithLines(usize),
    HeadOf(usize),
}

/// Bytes of a packet with a header X-Filler that has no value.
const WITHOUT_FILLER: usize = 242;

impl Make {
    pub(crate) fn bytes(self) -> Vec<u8> {
        let request = || RequestBuilder::bare().order(ByteOrder::Little);
        match self {
            Self::RequestOfLength(length) => {
                request().header("X-Filler", vec![b'f'; length - WITHOUT_FILLER]).encode()
            }
            Self::RequestWithVariables(count) => {
                (0..count).fold(request(), |request, n| request.env(format!("K{n}"), "v")).encode()
            }
            Self::RequestWithHeaders(count) => {
                (0..count).fold(request(), |request, n| request.header(format!("X-{n}"), "v")).encode()
            }
            Self::StreamOf(length) => {
                let header = RawHeader::new(PacketType::RespStream, ByteOrder::Little);
                [&header.encode(ByteOrder::Little, length)[..], &vec![b's'; length]].concat()
            }
            Self::HeadWithLines(count) => (0..count)
                .fold(RawResponseHeader::new(200), |head, n| head.line(format!("X-{n}: v").as_bytes()))
                .encode(),
            Self::HeadOf(payload) => {
                let line = |n: usize, filler: usize| format!("X-{n}: {}", "f".repeat(filler)).into_bytes();
                let head = (0..4).fold(RawResponseHeader::new(200), |head, n| head.line(&line(n, 13_000)));
                let rest = payload - 8 - 5 * 2 - head.lines.len();
                head.line(&line(4, rest - "X-4: \0".len())).encode()
            }
        }
    }

    pub(crate) const fn count(self) -> usize {
        match self {
            Self::RequestOfLength(count)
            | Self::RequestWithVariables(count)
            | Self::RequestWithHeaders(count)
            | Self::StreamOf(count)
            | Self::HeadWithLines(count)
            | Self::HeadOf(count) => count,
        }
    }

    /// How much of it a decoded packet has.
    pub(crate) fn count_in(self, packet: &Packet) -> usize {
        match (self, packet) {
            (Self::RequestOfLength(_), Packet::BeginRequest(request)) => request.length,
            (Self::RequestWithVariables(_), Packet::BeginRequest(request)) => request.variables.len(),
            (Self::RequestWithHeaders(_), Packet::BeginRequest(request)) => request.unknown_headers.len(),
            (Self::StreamOf(_), Packet::RespStream(stream)) => {
                stream.payload.as_deref().unwrap_or_default().len()
            }
            (Self::HeadWithLines(_), Packet::RespHeader(head)) => head.headers.len(),
            (Self::HeadOf(_), Packet::RespHeader(head)) => head.length - 8,
            _ => panic!("{self:?} is another packet"),
        }
    }
}
