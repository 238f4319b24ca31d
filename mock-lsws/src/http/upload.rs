//! The body of a request while it comes in.

use bytes::{Bytes, BytesMut};
use tokio::net::TcpStream;

use super::head::BodyLength;

/// The body of one request: what the client sends behind its head, without the framing.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    #[expect(dead_code, reason = "skeleton")]
    stream: &'a TcpStream,
    /// Bytes read and not used: the start of the body, and what follows it.
    #[expect(dead_code, reason = "skeleton")]
    buffer: &'a mut BytesMut,
    length: BodyLength,
}

/// A body that cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// The client closed or reset the connection in it.
    #[error("the client left before the end of its request body")]
    Gone,
    /// Its framing is broken.
    #[error("the chunked request body is malformed: {0}")]
    Malformed(&'static str),
    /// Longer than `maxReqBodySize`.
    #[error("the request body is larger than maxReqBodySize")]
    TooLarge,
}

impl<'a> Upload<'a> {
    /// The body behind a head that said `length`.
    pub(crate) fn new(stream: &'a TcpStream, buffer: &'a mut BytesMut, length: BodyLength) -> Self {
        Self { stream, buffer, length }
    }

    /// What the head said.
    pub(crate) const fn length(&self) -> BodyLength {
        self.length
    }

    /// The next bytes of the body, `None` at its end. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, UploadError> {
        Ok(None)
    }

    /// Whether the whole body has been handed out.
    pub(crate) const fn is_complete(&self) -> bool {
        true
    }

    /// Whether the client has closed its connection (or its sending half), as the server finds out when it looks.
    pub(crate) fn client_has_left(&self) -> bool {
        false
    }
}
