//! Everything that keeps a run from happening, each with its exit code.

use std::path::PathBuf;

use mock_lsws::FileError;

use crate::exit_code;
use crate::format::FormatError;
use crate::mutants::MutantsError;
use crate::report::{DocumentError, ReportError};
use crate::soak::SoakError;
use crate::subject::SubjectError;

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no folder of scenarios.
    #[error("no folder `scenarios` here or above: run this in a checkout, or say where with --scenarios DIR")]
    NoScenarios,
    /// The folder of scenarios cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The subject was named but does not exist.
    #[error("there is no subject `{name}`: {path} does not exist; give a name from {folder} or the path of a file", folder = .path.parent().unwrap_or(.path).display(), path = .path.display())]
    NoSubject {
        /// As typed.
        name: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("{}: {}", .path.display(), not_written(.source))]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Scenario files are wrong.
    #[error("{}", list(.0))]
    BadScenarios(Vec<FileError>),
    /// The subject file is wrong.
    #[error(transparent)]
    BadSubject(FileError),
    /// The file of waivers is wrong.
    #[error(transparent)]
    BadWaivers(FileError),
    /// A reference, or the list of clauses made from them, is wrong.
    #[error(transparent)]
    BadClauses(FileError),
    /// The list of clauses is not that of the references.
    #[error("{}: is not what the references say: `conformance clauses > {}`", .0.display(), .0.display())]
    StaleClauses(PathBuf),
    /// The file of mutants is wrong.
    #[error(transparent)]
    BadMutants(FileError),
    /// The mutants cannot be told.
    #[error(transparent)]
    Mutants(#[from] MutantsError),
    /// There is no clause of this name.
    #[error("there is no clause `{id}`, nor one that begins so: `conformance coverage` lists all")]
    NoSuchClause {
        /// As typed.
        id: String,
    },
    /// The filters leave nothing.
    #[error(
        "no case is selected by {patterns}: `conformance list --class must,should,detail` shows all there are"
    )]
    NothingSelected {
        /// What was typed.
        patterns: String,
    },
    /// There is nothing to run again.
    #[error("no case failed in the last run: leave out --rerun-failed")]
    NothingFailed,
    /// It is not known what failed in the last run.
    #[error("there is no record of a last run that --rerun-failed could repeat: {path}: {reason}", path = .path.display())]
    NoLastRun {
        /// Where it would be.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no place for a record of the last run.
    #[error("--rerun-failed needs a place for records: set HOME or XDG_STATE_HOME to an absolute path")]
    NoStateFolder,
    /// The application could not be built or started.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// A soak could not begin, or not go on.
    #[error(transparent)]
    Soak(#[from] SoakError),
    /// A list could not be written.
    #[error("standard output cannot be written")]
    Output(#[source] std::io::Error),
    /// A file cannot be formatted.
    #[error(transparent)]
    Unformatted(#[from] FormatError),
    /// A file is no report of a run.
    #[error(transparent)]
    BadDocument(#[from] DocumentError),
    /// A report is to be written where it cannot be.
    #[error(transparent)]
    BadReport(ReportError),
    /// A report could not be written to its end.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Somebody stopped the run with Ctrl-C or SIGTERM.
    #[error("interrupted; every process of the run has been ended")]
    Interrupted,
    /// The machinery around the cases failed.
    #[error("{what}")]
    Harness {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl Error {
    /// The error and the errors behind it that it does not tell itself.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let more = error.to_string();
            if !text.contains(&more) {
                text = format!("{text}: {more}");
            }
            cause = error.source();
        }
        text
    }

    /// The exit code for this.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::NoScenarios
            | Self::Unreadable { .. }
            | Self::NoSubject { .. }
            | Self::NoLastRun { .. }
            | Self::NoSuchClause { .. }
            | Self::BadDocument(DocumentError::Unreadable { .. })
            | Self::BadReport(_)
            | Self::NoStateFolder
            | Self::NotWritten { .. }
            | Self::Mutants(MutantsError::NoSuchMutant { .. })
            | Self::Subject(SubjectError::WhichRole { .. })
            | Self::Soak(SoakError::NotWsgi { .. }) => exit_code::USAGE,
            Self::BadScenarios(_)
            | Self::BadDocument(_)
            | Self::Unformatted(_)
            | Self::BadSubject(_)
            | Self::BadWaivers(_)
            | Self::BadClauses(_)
            | Self::StaleClauses(_)
            | Self::BadMutants(_) => exit_code::BAD_SCENARIO,
            Self::NothingSelected { .. } | Self::NothingFailed => exit_code::NOTHING_SELECTED,
            Self::Subject(_)
            | Self::Soak(_)
            | Self::Mutants(_)
            | Self::Output(_)
            | Self::Report(_)
            | Self::Harness { .. } => exit_code::SUBJECT_NOT_STARTED,
            Self::Interrupted => exit_code::INTERRUPTED,
        }
    }
}

fn not_written(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            "this file exists and is left as it is; name another, or remove it first".to_owned()
        }
        _ => format!("cannot be written: {error}"),
    }
}

fn list(errors: &[FileError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
