//! What can be wrong with a response, each by the rule it breaks.
//!
//! Single packets a server refuses outright (bad magic, type, length, count) never get this far: a connection tells them
//! as [`Incoming::Invalid`](crate::Incoming::Invalid).

use lsapi::PacketType;

/// A rule of the protocol a response breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Body bytes came before the head: a server parses them as CGI text.
    #[error("RESP_STREAM came before RESP_HEADER; a server reads the body as CGI headers then")]
    StreamBeforeHeader,
    /// The head came behind body bytes.
    #[error("RESP_HEADER came after RESP_STREAM; a server drops the connection")]
    HeaderAfterStream,
    /// There is a second head.
    #[error("RESP_HEADER came twice; a server drops the connection")]
    SecondHeader,
    /// The end came without a head.
    #[error("RESP_END came without RESP_HEADER; a server answers 500")]
    EndBeforeHeader,
    /// The head has no lines: a server does not take it for one.
    #[error("RESP_HEADER has no header line; a server takes that for no head at all and answers 500")]
    NoHeaderLines,
    /// The line lengths do not add up to the payload.
    #[error("RESP_HEADER has {}", describe_surplus(*surplus))]
    LengthsDoNotAddUp {
        /// Payload bytes beyond the lines; negative if the lines announce more than there is.
        surplus: i64,
    },
    /// A line length is 0 or negative: a server skips the line.
    #[error("the length of header line {index} is {len}; it counts the NUL and is at least 1")]
    LineLength {
        /// Which line, from 0.
        index: usize,
        /// Its length as announced.
        len: i16,
    },
    /// A line does not end with NUL: a server overwrites its last character.
    #[error("header line {index} does not end with NUL; a server eats its last character")]
    LineWithoutNul {
        /// Which line, from 0.
        index: usize,
    },
    /// A line contains CR or LF, which a server passes through.
    #[error(
        "header line {index} contains a line break; a server passes it on, and headers can be injected by it"
    )]
    LineBreakInLine {
        /// Which line, from 0.
        index: usize,
    },
    /// A line has no colon: a server drops it.
    #[error("header line {index} has no colon; a server drops it")]
    LineWithoutColon {
        /// Which line, from 0.
        index: usize,
    },
    /// Something other than CONN_CLOSE came behind the end.
    #[error("{packet} came after RESP_END; a server adds it to the body or loses the connection over it")]
    AfterEnd {
        /// What came.
        packet: PacketType,
    },
    /// The request was never acknowledged: a server with a fresh connection sends it again.
    #[error("neither REQ_RECEIVED nor a PID notice came")]
    NotAcknowledged,
    /// The acknowledgement came behind the head.
    #[error("the acknowledgement came after RESP_HEADER")]
    AcknowledgedLate,
    /// The request was acknowledged more than once.
    #[error("the request was acknowledged twice")]
    AcknowledgedTwice,
    /// A packet has the flag of another machine. Servers take it; an application has no reason to send it.
    #[error("{packet} does not have the byte order flag of this machine")]
    ForeignByteOrder {
        /// The first packet type that has it.
        packet: PacketType,
    },
}

/// `surplus` in words, to be said of a RESP_HEADER.
pub(crate) fn describe_surplus(surplus: i64) -> String {
    let comparison = if surplus < 0 { "less" } else { "more" };
    format!("{} bytes {comparison} than its lines take", surplus.unsigned_abs())
}

/// How bad a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A real server copes.
    Tolerated,
    /// A real server refuses the response, spoils it, or passes on something harmful.
    Breaks,
}

impl Violation {
    /// How bad it is.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self {
            Self::NotAcknowledged
            | Self::AcknowledgedLate
            | Self::AcknowledgedTwice
            | Self::ForeignByteOrder { .. }
            | Self::LineLength { len: 0, .. } => Severity::Tolerated,
            _ => Severity::Breaks,
        }
    }
}
