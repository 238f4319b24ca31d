//! Building right BEGIN_REQUEST packets from a method, a path, variables and headers.

use crate::{ByteOrder, KnownHeader, PacketType, RawEnv, RawHeader, RawRequest, UnknownHeaderEntry};

/// What a real server puts before the request line, so that no header can have offset 0.
const BLOCK_START: [u8; 4] = [0; 4];

/// A request under construction.
///
/// It starts with the variables no request is without, REQUEST_URI, QUERY_STRING, SCRIPT_NAME, SERVER_PROTOCOL and
/// REQUEST_METHOD; everything else is added. Which variables a real server sends, and in which order, is the mock
/// server's knowledge and not this crate's.
#[derive(Clone, Debug)]
pub struct RequestBuilder {
    request_line: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    special_env: Vec<RawEnv>,
    env: Vec<RawEnv>,
    body_len: i32,
    order: ByteOrder,
}

impl RequestBuilder {
    /// A request with nothing in it: no variables, no headers, an empty header block.
    #[must_use]
    pub fn bare() -> Self {
        Self {
            request_line: Vec::new(),
            headers: Vec::new(),
            special_env: Vec::new(),
            env: Vec::new(),
            body_len: 0,
            order: ByteOrder::NATIVE,
        }
    }

    /// A request for `target`, a path with an optional `?query`, mounted at the root: SCRIPT_NAME is empty and PATH_INFO
    /// is the path as it stands.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self::bare()
            .request_line(format!("{method} {target} HTTP/1.1").as_bytes())
            .env("REQUEST_URI", target)
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("SCRIPT_NAME", "")
            .env("SERVER_PROTOCOL", "HTTP/1.1")
            .env("REQUEST_METHOD", method)
    }

    /// A GET request, see [`RequestBuilder::new`].
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Sets the first line of the header block, without its CRLF. An empty one leaves the line out.
    #[must_use]
    pub fn request_line(mut self, line: &[u8]) -> Self {
        self.request_line = line.to_vec();
        self
    }

    /// Sets a variable: the existing one in its place, a new one at the end. A value may have 65 534 bytes; the packet cannot
    /// tell the length of a longer one.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        let entry = RawEnv::new(key.as_ref(), value.as_ref());
        match self.env.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => *known = entry,
            None => self.env.push(entry),
        }
        self
    }

    /// Adds a special variable. Its name starts with a control byte, see
    /// [`BeginRequest::special_env`](crate::BeginRequest::special_env).
    #[must_use]
    pub fn special_env(mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.special_env.push(RawEnv::new(key.as_ref(), value.as_ref()));
        self
    }

    /// Adds a header. The first of a known name gets its slot in the index; further ones, and all other names, go to the
    /// array of unknown headers.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Announces a body of `len` bytes, with a Content-Length header. From 2 GiB on the packet says -2, which sends the
    /// reader to that header.
    #[must_use]
    pub fn body_len(self, len: u64) -> Self {
        let announced = i32::try_from(len).unwrap_or(-2);
        self.header("Content-Length", len.to_string()).raw_body_len(announced)
    }

    /// Sets `reqBodyLen` and nothing else.
    #[must_use]
    pub const fn raw_body_len(mut self, len: i32) -> Self {
        self.body_len = len;
        self
    }

    /// Writes the packet in `order`, with the flag that belongs to it.
    #[must_use]
    pub const fn order(mut self, order: ByteOrder) -> Self {
        self.order = order;
        self
    }

    /// The packet's parts, laid out.
    #[must_use]
    pub fn build(&self) -> RawRequest {
        let mut raw = RawRequest {
            header: RawHeader::new(PacketType::BeginRequest, self.order),
            order: self.order,
            http_header_len: None,
            req_body_len: self.body_len,
            string_offsets: [0; 4],
            cnt_unknown_headers: None,
            cnt_env: None,
            cnt_special_env: None,
            special_env: self.special_env.clone(),
            special_env_terminator: vec![0; 4],
            env: self.env.clone(),
            env_terminator: vec![0; 4],
            padding: None,
            known: [(0, 0); KnownHeader::COUNT],
            known_hole: [0; 2],
            unknown: Vec::new(),
            block: Vec::new(),
        };
        self.put_block(&mut raw);
        let value_offset = |name: &[u8]| {
            let index = raw.env.iter().position(|entry| entry.key.strip_suffix(b"\0") == Some(name))?;
            raw.env_value_offset(index)
        };
        raw.string_offsets = ["SCRIPT_FILENAME", "SCRIPT_NAME", "QUERY_STRING", "REQUEST_METHOD"]
            .map(|name| value_offset(name.as_bytes()).unwrap_or(0));
        raw
    }

    /// The packet's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.build().encode()
    }

    fn put_block(&self, raw: &mut RawRequest) {
        let block = &mut raw.block;
        if self.request_line.is_empty() && self.headers.is_empty() {
            return;
        }
        block.extend(BLOCK_START);
        if !self.request_line.is_empty() {
            block.extend(&self.request_line);
            block.extend(b"\r\n");
        }
        for (name, value) in &self.headers {
            let name_off = put(block, name);
            block.extend(b": ");
            let value_off = put(block, value);
            block.extend(b"\r\n");
            // A value longer than the index can say has to be an unknown header, and so has a second one.
            let slot = KnownHeader::from_name(name).and_then(|header| raw.known.get_mut(header.index()));
            match (slot, u16::try_from(value.len())) {
                (Some(slot @ (_, 0)), Ok(len)) => *slot = (len, value_off),
                _ => raw.unknown.push(UnknownHeaderEntry {
                    name_off,
                    name_len: to_i32(name.len()),
                    value_off,
                    value_len: to_i32(value.len()),
                }),
            }
        }
        block.extend(b"\r\n");
    }
}

/// Appends `bytes` and returns where they start.
fn put(block: &mut Vec<u8>, bytes: &[u8]) -> i32 {
    let at = to_i32(block.len());
    block.extend(bytes);
    at
}

/// Lengths of things that are in memory; saturates where a packet could not hold them anyway.
fn to_i32(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}
