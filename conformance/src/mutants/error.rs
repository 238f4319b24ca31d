//! Why mutants cannot be told.

use std::path::PathBuf;

/// Why there are no mutants to run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MutantsError {
    /// There is no mutant of that name.
    #[error("there is no mutant `{name}`{}; `conformance mutants --list` tells all", hint(.similar))]
    NoSuchMutant {
        /// As typed.
        name: String,
        /// The name that was probably meant.
        similar: Option<String>,
    },
    /// The host with the flaws does not tell them.
    #[error("{command} does not tell its flaws: {reason}")]
    NoFlaws {
        /// What was asked.
        command: String,
        /// What came back.
        reason: String,
    },
    /// A file with the results could not be written.
    #[error("{}: cannot be written: {source}", .path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn hint(similar: &Option<String>) -> String {
    similar.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
