//! What is known of a request: copied into memory that is used again for the next one.

use jiff::Timestamp;
use lsapi::{BeginRequest, KnownHeader};

use super::line::MOST;

/// How the response to a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// It is what the application made of it.
    #[default]
    Complete,
    /// The application failed on the way, and what was there has been ended as if it were all.
    Early,
    /// The same, and the connection was closed without the end (`--late-error`).
    Aborted,
    /// The client or the server was gone.
    Gone,
    /// It took too long (LSAPI_MAX_PROCESS_TIME).
    Timeout,
    /// The process had to stop (`--graceful-timeout`).
    Stopped,
}

impl Ending {
    /// Its name in the log; none for what is as it should be.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Complete => None,
            Self::Early => Some("early"),
            Self::Aborted => Some("aborted"),
            Self::Gone => Some("gone"),
            Self::Timeout => Some("timeout"),
            Self::Stopped => Some("stopped"),
        }
    }
}

/// A text a request brings along.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    Address,
    User,
    Method,
    Url,
    Protocol,
    Referer,
    Agent,
    Script,
}

const FIELDS: usize = Field::Script as usize + 1;

/// A request.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// All texts, one behind the other.
    text: Vec<u8>,
    /// Where each of them ends.
    ends: [usize; FIELDS],
    /// When it came.
    pub(super) time: Timestamp,
    /// The how-manieth of its process it is, from 1.
    pub(super) serial: u64,
}

impl Record {
    /// Takes down the `serial`-th request of this process, which has come at `time`. `url` is in two parts.
    pub(super) fn fill(&mut self, request: &BeginRequest<'_>, url: [&[u8]; 2], serial: u64, time: Timestamp) {
        let env = request.env();
        let header = |header| request.known_header(header).unwrap_or_default();
        self.serial = serial;
        self.time = time;
        self.text.clear();
        // In the order of the fields.
        let texts = [
            [env.get(b"REMOTE_ADDR").unwrap_or_default(), b""],
            [env.get(b"REMOTE_USER").unwrap_or_default(), b""],
            [request.request_method().unwrap_or_default(), b""],
            url,
            [env.get(b"SERVER_PROTOCOL").unwrap_or_default(), b""],
            [header(KnownHeader::Referer), b""],
            [header(KnownHeader::UserAgent), b""],
            [request.script_filename().unwrap_or_default(), b""],
        ];
        for (parts, end) in texts.iter().zip(&mut self.ends) {
            // More does not fit into a line anyway.
            let mut room = MOST;
            for part in parts {
                let part = &part[..part.len().min(room)];
                self.text.extend_from_slice(part);
                room -= part.len();
            }
            *end = self.text.len();
        }
    }

    /// One of its texts; nothing if it has none.
    pub(super) fn get(&self, field: Field) -> &[u8] {
        let at = field as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[at]]
    }
}
