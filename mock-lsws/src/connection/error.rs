//! What can go wrong on this side of a connection.

use std::io;

/// A connection that did not come about.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to {address}: {source}")]
pub struct ConnectError {
    /// Where to.
    pub address: String,
    /// Why not.
    pub source: io::Error,
}

/// Bytes that could not be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The application has closed the connection.
    #[error("the application closed the connection after {sent} of {of} bytes")]
    Closed {
        /// Bytes of this call that were taken before.
        sent: usize,
        /// Bytes there were to send.
        of: usize,
    },
    /// The application has reset the connection.
    #[error("the application reset the connection after {sent} of {of} bytes")]
    Reset {
        /// Bytes of this call that were taken before.
        sent: usize,
        /// Bytes there were to send.
        of: usize,
    },
    /// The application does not read.
    #[error("the application stopped reading after {sent} of {of} bytes")]
    TimedOut {
        /// Bytes of this call that were taken before.
        sent: usize,
        /// Bytes there were to send.
        of: usize,
    },
    /// Something else.
    #[error("sending failed: {source}")]
    Other {
        /// What.
        source: io::Error,
    },
}

impl SendError {
    pub(super) fn from_io(source: io::Error, sent: usize, of: usize) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed { sent, of },
            io::ErrorKind::ConnectionReset => Self::Reset { sent, of },
            _ => Self::Other { source },
        }
    }
}
