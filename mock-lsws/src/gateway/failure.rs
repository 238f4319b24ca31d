//! Why a request has to be sent once more.

use std::io;

/// What ended one send of a request before its response was complete (lsapi 4.3.5).
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// No connection could be made.
    #[error("no connection could be made: {source}")]
    Connect {
        /// Why.
        source: io::Error,
        /// How often the listening socket had been replaced before.
        renewals: u32,
    },
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
    /// Where nobody listens, because the application is not there at all: how often the listening socket had been
    /// replaced before.
    pub(super) fn absence(&self) -> Option<u32> {
        match self {
            Self::Connect { source, renewals } => {
                let is_absence =
                    matches!(source.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound);
                is_absence.then_some(*renewals)
            }
            _ => None,
        }
    }
}
