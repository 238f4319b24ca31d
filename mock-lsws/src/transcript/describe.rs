//! Saying in words what an entry is.

use lsapi::{AppPacket, BeginRequest, BodyLength, DecodeError, PacketHeader, ServerPacket};

use super::entry::{Bytes, Event, SentKind};
use crate::violation::describe_surplus;

/// Largest request packet that is decoded for display, in bytes. It only has to be above what anybody sends.
const MAX_SHOWN: usize = 16 << 20;

/// Bytes of a body shown in one line.
const PREVIEW: usize = 60;

/// An entry in words.
#[derive(Clone, Debug)]
pub(super) struct Described {
    /// The packet's name, or what happened.
    pub(super) name: String,
    /// The most important of it, in one line.
    pub(super) summary: String,
    /// The rest.
    pub(super) lines: Vec<String>,
}

impl Described {
    fn new(name: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { name: name.into(), summary: summary.into(), lines: Vec::new() }
    }
}

pub(super) fn describe(event: &Event) -> Described {
    match event {
        Event::Opened { address } => Described::new("CONNECTED", format!("to {address}")),
        Event::Sent { kind, bytes } => sent(*kind, bytes),
        Event::SendFailed { reason } => Described::new("SEND FAILED", reason),
        Event::Received { bytes } => received(bytes),
        Event::Invalid { reason, bytes } => {
            Described::new("INVALID BYTES", format!("{}: {reason}", count(bytes.len())))
        }
        Event::Eof { partial } => Described::new("EOF", ending(partial)),
        Event::Reset { partial } => Described::new("RESET", ending(partial)),
        Event::TimedOut { partial: 0 } => Described::new("TIMEOUT", "nothing came"),
        Event::TimedOut { partial } => {
            Described::new("TIMEOUT", format!("{} of the next packet have come", count(*partial)))
        }
        Event::HalfClosed => Described::new("HALF-CLOSE", "nothing more will be sent"),
        Event::Closed { reset: true } => Described::new("CLOSE", "with a reset"),
        Event::Closed { reset: false } => Described::new("CLOSE", ""),
        Event::Note(text) => Described::new("NOTE", text),
    }
}

fn ending(partial: &Bytes) -> String {
    if partial.is_empty() {
        return String::new();
    }
    format!("after {} of a packet that is not whole: {}", count(partial.len()), preview(partial.kept()))
}

fn sent(kind: SentKind, bytes: &Bytes) -> Described {
    match kind {
        SentKind::Body => Described::new("BODY", format!("{} {}", count(bytes.len()), preview(bytes.kept()))),
        SentKind::Piece { number, of } => Described::new(
            "PIECE",
            format!("{number} of {of}, {} {}", count(bytes.len()), preview(bytes.kept())),
        ),
        SentKind::Request | SentKind::Raw => match ServerPacket::decode(bytes.kept(), MAX_SHOWN) {
            Ok(packet) => {
                let mut described = match packet {
                    ServerPacket::BeginRequest(request) => request_packet(&request),
                    ServerPacket::AbortRequest => Described::new("ABORT_REQUEST", ""),
                };
                let body = bytes.kept().get(packet.packet_len()..).unwrap_or_default();
                if !body.is_empty() {
                    let len = bytes.len() - packet.packet_len();
                    described.lines.push(format!("followed by {} {}", count(len), preview(body)));
                }
                described
            }
            Err(_) if bytes.omitted() > 0 => Described::new("SENT", count(bytes.len())),
            Err(error) => not_a_packet(bytes, &error),
        },
    }
}

/// Bytes sent that an application will refuse, or that are only the start of something.
fn not_a_packet(bytes: &Bytes, error: &DecodeError) -> Described {
    let header = PacketHeader::decode(bytes.kept()).ok();
    let named = header.and_then(|header| header.packet_type()).map(|ty| ty.name());
    let shown = preview(bytes.kept());
    let what = match error {
        DecodeError::Incomplete { need } => format!("the start of {} {shown}", count(*need)),
        DecodeError::Invalid(invalid) => {
            format!("{}, not a right packet: {invalid} {shown}", count(bytes.len()))
        }
    };
    Described::new(named.unwrap_or("RAW BYTES"), what)
}

