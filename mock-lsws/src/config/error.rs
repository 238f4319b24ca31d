//! A configuration that cannot be used.

use std::io;
use std::path::PathBuf;

use crate::FileError;

/// A configuration that cannot be used, and all that is wrong with it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file has mistakes; in the order of their lines.
    #[error("{}", lines(.0))]
    File(Vec<FileError>),
    /// Settings made in a program are wrong.
    #[error("{}", lines(.0))]
    Settings(Vec<String>),
}

fn lines(mistakes: &[impl ToString]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
