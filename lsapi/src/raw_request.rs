//! BEGIN_REQUEST as plain data, every field open to be wrong.
//!
//! [`RequestBuilder`](crate::RequestBuilder) makes right ones; decoding makes faithful ones; a test changes what it
//! wants to break. Counts and lengths are computed from the parts unless they are set.

use crate::limits::{BEGIN_REQUEST_FIXED, HEADER_INDEX_LEN, UNKNOWN_HEADER_LEN};
use crate::raw_header::{RawHeader, wrap_i32};
use crate::{BeginRequest, ByteOrder, EnvEntry, EnvList, HEADER_LEN, KnownHeader, UnknownHeaderEntry};

/// An entry of an environment list. Keys and values here include their final NUL.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RawEnv {
    /// The key and its NUL.
    pub key: Vec<u8>,
    /// The value and its NUL.
    pub value: Vec<u8>,
    /// The key length on the wire; `None` writes the length of `key`.
    pub key_len: Option<u16>,
    /// The value length on the wire; `None` writes the length of `value`.
    pub value_len: Option<u16>,
}

impl RawEnv {
    /// A right entry for `key` and `value`, which are given without NUL.
    #[must_use]
    pub fn new(key: &[u8], value: &[u8]) -> Self {
        let terminated = |bytes: &[u8]| [bytes, b"\0"].concat();
        Self { key: terminated(key), value: terminated(value), key_len: None, value_len: None }
    }

    fn wire_len(&self) -> usize {
        4 + self.key.len() + self.value.len()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let len = |set: Option<u16>, bytes: &[u8]| set.unwrap_or_else(|| wrap_u16(bytes.len())).to_be_bytes();
        out.extend(len(self.key_len, &self.key));
        out.extend(len(self.value_len, &self.value));
        out.extend(&self.key);
        out.extend(&self.value);
    }
}

impl From<EnvEntry<'_>> for RawEnv {
    fn from(entry: EnvEntry<'_>) -> Self {
        Self { key: entry.raw_key.to_vec(), value: entry.raw_value.to_vec(), key_len: None, value_len: None }
    }
}

/// All of a BEGIN_REQUEST packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawRequest {
    /// The packet header.
    pub header: RawHeader,
    /// The byte order integers are written in, whatever the flag says.
    pub order: ByteOrder,
    /// `httpHeaderLen`; `None` writes the length of `block`.
    pub http_header_len: Option<i32>,
    /// `reqBodyLen`.
    pub req_body_len: i32,
    /// `scriptFileOff`, `scriptNameOff`, `queryStringOff`, `requestMethodOff`.
    pub string_offsets: [i32; 4],
    /// `cntUnknownHeaders`; `None` writes the number of `unknown`.
    pub cnt_unknown_headers: Option<i32>,
    /// `cntEnv`; `None` writes the number of `env`.
    pub cnt_env: Option<i32>,
    /// `cntSpecialEnv`; `None` writes the number of `special_env`.
    pub cnt_special_env: Option<i32>,
    /// The special environment.
    pub special_env: Vec<RawEnv>,
    /// What ends it, four zero bytes in a right packet.
    pub special_env_terminator: Vec<u8>,
    /// The environment.
    pub env: Vec<RawEnv>,
    /// What ends it, four zero bytes in a right packet.
    pub env_terminator: Vec<u8>,
    /// The bytes before the header index; `None` writes as many zeros as alignment takes.
    pub padding: Option<Vec<u8>>,
    /// Length and offset of each known header.
    pub known: [(u16, i32); KnownHeader::COUNT],
    /// The two bytes between lengths and offsets.
    pub known_hole: [u8; 2],
    /// The unknown headers.
    pub unknown: Vec<UnknownHeaderEntry>,
    /// The header block.
    pub block: Vec<u8>,
}

impl RawRequest {
    /// Offset of the first environment entry, in bytes from the start of the packet.
    #[must_use]
    pub fn env_offset(&self) -> usize {
        let special: usize = self.special_env.iter().map(RawEnv::wire_len).sum();
        BEGIN_REQUEST_FIXED + special + self.special_env_terminator.len()
    }

    /// Offset of the value of environment entry `index`, in bytes from the start of the packet.
    #[must_use]
    pub fn env_value_offset(&self, index: usize) -> Option<i32> {
        let before: usize = self.env.iter().take(index).map(RawEnv::wire_len).sum();
        let key = self.env.get(index)?.key.len();
        i32::try_from(self.env_offset() + before + 4 + key).ok()
    }

    /// The packet.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BEGIN_REQUEST_FIXED + HEADER_INDEX_LEN + self.block.len() + 1024);
        let int = |out: &mut Vec<u8>, value: i32| out.extend(self.order.i32_bytes(value));
        let count = |set: Option<i32>, len: usize| set.unwrap_or_else(|| wrap_i32(len));

        out.extend([0; HEADER_LEN]);
        int(&mut out, count(self.http_header_len, self.block.len()));
        int(&mut out, self.req_body_len);
        for offset in self.string_offsets {
            int(&mut out, offset);
        }
        int(&mut out, count(self.cnt_unknown_headers, self.unknown.len()));
        int(&mut out, count(self.cnt_env, self.env.len()));
        int(&mut out, count(self.cnt_special_env, self.special_env.len()));

        self.special_env.iter().for_each(|entry| entry.encode(&mut out));
        out.extend(&self.special_env_terminator);
        self.env.iter().for_each(|entry| entry.encode(&mut out));
        out.extend(&self.env_terminator);
        match &self.padding {
            Some(padding) => out.extend(padding),
            None => out.resize(out.len().next_multiple_of(8), 0),
        }

        self.known.iter().for_each(|(len, _)| out.extend(self.order.u16_bytes(*len)));
        out.extend(self.known_hole);
        self.known.iter().for_each(|(_, offset)| int(&mut out, *offset));
        out.reserve(self.unknown.len() * UNKNOWN_HEADER_LEN + self.block.len());
        for entry in &self.unknown {
            for value in [entry.name_off, entry.name_len, entry.value_off, entry.value_len] {
                int(&mut out, value);
            }
        }
        out.extend(&self.block);

        let header = self.header.encode(self.order, out.len() - HEADER_LEN);
        if let Some(start) = out.first_chunk_mut() {
            *start = header;
        }
        out
    }
}

impl From<&BeginRequest<'_>> for RawRequest {
    /// The parts of a decoded packet; encoding them gives the same bytes again.
    fn from(request: &BeginRequest<'_>) -> Self {
        let known = request.known_headers();
        let list = |list: EnvList<'_>| list.iter().map(RawEnv::from).collect();
        Self {
            header: request.header().into(),
            order: request.order(),
            http_header_len: None,
            req_body_len: request.req_body_len(),
            string_offsets: request.string_offsets(),
            cnt_unknown_headers: None,
            cnt_env: None,
            cnt_special_env: None,
            special_env: list(request.special_env()),
            special_env_terminator: vec![0; 4],
            env: list(request.env()),
            env_terminator: vec![0; 4],
            padding: Some(request.padding().to_vec()),
            known: KnownHeader::ALL.map(|header| known.slot(header)),
            known_hole: known.hole(),
            unknown: request.unknown_headers().entries().collect(),
            block: request.header_block().to_vec(),
        }
    }
}

/// `len` in 16 bits, wrapping; set the length yourself for longer strings.
#[expect(clippy::cast_possible_truncation, reason = "documented above")]
const fn wrap_u16(len: usize) -> u16 {
    len as u16
}
