//! One thing that happened.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::describe::describe;

/// Something that happened on a connection, or around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When, counted from the start of the transcript.
    pub at: Duration,
    /// On which connection, from 1; 0 for things that belong to none.
    pub connection: u32,
    /// What.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection was made.
    Opened {
        /// To where.
        address: String,
    },
    /// Bytes were sent.
    Sent {
        /// What they were meant as.
        kind: SentKind,
        /// The bytes, as far as the socket took them.
        bytes: Bytes,
    },
    /// Sending did not get to its end.
    SendFailed {
        /// Why.
        reason: String,
    },
    /// A packet arrived whole.
    Received {
        /// All of it.
        bytes: Bytes,
    },
    /// Bytes arrived that are no packet. Nothing after them is read.
    Invalid {
        /// What is wrong with them.
        reason: String,
        /// The bytes.
        bytes: Bytes,
    },
    /// The application closed the connection, or its sending half.
    Eof {
        /// What arrived of a packet that never became whole.
        partial: Bytes,
    },
    /// The application reset the connection.
    Reset {
        /// What arrived of a packet that never became whole.
        partial: Bytes,
    },
    /// Nothing that completes a packet came until a deadline.
    TimedOut {
        /// Bytes that have arrived of the next packet.
        partial: usize,
    },
    /// The sending half was closed from here.
    HalfClosed,
    /// The connection was closed from here.
    Closed {
        /// With a reset.
        reset: bool,
    },
    /// Something about processes, or a remark of the program that keeps the transcript.
    Note(String),
}

/// What sent bytes were meant as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentKind {
    /// A request packet, perhaps with the start of its body.
    Request,
    /// Bytes of a request body.
    Body,
    /// A part of something that was sent in pieces.
    Piece {
        /// Which part, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// Anything.
    Raw,
}

/// Bytes of an entry. A transcript that has grown long keeps only the start of them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Bytes {
    pub(super) kept: Vec<u8>,
    pub(super) omitted: usize,
}

impl Bytes {
    /// What was kept of them, normally all.
    #[must_use]
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// How many there were.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.kept.len() + self.omitted
    }

    /// Whether there were none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were not kept.
    #[must_use]
    pub const fn omitted(&self) -> usize {
        self.omitted
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(kept: Vec<u8>) -> Self {
        Self { kept, omitted: 0 }
    }
}

impl Event {
    /// Which way it went.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        match self {
            Self::Sent { .. } | Self::HalfClosed | Self::Closed { .. } | Self::SendFailed { .. } => {
                Direction::Sent
            }
            Self::Received { .. } | Self::Invalid { .. } | Self::Eof { .. } | Self::Reset { .. } => {
                Direction::Received
            }
            Self::Opened { .. } | Self::TimedOut { .. } | Self::Note(_) => Direction::Local,
        }
    }

    /// The bytes that go with it.
    #[must_use]
    pub const fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Sent { bytes, .. }
            | Self::Received { bytes }
            | Self::Invalid { bytes, .. }
            | Self::Eof { partial: bytes }
            | Self::Reset { partial: bytes } => Some(bytes),
            _ => None,
        }
    }

    pub(super) const fn bytes_mut(&mut self) -> Option<&mut Bytes> {
        match self {
            Self::Sent { bytes, .. }
            | Self::Received { bytes }
            | Self::Invalid { bytes, .. }
            | Self::Eof { partial: bytes }
            | Self::Reset { partial: bytes } => Some(bytes),
            _ => None,
        }
    }
}

/// Which way an entry went, seen from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the server to the application.
    Sent,
    /// From the application to the server.
    Received,
    /// Neither.
    Local,
}

/// An entry as plain data, for reports and other programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRecord {
    /// Microseconds since the start of the transcript.
    pub at_us: u64,
    /// The connection, from 1; 0 for none.
    pub connection: u32,
    /// Which way it went.
    pub direction: Direction,
    /// The packet's name, or what happened in capital letters.
    pub name: String,
    /// The most important of it in a few words; may be empty.
    pub summary: String,
    /// The rest of it, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// How many bytes it has.
    pub length: usize,
    /// The bytes in hex, as far as they were kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub bytes: String,
}

impl From<&Entry> for EntryRecord {
    fn from(entry: &Entry) -> Self {
        let described = describe(&entry.event);
        let bytes = entry.event.bytes();
        Self {
            at_us: u64::try_from(entry.at.as_micros()).unwrap_or(u64::MAX),
            connection: entry.connection,
            direction: entry.event.direction(),
            name: described.name,
            summary: described.summary,
            detail: described.lines,
            length: bytes.map_or(0, Bytes::len),
            bytes: bytes.map(|bytes| hex(bytes.kept())).unwrap_or_default(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
