//! What happens in a run, as one stream of events. Every report is a rendering of it.

use std::path::PathBuf;
use std::time::Duration;

use mock_lsws::scenario::{Class, Mismatch, Scenario};
use mock_lsws::{Entry, EntryRecord};
use serde::{Serialize, Serializer};

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins.
    RunStarted {
        /// What is tested.
        subject: String,
        /// Number of cases.
        cases: usize,
        /// How many run at the same time.
        jobs: usize,
    },
    /// A case begins.
    CaseStarted {
        /// Its ID.
        id: String,
    },
    /// A case is over.
    CaseFinished(Box<CaseResult>),
    /// The run is over.
    RunFinished(Summary),
}

/// A case and its verdict.
#[derive(Clone, Debug, Serialize)]
pub struct CaseResult {
    /// The case's ID.
    pub id: String,
    /// What has to be true.
    pub title: String,
    /// How much it matters.
    pub class: Class,
    /// The clauses it tests.
    pub spec: Vec<String>,
    /// Why anybody should care.
    pub why: String,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
    /// What became of it.
    pub verdict: Verdict,
    /// Everything sent and received; empty where nobody asked for it.
    #[serde(serialize_with = "records")]
    pub transcript: Vec<Entry>,
}

impl CaseResult {
    /// The result of `case`.
    #[must_use]
    pub fn new(case: &Scenario, duration: Duration, verdict: Verdict, transcript: Vec<Entry>) -> Self {
        Self {
            id: case.id.clone(),
            title: case.title.clone(),
            class: case.class,
            spec: case.spec.clone(),
            why: case.why.clone(),
            duration,
            verdict,
            transcript,
        }
    }
}

/// What became of a case.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Verdict {
    /// Everything was as expected.
    Passed,
    /// Something was not.
    Failed(Failure),
    /// It was not run.
    Skipped {
        /// Why not.
        reason: String,
    },
}

/// What went wrong in a case, with what it takes to understand it.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The scenario file.
    pub file: PathBuf,
    /// The line of the step that failed.
    pub line: usize,
    /// Its column.
    pub column: usize,
    /// What the step is about, in its author's words.
    pub note: Option<String>,
    /// Everything found wrong there.
    pub problems: Vec<Problem>,
    /// The end of the application's stderr.
    pub stderr: Vec<String>,
    /// The command that runs just this case.
    pub rerun: String,
}

/// One thing found wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What was looked at.
    pub field: String,
    /// What it should have been; nothing where the field says it all.
    pub expected: Option<String>,
    /// What it was.
    pub actual: String,
}

impl From<Mismatch> for Problem {
    fn from(mismatch: Mismatch) -> Self {
        Self { field: mismatch.field, expected: Some(mismatch.expected), actual: mismatch.actual }
    }
}

/// The counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Cases that passed.
    pub passed: usize,
    /// Cases that failed.
    pub failed: usize,
    /// Cases that were not run.
    pub skipped: usize,
    /// How long the run took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
}

impl Summary {
    /// Counts a verdict.
    pub const fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped { .. } => self.skipped += 1,
        }
    }
}

fn records<S: Serializer>(entries: &[Entry], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter().map(EntryRecord::from))
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use mock_lsws::Transcript;

    use super::*;

    #[test]
    fn events_are_plain_data_for_other_programs() {
        let transcript = Transcript::new();
        transcript.note("a process started");
        let text = "title='t'\nclass='must'\nspec=['s']\nwhy='w'\n[start]\nmode='worker'\nrole='r'\n[[step]]\npause='1s'";
        let case = mock_lsws::scenario::parse_text("a/b", std::path::Path::new("b.toml"), text).unwrap();
        let result =
            CaseResult::new(&case, Duration::from_millis(1500), Verdict::Passed, transcript.entries());
        let json = serde_json::to_value(Event::CaseFinished(Box::new(result))).unwrap();
        assert_eq!(json["event"], "case_finished");
        assert_eq!(json["id"], "a/b");
        assert_eq!(json["class"], "must");
        assert_eq!(json["seconds"], 1.5);
        assert_eq!(json["verdict"]["outcome"], "passed");
        assert_eq!(json["transcript"][0]["summary"], "a process started");
    }
}
