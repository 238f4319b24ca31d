//! Why nothing is served, and the exit code of each reason.

use std::io;
use std::path::PathBuf;

use mock_lsws::config::ConfigError;
use mock_lsws::{SpawnerError, exit_code};

/// A server that did not start, or was not left to stop.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    #[error("{0}")]
    Usage(String),
    #[error("{name}: not found on PATH; give its path, ./{name} for example", name = .0.display())]
    NotOnPath(PathBuf),
    #[error("{path}: cannot be executed: {source}", path = .path.display())]
    NotExecutable { path: PathBuf, source: io::Error },
    #[error("{path}: cannot be written: {source}", path = .path.display())]
    AccessLog { path: PathBuf, source: io::Error },
    #[error("the line that says it is ready cannot be printed: {0}")]
    Print(io::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Server(mock_lsws::ServeError),
    #[error(transparent)]
    Spawner(#[from] SpawnerError),
    #[error("{what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error("interrupted")]
    Interrupted,
}

impl From<mock_lsws::ServeError> for ServeError {
    fn from(error: mock_lsws::ServeError) -> Self {
        match error {
            mock_lsws::ServeError::Config(error) => Self::Config(error),
            other => Self::Server(other),
        }
    }
}

impl ServeError {
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => exit_code::USAGE,
            Self::Config(error) => match error {
                ConfigError::Read { .. } => exit_code::FILES,
                ConfigError::File(_) => exit_code::CONFIG,
                // Files are checked when they are read, so what is wrong was typed.
                _ => exit_code::USAGE,
            },
            Self::AccessLog { .. } | Self::Print(_) => exit_code::FILES,
            Self::Server(mock_lsws::ServeError::Listen { .. }) => exit_code::NOT_CONNECTED,
            Self::NotOnPath(_)
            | Self::NotExecutable { .. }
            | Self::Server(_)
            | Self::Spawner(_)
            | Self::System { .. } => exit_code::NOT_STARTED,
            Self::Interrupted => exit_code::INTERRUPTED,
        }
    }
}
