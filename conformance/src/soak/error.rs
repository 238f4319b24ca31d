//! Why a soak cannot begin, or cannot go on.

use std::path::PathBuf;

use mock_lsws::{ListenError, SpawnerError};

/// What keeps a soak from a verdict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SoakError {
    /// The subject does not run WSGI applications.
    #[error(
        "a soak runs a WSGI application of its own, and {subject} does not provide `wsgi`: name another --subject"
    )]
    NotWsgi {
        /// Its name.
        subject: String,
    },
    /// The parent process of the subject is not there.
    #[error("the process that starts the subject does not do its work")]
    Spawner(#[from] SpawnerError),
    /// The subject does not start.
    #[error("{subject} does not start: {reason}")]
    NotStarted {
        /// Its name.
        subject: String,
        /// Why.
        reason: String,
    },
    /// The listening socket is not there.
    #[error("there is no listening socket")]
    Listener(#[from] ListenError),
    /// A file could not be written.
    #[error("{path} cannot be written", path = .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A copy of the listening socket could not be made.
    #[error("the listening socket cannot be handed over")]
    HandOver(#[source] std::io::Error),
}
