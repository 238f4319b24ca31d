//! What a client gets, piece by piece.

use bytes::Bytes;

/// The next thing for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A head of an interim status (1xx). The real server delivers nothing after it.
    Interim(u16),
    /// The head of the response. Comes once.
    Head(ReplyHead),
    /// Bytes of the body, already cut to what the head declared. One piece is one chunk.
    Body(Bytes),
    /// The response is complete.
    End,
    /// Part of the response is out and the rest will not come: the connection is closed, without a last chunk.
    Cut,
    /// The server's own page for this status, and the connection is closed after it.
    Page(u16),
    /// The server answers with what is at this path of its own; nothing was sent to the client yet.
    Redirect(Vec<u8>),
}

/// Status and headers as the client gets them, without what every response of the server carries (Date, Server,
/// Connection, Content-Length, Transfer-Encoding).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplyHead {
    /// A status the server knows.
    pub(crate) status: u16,
    /// Names in the server's spelling (lower case), in order, duplicates kept.
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// How the client learns where the body ends.
    pub(crate) framing: Framing,
}

/// How the client learns where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body and no length is told: HEAD, 204, 304.
    None,
    /// Content-Length with this value.
    Length(u64),
    /// Chunks, or the end of the connection for an HTTP/1.0 client.
    Open,
}
