//! From the list back to bytes. Only fields are used that say what to write; what they come to is compared elsewhere.

use lsapi::{
    ByteOrder, KnownHeader, PacketType, RawEnv, RawHeader, RawRequest, RawResponseHeader, UnknownHeaderEntry,
    pid_notice,
};

use crate::described::{Head, Other, Packet, Request, Variable};
use crate::file::bytes;

impl Packet {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::BeginRequest(request) => request.encode(),
            Self::RespHeader(head) => head.encode(),
            Self::AbortRequest(other) => other.encode(PacketType::AbortRequest),
            Self::RespStream(other) => other.encode(PacketType::RespStream),
            Self::RespEnd(other) => other.encode(PacketType::RespEnd),
            Self::StderrStream(other) => other.encode(PacketType::StderrStream),
            Self::ReqReceived(other) => other.encode(PacketType::ReqReceived),
            Self::ConnClose(other) => other.encode(PacketType::ConnClose),
            Self::InternalError(other) => other.encode(PacketType::InternalError),
        }
    }
}

fn header(ty: PacketType, flag: u8) -> RawHeader {
    RawHeader { flag, ..RawHeader::new(ty, ByteOrder::from_flag(flag)) }
}

impl Other {
    fn encode(&self, ty: PacketType) -> Vec<u8> {
        let order = ByteOrder::from_flag(self.flag);
        let payload = match self.pid {
            Some(pid) if order == ByteOrder::NATIVE => return pid_notice(pid).to_vec(),
            Some(pid) => [*b"\0PID", order.i32_bytes(pid)].concat(),
            None => bytes(self.payload.as_deref().unwrap_or_default()),
        };
        [&header(ty, self.flag).encode(order, payload.len())[..], &payload].concat()
    }
}

impl Head {
    fn encode(&self) -> Vec<u8> {
        let raw = RawResponseHeader {
            header: header(PacketType::RespHeader, self.flag),
            order: ByteOrder::from_flag(self.flag),
            cnt_headers: None,
            status: self.status,
            lengths: self.lengths.clone(),
            lines: bytes(&self.line_bytes),
        };
        raw.encode()
    }
}

impl Variable {
    fn encode(&self) -> RawEnv {
        RawEnv::new(&bytes(&self.key), &bytes(self.raw.as_ref().unwrap_or(&self.value)))
    }
}

impl Request {
    fn encode(&self) -> Vec<u8> {
        let mut known = [(0, 0); KnownHeader::COUNT];
        for entry in &self.known_headers {
            let header = KnownHeader::from_name(entry.header.as_bytes()).unwrap();
            known[header.index()] = (entry.length, entry.offset);
        }
        let raw = RawRequest {
            header: header(PacketType::BeginRequest, self.flag),
            order: ByteOrder::from_flag(self.flag),
            http_header_len: None,
            req_body_len: self.req_body_len,
            string_offsets: [
                self.script_file_off,
                self.script_name_off,
                self.query_string_off,
                self.request_method_off,
            ],
            cnt_unknown_headers: None,
            cnt_env: None,
            cnt_special_env: None,
            special_env: self.special_variables.iter().map(Variable::encode).collect(),
            special_env_terminator: vec![0; 4],
            env: self.variables.iter().map(Variable::encode).collect(),
            env_terminator: vec![0; 4],
            padding: Some(bytes(&self.padding)),
            known,
            known_hole: [0; 2],
            unknown: self
                .unknown_headers
                .iter()
                .map(|entry| UnknownHeaderEntry {
                    name_off: entry.name_off,
                    name_len: entry.name_len,
                    value_off: entry.value_off,
                    value_len: entry.value_len,
                })
                .collect(),
            block: bytes(&self.header_block),
        };
        [raw.encode(), bytes(&self.body)].concat()
    }
}
