//! A run as one JSON document, and reading one back.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::event::{CaseResult, Event, FORMAT, RunStarted, Summary};

/// A whole run: what the report `json` is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDocument {
    /// What ran.
    pub run: RunStarted,
    /// What became of each case, in the order of rounds and IDs.
    pub cases: Vec<CaseResult>,
    /// How it ended.
    pub summary: Summary,
}

/// A file that is no report of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It cannot be read.
    #[error("{path}: cannot be read: {source}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no JSON, or a field is missing or wrong.
    #[error("{path}:{line}: is no report of a run: {reason}; `conformance run --report json=FILE` writes one", path = .path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A later version wrote it.
    #[error("{path}: has format {found}, and this program reads formats up to {FORMAT}: take the version that wrote it", path = .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The stream of events was cut off.
    #[error("{path}: the run was not over when this was written: there is no `run_finished`", path = .path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
    },
}

impl RunDocument {
    /// Reads the report `json` or `jsonl` in the file `path`.
    ///
    /// # Errors
    /// [`DocumentError`] with the file and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, DocumentError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| DocumentError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, DocumentError> {
        // Of the stream of events the first line is a document of its own.
        let first = text.lines().next().unwrap_or_default();
        if let Ok(event) = serde_json::from_str::<serde_json::Value>(first)
            && event.get("event").is_some()
        {
            refuse_newer(path, &event)?;
            return Self::from_events(path, text);
        }
        let wrong = |error: serde_json::Error| wrong(path, error.line(), &error);
        let value: serde_json::Value = serde_json::from_str(text).map_err(wrong)?;
        refuse_newer(path, value.get("run").unwrap_or(&serde_json::Value::Null))?;
        // Not from the value: that has forgotten the lines.
        serde_json::from_str(text).map_err(wrong)
    }

    fn from_events(path: &Path, text: &str) -> Result<Self, DocumentError> {
        let (mut run, mut cases, mut summary) = (None, Vec::new(), None);
        for (index, line) in text.lines().enumerate() {
            match serde_json::from_str(line).map_err(|error| wrong(path, index + 1, &error))? {
                Event::RunStarted(started) => run = Some(started),
                Event::CaseFinished(result) => cases.push(*result),
                Event::RunFinished(finished) => summary = Some(finished),
                Event::CaseStarted { .. } | Event::CaseAttempt { .. } => {}
            }
        }
        let run = run.ok_or_else(|| wrong(path, 1, &"there is no `run_started`"))?;
        let summary = summary.ok_or_else(|| DocumentError::CutOff { path: path.to_owned() })?;
        Ok(Self::new(run, cases, summary))
    }

    /// Of what the events told.
    pub(super) fn new(run: RunStarted, mut cases: Vec<CaseResult>, summary: Summary) -> Self {
        cases.sort_by(|a, b| (a.round, &a.id).cmp(&(b.round, &b.id)));
        Self { run, cases, summary }
    }
}

fn wrong(path: &Path, line: usize, reason: &dyn std::fmt::Display) -> DocumentError {
    DocumentError::Wrong { path: path.to_owned(), line, reason: reason.to_string() }
}

/// A later version may have changed any other field, so this one is looked at first.
fn refuse_newer(path: &Path, run: &serde_json::Value) -> Result<(), DocumentError> {
    match run.get("format").and_then(serde_json::Value::as_u64) {
        Some(found) if found > u64::from(FORMAT) => {
            Err(DocumentError::Newer { path: path.to_owned(), found })
        }
        _ => Ok(()),
    }
}
