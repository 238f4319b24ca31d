//! Which packets are to arrive, in which order.

use std::fmt;
use std::path::Path;

use lsapi::AppPacket;
use serde::{Deserialize, Deserializer};

use super::matcher::{Matcher, Mismatch};
use super::one_or_many::OneOrMany;
use super::shorthand::{self, Shorthand};
use super::time::Time;
use super::vars::Vars;

/// What can arrive where a packet is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// Status and headers.
    RespHeader,
    /// Body bytes.
    RespStream,
    /// The end of a response.
    RespEnd,
    /// Text for the log.
    Stderr,
    /// The notice of a group's process.
    PidNotice,
    /// The acknowledgement of a request.
    ReqReceived,
    /// The announcement of a close.
    ConnClose,
    /// The reserved packet.
    InternalError,
    /// Not a packet: the peer has closed.
    Eof,
}

impl PacketKind {
    const ALL: [Self; 9] = [
        Self::RespHeader,
        Self::RespStream,
        Self::RespEnd,
        Self::Stderr,
        Self::PidNotice,
        Self::ReqReceived,
        Self::ConnClose,
        Self::InternalError,
        Self::Eof,
    ];

    /// The kind of `packet`.
    #[must_use]
    pub const fn of(packet: &AppPacket<'_>) -> Self {
        match packet {
            AppPacket::RespHeader(_) => Self::RespHeader,
            AppPacket::RespStream(_) => Self::RespStream,
            AppPacket::RespEnd => Self::RespEnd,
            AppPacket::Stderr(_) => Self::Stderr,
            AppPacket::PidNotice(_) => Self::PidNotice,
            AppPacket::ReqReceived => Self::ReqReceived,
            AppPacket::ConnClose => Self::ConnClose,
            AppPacket::InternalError => Self::InternalError,
        }
    }

    /// The name in scenarios and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RespHeader => "RESP_HEADER",
            Self::RespStream => "RESP_STREAM",
            Self::RespEnd => "RESP_END",
            Self::Stderr => "STDERR_STREAM",
            Self::PidNotice => "PID_NOTICE",
            Self::ReqReceived => "REQ_RECEIVED",
            Self::ConnClose => "CONN_CLOSE",
            Self::InternalError => "INTERNAL_ERROR",
            Self::Eof => "EOF",
        }
    }
}

impl fmt::Display for PacketKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often a pattern applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Exactly once.
    Once,
    /// `?`: once or not at all.
    Optional,
    /// `*`: any number of times.
    Any,
    /// `+`: at least once.
    Some,
}

impl Repeat {
    /// Whether the pattern may be left out.
    #[must_use]
    pub const fn may_be_absent(self) -> bool {
        matches!(self, Self::Optional | Self::Any)
    }

    /// Whether the pattern may apply again after it has applied.
    #[must_use]
    pub const fn may_go_on(self) -> bool {
        matches!(self, Self::Any | Self::Some)
    }
}

/// One place in a sequence of packets.
#[derive(Clone, Debug)]
pub struct PacketPattern {
    /// What may stand here.
    any_of: Vec<Alternative>,
    /// How often.
    pub repeat: Repeat,
    /// How long to wait for it.
    pub within: Option<Time>,
}

/// One of the packets that may stand in a place.
#[derive(Clone, Debug)]
struct Alternative {
    kind: PacketKind,
    /// The payload, for packets with bytes or text.
    payload: Option<Matcher>,
    /// The status, for RESP_HEADER.
    status: OneOrMany<i32>,
}

impl PacketPattern {
    /// Whether `kind` may stand here.
    #[must_use]
    pub fn accepts(&self, kind: PacketKind) -> bool {
        self.any_of.iter().any(|alternative| alternative.kind == kind)
    }

    /// Compares the content of a packet of an accepted kind; with several alternatives of that kind, the closest counts.
    pub fn check(&self, packet: &AppPacket<'_>, root: &Path, vars: &mut Vars) -> Vec<Mismatch> {
        let mut closest: Option<Vec<Mismatch>> = None;
        let kind = PacketKind::of(packet);
        for alternative in self.any_of.iter().filter(|alternative| alternative.kind == kind) {
            let mut bound = vars.clone();
            let wrong = alternative.check(packet, root, &mut bound);
            if wrong.is_empty() {
                *vars = bound;
                return wrong;
            }
            if closest.as_ref().is_none_or(|closest| wrong.len() < closest.len()) {
                closest = Some(wrong);
            }
        }
        closest.unwrap_or_default()
    }
}

impl Alternative {
    fn check(&self, packet: &AppPacket<'_>, root: &Path, vars: &mut Vars) -> Vec<Mismatch> {
        let mut wrong = Vec::new();
        if let AppPacket::RespHeader(head) = packet
            && !self.status.0.is_empty()
            && !self.status.0.contains(&head.status())
        {
            wrong.push(Mismatch::new("status", self.status.to_string(), head.status().to_string()));
        }
        if let Some(payload) = &self.payload {
            let field = format!("payload of {}", PacketKind::of(packet));
            match packet {
                AppPacket::RespStream(bytes) | AppPacket::Stderr(bytes) => {
                    wrong.extend(payload.check(&field, bytes, root, vars));
                }
                AppPacket::PidNotice(pid) => {
                    wrong.extend(payload.check(&field, pid.to_string().as_bytes(), root, vars));
                }
                _ => wrong.push(Mismatch::new(field, payload.describe(vars), "a packet without payload")),
            }
        }
        wrong
    }
}

