//! What can go wrong in a run, and its exit code.

use std::io;
use std::path::PathBuf;

use mock_lsws::{ConnectError, ListenError, SendError, SpawnerError, StartError, exit_code};

/// A run that did not come to a response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error("{0}")]
    Usage(String),
    #[error("{path}: cannot be read: {source}", path = .path.display())]
    Body { path: PathBuf, source: io::Error },
    #[error("{path}: cannot be written: {source}", path = .path.display())]
    Output { path: PathBuf, source: io::Error },
    #[error("the response could not be printed: {0}")]
    Print(io::Error),
    #[error("{name}: not found on PATH; give its path, ./{name} for example", name = .0.display())]
    NotOnPath(PathBuf),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Spawner(#[from] SpawnerError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the request could not be sent: {0}")]
    Send(#[from] SendError),
    #[error("{what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error("the secret {} cannot be read: {source}", path.display())]
    Secret { path: PathBuf, source: io::Error },
    #[error("interrupted")]
    Interrupted,
}

impl RunError {
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => exit_code::USAGE,
            Self::Body { .. } | Self::Secret { .. } | Self::Output { .. } | Self::Print(_) => {
                exit_code::FILES
            }
            Self::NotOnPath(_)
            | Self::Start(_)
            | Self::Spawner(_)
            | Self::Listen(_)
            | Self::System { .. } => exit_code::NOT_STARTED,
            Self::Connect(_) => exit_code::NOT_CONNECTED,
            Self::Send(SendError::TimedOut { .. }) => exit_code::TIMEOUT,
            Self::Send(_) => exit_code::CUT_OFF,
            Self::Interrupted => exit_code::INTERRUPTED,
        }
    }
}
