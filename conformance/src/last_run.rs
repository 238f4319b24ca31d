//! What became of the last run, for `--rerun-failed`.
//!
//! The record is the event stream of that run without transcripts, one file for each pair of subject file and folder of
//! scenarios, in `lsapi-conformance` below `$XDG_STATE_HOME` or `~/.local/state`. It replaces the one before in one step.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::Error;
use crate::event::{Event, FORMAT};
use crate::report::Report;

/// The folder of all records.
const FOLDER: &str = "lsapi-conformance";

/// Where the record of a kind of run is.
#[derive(Clone, Debug)]
pub struct LastRun {
    path: PathBuf,
}

impl LastRun {
    /// The record of runs of the cases in `scenarios` against the subject `name` described in `file`; `None` where there
    /// is no place for records.
    #[must_use]
    pub fn of(name: &str, file: &Path, scenarios: &Path) -> Option<Self> {
        let given = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state =
            given("XDG_STATE_HOME").or_else(|| given("HOME").map(|home| home.join(".local/state")))?;
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut hash = Sha256::new();
        for path in [file, scenarios] {
            hash.update(absolute(path).as_os_str().as_encoded_bytes());
            hash.update([0]);
        }
        let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let name: String = name.chars().map(safe).collect();
        Some(Self { path: state.join(FOLDER).join(format!("{name}-{hash}.jsonl")) })
    }

    /// The cases that failed in the last run, or were not judged in it.
    ///
    /// # Errors
    /// [`Error::NoLastRun`] when there is no record or it cannot be read.
    pub fn open_cases(&self) -> Result<BTreeSet<String>, Error> {
        let wrong = |reason: String| Error::NoLastRun { path: self.path.clone(), reason };
        let text = std::fs::read_to_string(&self.path).map_err(|error| wrong(error.to_string()))?;
        let mut open = BTreeSet::new();
        for (index, line) in text.lines().enumerate() {
            let event = serde_json::from_str(line)
                .map_err(|error| wrong(format!("line {} is no event: {error}", index + 1)))?;
            match event {
                Event::RunStarted(run) if run.format != FORMAT => {
                    return Err(wrong(format!("it has format {}, this program reads {FORMAT}", run.format)));
                }
                Event::CaseFinished(result) if result.verdict.is_open() => {
                    open.insert(result.id);
                }
                _ => {}
            }
        }
        Ok(open)
    }

    /// What writes the record of a run.
    #[must_use]
    pub fn recorder(self) -> Recorder {
        Recorder { path: self.path, lines: Vec::new() }
    }
}

/// Keeps the events of a run and writes them when it is over.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    lines: Vec<u8>,
}

impl Report for Recorder {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::CaseFinished(result) => {
                let mut result = result.clone();
                for attempt in result.earlier.iter_mut().chain(&mut result.attempt) {
                    attempt.transcript.clear();
                }
                self.line(&Event::CaseFinished(result))
            }
            Event::RunStarted(_) => self.line(event),
            Event::RunFinished(_) => {
                self.line(event)?;
                let named = |error: io::Error| {
                    io::Error::new(error.kind(), format!("{}: {error}", self.path.display()))
                };
                self.write().map_err(named)
            }
            Event::CaseStarted { .. } | Event::CaseAttempt { .. } => Ok(()),
        }
    }
}

impl Recorder {
    fn line(&mut self, event: &Event) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, event)?;
        self.lines.push(b'\n');
        Ok(())
    }

    fn write(&self) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&self.lines)?;
        file.persist(&self.path)?;
        Ok(())
    }
}
