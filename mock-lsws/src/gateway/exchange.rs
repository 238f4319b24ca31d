//! One request on its way through an application.

use std::sync::Arc;

use super::app::Gateway;
use crate::http::Upload;
use crate::journal::Note;
use crate::reply::Piece;
use crate::request::Begin;
use crate::transcript::Transcript;

/// When a request with a body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dispatch {
    /// With the first bytes of its body: any LSAPI application (lsws 2.3).
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

/// One request on its way.
#[derive(Debug)]
pub(crate) struct Exchange {
    #[expect(dead_code, reason = "skeleton")]
    gateway: Arc<Gateway>,
    #[expect(dead_code, reason = "skeleton")]
    request: AppRequest,
}

/// What is left to tell when an exchange is over.
#[derive(Clone, Debug)]
pub struct ExchangeRecord {
    /// How often the request was sent.
    pub sends: u32,
    /// What the real server would have put in its log.
    pub notes: Vec<Note>,
    /// Every packet, if a transcript was asked for.
    pub transcript: Option<Transcript>,
}

impl Exchange {
    pub(super) fn new(gateway: Arc<Gateway>, request: AppRequest) -> Self {
        Self { gateway, request }
    }

    /// The next piece for the client, after which nothing is read from the application until the next call: that is the
    /// back-pressure. While it waits, the body is taken from `upload` and forwarded. `None` after the last piece, or
    /// when the client is gone.
    pub(crate) async fn next(&mut self, upload: &mut Upload<'_>) -> Option<Piece> {
        let _ = upload;
        None
    }

    /// The client is gone (a write to it failed): ABORT_REQUEST and close, if the request is under way.
    pub(crate) fn abort(&mut self) {}

    /// What is left to tell.
    pub(crate) fn finish(self) -> ExchangeRecord {
        ExchangeRecord { sends: 0, notes: Vec::new(), transcript: None }
    }
}