fn request_packet(request: &BeginRequest<'_>) -> Described {
    let env = |key: &str| request.env().get(key.as_bytes());
    let method = request.request_method().unwrap_or(b"?");
    let target = env("REQUEST_URI").unwrap_or(b"?");
    let body = match request.body_length() {
        BodyLength::Known(0) => "no body".to_owned(),
        BodyLength::Known(len) => format!("body of {len} bytes"),
        BodyLength::Streaming => "body of unknown length".to_owned(),
        BodyLength::Unstated => "body of unstated length".to_owned(),
    };
    let len = count(request.packet_len());
    let mut described =
        Described::new("BEGIN_REQUEST", format!("{} {}, {body}, {len}", text(method), text(target)));
    let lines = &mut described.lines;
    let string =
        |value: Option<&[u8]>| value.map_or("absent".to_owned(), |value| format!("\"{}\"", text(value)));
    lines.push(format!(
        "script name {}, script file {}, query {}",
        string(request.script_name()),
        string(request.script_filename()),
        string(request.query_string())
    ));
    for entry in request.special_env() {
        lines.push(format!("special {}={}", text(entry.key()), text(entry.value())));
    }
    for entry in request.env() {
        let behind = entry.raw_value.len().saturating_sub(entry.value().len() + 1);
        let more = if behind > 0 { format!("  (and {} behind a NUL)", count(behind)) } else { String::new() };
        lines.push(format!("env {}={}{more}", text(entry.key()), text(entry.value())));
    }
    for (header, value) in request.known_headers().iter() {
        lines.push(format!("header {}: {}", header.http_name(), text(value)));
    }
    for header in request.unknown_headers().iter() {
        lines.push(format!("header {}: {}", text(header.name), text(header.value)));
    }
    described
}

fn received(bytes: &Bytes) -> Described {
    let name = |bytes: &[u8]| {
        let header = PacketHeader::decode(bytes).ok();
        header.and_then(|header| header.packet_type()).map_or("PACKET", |ty| ty.name())
    };
    let Ok((header, packet)) = AppPacket::decode(bytes.kept()) else {
        // Only the start of it was kept.
        return Described::new(name(bytes.kept()), count(bytes.len()));
    };
    let payload = header.payload_len();
    let stream = |data: &[u8]| format!("{} {}", count(data.len()), preview(data));
    match packet {
        AppPacket::RespHeader(head) => {
            let lines: Vec<_> = head
                .lines()
                .map(|line| {
                    let note = if line.is_terminated() { "" } else { "  (its last byte is not NUL)" };
                    format!("{}{note}", text(line.text().strip_suffix(b"\0").unwrap_or(line.text())))
                })
                .collect();
            let plural = if head.count() == 1 { "" } else { "s" };
            let mut described = Described::new(
                name(bytes.kept()),
                format!("status {}, {} header{plural}", head.status(), head.count()),
            );
            described.lines = lines;
            if head.surplus() != 0 {
                described.lines.push(describe_surplus(head.surplus()));
            }
            described
        }
        AppPacket::PidNotice(pid) => Described::new(name(bytes.kept()), format!("PID notice, pid {pid}")),
        AppPacket::RespStream(data) | AppPacket::Stderr(data) => {
            Described::new(name(bytes.kept()), stream(data))
        }
        _ if payload > 0 => {
            Described::new(name(bytes.kept()), format!("with a payload of {}", count(payload)))
        }
        _ => Described::new(name(bytes.kept()), ""),
    }
}

fn count(bytes: usize) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") }
}

/// The start of `bytes` in quotes, everything unprintable escaped.
fn preview(bytes: &[u8]) -> String {
    let shown = bytes.get(..PREVIEW).unwrap_or(bytes);
    let more = if shown.len() < bytes.len() { "..." } else { "" };
    format!("\"{}\"{more}", text(shown))
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
