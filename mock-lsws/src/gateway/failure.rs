//! Why a request has to be sent once more.

use std::io;

/// What ended one send of a request before its response was complete (lsws 3.5).
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No connection could be made.
    #[error("no connection could be made: {0}")]
    Connect(io::Error),
    /// The application closed the connection.
    #[error("the application closed the connection before RESP_END")]
    Closed,
    /// The application reset the connection.
    #[error("the connection was lost before RESP_END: {0}")]
    Lost(io::Error),
    /// What the application sent is no LSAPI.
    #[error("the application broke the protocol")]
    Violation,
    /// The application did not even acknowledge the request.
    #[error("the application did not acknowledge the request within initTimeout")]
    InitTimeout,
    /// The real server would wait for something that cannot come.
    #[error("the server made nothing of the response headers, and gave up after initTimeout")]
    Stuck,
}

impl Failure {
    /// Whether nobody listens: the application is not there at all.
    pub(super) fn is_absence(&self) -> bool {
        match self {
            Self::Connect(error) => {
                matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
            }
            _ => false,
        }
    }
}
