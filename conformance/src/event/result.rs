//! A case that is over: its verdict and everything it takes to understand that.

use std::path::PathBuf;
use std::time::Duration;

use mock_lsws::EntryRecord;
use mock_lsws::scenario::{Class, Mismatch};
use serde::{Deserialize, Serialize};

/// A case and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case's ID.
    pub id: String,
    /// Which time around, from 1.
    pub round: u32,
    /// What has to be true.
    pub title: String,
    /// How much it matters.
    pub class: Class,
    /// The clauses it tests.
    pub spec: Vec<String>,
    /// Why anybody should care.
    pub why: String,
    /// How long it took, all attempts together.
    #[serde(rename = "seconds", with = "super::seconds")]
    pub duration: Duration,
    /// Whether that was longer than a case should take.
    pub slow: bool,
    /// What became of it.
    pub verdict: Verdict,
    /// The attempt that decided; `None` where there was none.
    pub attempt: Option<Attempt>,
    /// Attempts before it, all failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Attempt>,
    /// The command that runs just this case.
    pub rerun: String,
}

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Verdict {
    /// Everything was as expected.
    Passed,
    /// Something was not.
    Failed,
    /// It failed, and passed when it was tried again.
    Flaky,
    /// It failed, and that is known and accepted.
    Waived {
        /// Why it is accepted.
        reason: String,
    },
    /// It does not apply here.
    Skipped {
        /// Why not.
        reason: String,
    },
    /// The run ended before it was its turn, or while it was running.
    NotRun {
        /// What ended the run.
        reason: String,
    },
    /// The runner could not run it. Says nothing about the subject.
    Error {
        /// What went wrong.
        message: String,
    },
}

impl Verdict {
    /// Whether the subject was judged by it.
    #[must_use]
    pub const fn is_judged(&self) -> bool {
        matches!(self, Self::Passed | Self::Failed | Self::Flaky | Self::Waived { .. })
    }

    /// Whether the case has to be run again to know more: it failed, or was never judged.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Failed | Self::Flaky | Self::NotRun { .. } | Self::Error { .. })
    }
}

/// One time a case was run. It passed if both of its parts did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which, from 1.
    pub number: u32,
    /// How long it took.
    #[serde(rename = "seconds", with = "super::seconds")]
    pub duration: Duration,
    /// What was said: the steps of the case.
    pub exchange: Part,
    /// How it ended: the application's exit, and what it left behind.
    pub ending: Part,
    /// The end of the application's stderr; empty for an attempt that passed.
    pub stderr: Vec<String>,
    /// Everything sent and received; empty where nobody asked for it.
    pub transcript: Vec<EntryRecord>,
}

impl Attempt {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn has_passed(&self) -> bool {
        !matches!(self.exchange, Part::Failed(_)) && !matches!(self.ending, Part::Failed(_))
    }

    /// Whether it was ended because it took too long.
    #[must_use]
    pub fn has_timed_out(&self) -> bool {
        matches!(&self.exchange, Part::Failed(failure) if failure.kind == FailureKind::Timeout)
    }

    /// What failed, in the order it happened.
    pub fn failures(&self) -> impl Iterator<Item = &Failure> {
        [&self.exchange, &self.ending].into_iter().filter_map(|part| match part {
            Part::Failed(failure) => Some(failure),
            Part::Passed | Part::NotJudged => None,
        })
    }
}

/// One of the two verdicts on an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Part {
    /// Nothing is wrong.
    Passed,
    /// Something is.
    Failed(Failure),
    /// Nobody looked: after a failed exchange an application cannot be expected to be in good order.
    NotJudged,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In which way.
    pub kind: FailureKind,
    /// The scenario file.
    pub file: PathBuf,
    /// The line of the step, from 1.
    pub line: usize,
    /// Its column, from 1.
    pub column: usize,
    /// What the step is about, in its author's words.
    pub note: Option<String>,
    /// Everything found wrong there.
    pub problems: Vec<Problem>,
}

/// In which way something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Something is not as expected.
    Mismatch,
    /// The case took longer than it may.
    Timeout,
}

impl FailureKind {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::Timeout => "timeout",
        }
    }
}

/// One thing found wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What was looked at.
    pub field: String,
    /// What it should have been; nothing where the field says it all.
    pub expected: Option<String>,
    /// What it was.
    pub actual: String,
    /// Where in the transcript it begins to be wrong, if that is one place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A byte of a transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which entry of the attempt's transcript, from 0.
    pub entry: usize,
    /// Which byte of it, from 0; as many as it has if something is missing behind it.
    pub byte: usize,
}

impl Place {
    /// The place in words, for people who have this transcript before them.
    #[must_use]
    pub fn show(&self, transcript: &[EntryRecord]) -> Option<String> {
        let entry = transcript.get(self.entry)?;
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a case, to be read by people")]
        let at = entry.at_us as f64 / 1000.0;
        Some(format!("byte {} of {} at {at:.3} ms", self.byte, entry.name))
    }
}

impl Problem {
    /// Something that was to be otherwise.
    pub fn new(field: impl Into<String>, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { field: field.into(), expected: Some(expected.into()), actual: actual.into(), place: None }
    }

    /// Something that says it all itself.
    pub fn plain(field: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { field: field.into(), expected: None, actual: actual.into(), place: None }
    }
}

impl From<Mismatch> for Problem {
    fn from(mismatch: Mismatch) -> Self {
        Self::new(mismatch.field, mismatch.expected, mismatch.actual)
    }
}
