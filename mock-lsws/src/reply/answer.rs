//! The answer to one request, over all its sends.

use super::Piece;
use crate::journal::Note;

/// What bytes of an application came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The response goes on.
    More,
    /// RESP_END has come. `reusable`: the connection can take the next request.
    Complete {
        /// False after CONN_CLOSE, and where the real server closes.
        reusable: bool,
    },
    /// The server takes this for an I/O error (EIO): the connection is dropped, the request sent again.
    Violation,
    /// The server lost its way without noticing: nothing more comes of this send until initTimeout (lsws 3.2).
    Stuck,
    /// RESP_END without a complete header: ABORT_REQUEST, the connection is closed, a page with this status follows.
    Refused(u16),
    /// An internal redirect: the rest of the answer is dropped, and the connection closed.
    Redirected,
}

/// The answer to one request, over all its sends.
#[derive(Debug)]
pub(crate) struct Reply {
    notes: Vec<Note>,
}

impl Reply {
    /// Nothing has come yet. `head_only`: the method is HEAD.
    pub(crate) fn new(head_only: bool) -> Self {
        let _ = head_only;
        Self { notes: Vec::new() }
    }

    /// The request goes out (once more): what the new connection says is read from its beginning; what the client has
    /// got already stays.
    pub(crate) fn begin_send(&mut self) {}

    /// Takes bytes as they were read from the connection.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Progress {
        let _ = bytes;
        Progress::More
    }

    /// The read loop would block now, or the connection has ended: what has been understood so far is due.
    pub(crate) fn flush(&mut self) {}

    /// The next piece that is due. `None` until more comes.
    pub(crate) fn next_piece(&mut self) -> Option<Piece> {
        None
    }

    /// Whether REQ_RECEIVED or a PID notice has come in this send.
    pub(crate) const fn is_acknowledged(&self) -> bool {
        false
    }

    /// Whether the client has got (or is about to get) a part of the response.
    pub(crate) const fn has_started(&self) -> bool {
        false
    }

    /// Lines for the log, oldest first; they are taken out.
    pub(crate) fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }
}
