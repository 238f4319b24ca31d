//! What a packet decodes to, as the list has it: the same structure is read from the list and made of a decoded packet.

use lsapi::{
    AppPacket, BeginRequest, BodyLength, DecodeError, EnvList, KnownHeader, PacketHeader, ServerPacket,
};
use serde::{Deserialize, Serialize};

use crate::file::text;

/// A packet, and of a request the body behind it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub(crate) enum Packet {
    BeginRequest(Box<Request>),
    AbortRequest(Other),
    RespHeader(Head),
    RespStream(Other),
    RespEnd(Other),
    StderrStream(Other),
    ReqReceived(Other),
    ConnClose(Other),
    InternalError(Other),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) flag: u8,
    pub(crate) length: usize,
    pub(crate) http_header_len: usize,
    pub(crate) req_body_len: i32,
    pub(crate) script_file_off: i32,
    pub(crate) script_name_off: i32,
    pub(crate) query_string_off: i32,
    pub(crate) request_method_off: i32,
    pub(crate) cnt_unknown_headers: usize,
    pub(crate) cnt_env: usize,
    pub(crate) cnt_special_env: usize,
    pub(crate) special_variables: Vec<Variable>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) padding: String,
    pub(crate) known_headers: Vec<Known>,
    pub(crate) unknown_headers: Vec<Unknown>,
    pub(crate) header_block: String,
    pub(crate) script_file: Option<String>,
    pub(crate) script_name: Option<String>,
    pub(crate) query_string: Option<String>,
    pub(crate) request_method: Option<String>,
    pub(crate) body_length: Length,
    pub(crate) body: String,
}

/// The length of a body: a number, or why there is none.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Length {
    Bytes(u64),
    Other(String),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variable {
    pub(crate) key: String,
    pub(crate) value: String,
    /// All of the value, if a NUL is in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) raw: Option<String>,
}

/// A place of the header index that is not 0.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    pub(crate) header: String,
    pub(crate) length: u16,
    pub(crate) offset: i32,
    /// None: the header is absent.
    pub(crate) value: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unknown {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) name_off: i32,
    pub(crate) name_len: i32,
    pub(crate) value_off: i32,
    pub(crate) value_len: i32,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    pub(crate) flag: u8,
    pub(crate) length: usize,
    pub(crate) cnt_headers: usize,
    pub(crate) status: i32,
    pub(crate) lengths: Vec<i16>,
    /// Everything behind the lengths.
    pub(crate) line_bytes: String,
    /// Name and value of each line; None: it has no colon.
    pub(crate) headers: Vec<Option<(String, String)>>,
}

/// Any other packet.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Other {
    pub(crate) flag: u8,
    pub(crate) length: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<String>,
    /// The process of a PID notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<i32>,
}

impl Packet {
    /// The packet at the start of `bytes`, and how many of them are its, the body included.
    pub(crate) fn from_server(bytes: &[u8], limit: usize) -> Result<(Self, usize), DecodeError> {
        let request = match ServerPacket::decode(bytes, limit)? {
            ServerPacket::BeginRequest(request) => request,
            ServerPacket::AbortRequest => {
                let header = PacketHeader::decode(bytes)?;
                let other = Other { flag: header.flag, length: header.len, ..Other::default() };
                return Ok((Self::AbortRequest(other), header.len));
            }
        };
        let rest = &bytes[request.packet_len()..];
        let body = match request.body_length() {
            BodyLength::Known(len) => &rest[..usize::try_from(len).unwrap_or(usize::MAX).min(rest.len())],
            BodyLength::Streaming => rest,
            BodyLength::Unstated => &[],
        };
        let len = request.packet_len() + body.len();
        Ok((Self::BeginRequest(Box::new(Request::new(&request, body))), len))
    }

    /// `payload` is for the packet that may have one and is decoded without.
    pub(crate) fn from_app(header: PacketHeader, packet: AppPacket<'_>, payload: &[u8]) -> Self {
        let other = |payload: Option<&[u8]>, pid| Other {
            flag: header.flag,
            length: header.len,
            payload: payload.map(text),
            pid,
        };
        match packet {
            AppPacket::RespHeader(head) => Self::RespHeader(Head {
                flag: header.flag,
                length: header.len,
                cnt_headers: head.count(),
                status: head.status(),
                lengths: head.lengths().collect(),
                line_bytes: text(head.line_bytes()),
                headers: head
                    .lines()
                    .map(|line| line.name_value().map(|(name, value)| (text(name), text(value))))
                    .collect(),
            }),
            AppPacket::RespStream(payload) => Self::RespStream(other(Some(payload), None)),
            AppPacket::RespEnd => Self::RespEnd(other(None, None)),
            AppPacket::Stderr(payload) => Self::StderrStream(other(Some(payload), None)),
            AppPacket::PidNotice(pid) => Self::StderrStream(other(None, Some(pid))),
            AppPacket::ReqReceived => {
                Self::ReqReceived(other((!payload.is_empty()).then_some(payload), None))
            }
            AppPacket::ConnClose => Self::ConnClose(other(None, None)),
            AppPacket::InternalError => Self::InternalError(other(None, None)),
        }
    }
}

impl Request {
    fn new(request: &BeginRequest<'_>, body: &[u8]) -> Self {
        let [script_file_off, script_name_off, query_string_off, request_method_off] =
            request.string_offsets();
        let known = request.known_headers();
        let unknown = request.unknown_headers();
        let variables = |list: EnvList<'_>| {
            list.iter().map(|entry| Variable::new(entry.key(), entry.raw_value)).collect()
        };
        Self {
            flag: request.header().flag,
            length: request.packet_len(),
            http_header_len: request.header_block().len(),
            req_body_len: request.req_body_len(),
            script_file_off,
            script_name_off,
            query_string_off,
            request_method_off,
            cnt_unknown_headers: unknown.len(),
            cnt_env: request.env().len(),
            cnt_special_env: request.special_env().len(),
            special_variables: variables(request.special_env()),
            variables: variables(request.env()),
            padding: text(request.padding()),
            known_headers: KnownHeader::ALL
                .into_iter()
                .map(|header| (header, known.slot(header)))
                .filter(|(_, slot)| *slot != (0, 0))
                .map(|(header, (length, offset))| Known {
                    header: header.http_name().to_owned(),
                    length,
                    offset,
                    value: known.get(header).map(text),
                })
                .collect(),
            unknown_headers: unknown
                .iter()
                .zip(unknown.entries())
                .map(|(header, entry)| Unknown {
                    name: text(header.name),
                    value: text(header.value),
                    name_off: entry.name_off,
                    name_len: entry.name_len,
                    value_off: entry.value_off,
                    value_len: entry.value_len,
                })
                .collect(),
            header_block: text(request.header_block()),
            script_file: request.script_filename().map(text),
            script_name: request.script_name().map(text),
            query_string: request.query_string().map(text),
            request_method: request.request_method().map(text),
            body_length: match request.body_length() {
                BodyLength::Known(len) => Length::Bytes(len),
                BodyLength::Streaming => Length::Other("until the connection ends".into()),
                BodyLength::Unstated => Length::Other("not stated".into()),
            },
            body: text(body),
        }
    }
}

impl Variable {
    /// `raw` ends with the NUL that its length counts.
    fn new(key: &[u8], raw: &[u8]) -> Self {
        let (nul, raw) = raw.split_last().unwrap();
        assert_eq!(*nul, 0);
        let value = raw.split(|&byte| byte == 0).next().unwrap_or_default();
        let raw = (value != raw).then(|| text(raw));
        Self { key: text(key), value: text(value), raw }
    }
}