impl fmt::Display for PacketPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, alternative) in self.any_of.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { "|" }, alternative.kind)?;
        }
        f.write_str(match self.repeat {
            Repeat::Once => "",
            Repeat::Optional => "?",
            Repeat::Any => "*",
            Repeat::Some => "+",
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatternTable {
    packet: Option<String>,
    #[serde(default)]
    any_of: Vec<PacketPattern>,
    payload: Option<Matcher>,
    #[serde(default)]
    status: OneOrMany<i32>,
    within: Option<Time>,
}

impl Shorthand for PacketPattern {
    type Table = PatternTable;
    const EXPECTING: &'static str =
        "a packet such as \"RESP_STREAM*\" or \"CONN_CLOSE|EOF\", or a table with `packet`";

    fn from_text(text: &str) -> Result<Self, String> {
        let (names, repeat) = match text.char_indices().next_back() {
            Some((at, '?')) => (&text[..at], Repeat::Optional),
            Some((at, '*')) => (&text[..at], Repeat::Any),
            Some((at, '+')) => (&text[..at], Repeat::Some),
            _ => (text, Repeat::Once),
        };
        let kind = |name: &str| {
            PacketKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
                let known = PacketKind::ALL.map(|kind| format!("`{kind}`")).join(", ");
                format!("unknown packet `{name}`, expected one of {known}")
            })
        };
        let alternative = |kind| Alternative { kind, payload: None, status: OneOrMany::default() };
        let any_of =
            names.split('|').map(|name| kind(name.trim()).map(alternative)).collect::<Result<_, _>>()?;
        Ok(Self { any_of, repeat, within: None })
    }

    fn from_table(table: PatternTable) -> Result<Self, String> {
        let PatternTable { packet, any_of, payload, status, within } = table;
        let Some(packet) = packet else {
            if any_of.is_empty() || payload.is_some() || !status.0.is_empty() {
                return Err(
                    "a packet is a table with `packet`, or with `any_of`, whose elements say the rest".into(),
                );
            }
            if any_of.iter().any(|pattern| pattern.repeat != Repeat::Once || pattern.within.is_some()) {
                return Err("the elements of `any_of` stand for one packet each: leave `?`, `*`, `+` and `within` out".into());
            }
            let any_of = any_of.into_iter().flat_map(|pattern| pattern.any_of).collect();
            return Ok(Self { any_of, repeat: Repeat::Once, within });
        };
        if !any_of.is_empty() {
            return Err("`packet` and `any_of` both say what may come: use one of them".into());
        }
        let mut pattern = Self::from_text(&packet)?;
        for alternative in &mut pattern.any_of {
            alternative.payload.clone_from(&payload);
            alternative.status.clone_from(&status);
        }
        Ok(Self { within, ..pattern })
    }
}

impl<'de> Deserialize<'de> for PacketPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        shorthand::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_read_as_they_print() {
        for text in
            ["RESP_END", "RESP_STREAM*", "CONN_CLOSE|EOF", "STDERR_STREAM?", "REQ_RECEIVED|PID_NOTICE+"]
        {
            assert_eq!(PacketPattern::from_text(text).unwrap().to_string(), text);
        }
        let error = PacketPattern::from_text("RESP_ENDE").unwrap_err();
        assert!(error.starts_with("unknown packet `RESP_ENDE`, expected one of `RESP_HEADER`"), "{error}");
        assert!(PacketPattern::from_text("").is_err());
    }

    #[derive(Deserialize)]
    struct Holder {
        value: PacketPattern,
    }

    fn read(value: &str) -> Result<PacketPattern, String> {
        let holder: Result<Holder, _> = toml::from_str(&format!("value = {value}"));
        holder.map(|holder| holder.value).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn alternatives_have_contents_of_their_own() {
        let pattern =
            read("{ any_of = [{ packet = 'RESP_STREAM', payload = 'a{x}' }, { packet = 'RESP_STREAM', payload = 'b' }, 'EOF'] }")
                .unwrap();
        assert_eq!(pattern.to_string(), "RESP_STREAM|RESP_STREAM|EOF");
        let mut vars = Vars::default();
        let wrong = |bytes: &[u8], vars: &mut Vars| {
            pattern.check(&AppPacket::RespStream(bytes), Path::new("."), vars).len()
        };
        assert_eq!((wrong(b"b", &mut vars), vars.get("x")), (0, None));
        assert_eq!(wrong(b"c", &mut vars), 1);
        assert_eq!(wrong(b"a1", &mut vars), 0);
        assert_eq!(vars.get("x"), Some("1"));
        for (value, word) in [
            ("{}", "with `packet`, or with `any_of`"),
            ("{ packet = 'EOF', any_of = ['EOF'] }", "both say"),
            ("{ any_of = ['RESP_STREAM*'] }", "one packet each"),
            ("{ any_of = ['EOF'], payload = 'x' }", "whose elements say the rest"),
        ] {
            assert!(read(value).unwrap_err().contains(word), "{value}");
        }
    }
}
