//! What an exchange is given, and what it leaves.

use crate::journal::Note;
use crate::request::Begin;
use crate::transcript::Transcript;

/// When a request with a body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dispatch {
    /// With the first bytes of its body: any LSAPI application (lsapi 4.2.3).
    Streaming,
    /// When all of it has come: WSGI contexts.
    WholeBody,
}

/// A request for an application.
#[derive(Debug)]
pub(crate) struct AppRequest {
    /// The packet.
    pub(crate) begin: Begin,
    /// When it is sent.
    pub(crate) dispatch: Dispatch,
    /// Keep a transcript.
    pub(crate) transcript: Option<Transcript>,
}

/// What is left to tell when an exchange is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExchangeRecord {
    /// How often the request was sent.
    pub sends: u32,
    /// What the real server would have put in its log.
    pub notes: Vec<Note>,
    /// Every packet, if a transcript was asked for.
    pub transcript: Option<Transcript>,
}
