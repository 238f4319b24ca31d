//! The counts at the end of a run.

use std::time::Duration;

use mock_lsws::scenario::Class;
use serde::{Deserialize, Serialize};

use super::result::{CaseResult, Verdict};

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Cases a real server depends on.
    pub must: Counts,
    /// Cases of robustness.
    pub should: Counts,
    /// Cases of reference behaviour.
    pub detail: Counts,
    /// How long the run took.
    #[serde(rename = "seconds", with = "super::seconds")]
    pub duration: Duration,
    /// What is wrong with the run beyond single cases, for example a waiver that is not needed. Whether it fails the run,
    /// the exit code tells.
    pub remarks: Vec<String>,
    /// What ended the run early.
    pub error: Option<String>,
    /// What the program exits with.
    pub exit_code: u8,
}

/// Cases by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Those that passed at once.
    pub passed: usize,
    /// Those that failed.
    pub failed: usize,
    /// Those that passed when tried again.
    pub flaky: usize,
    /// Those whose failure is accepted.
    pub waived: usize,
    /// Those that do not apply.
    pub skipped: usize,
    /// Those whose turn never came.
    pub not_run: usize,
    /// Those the runner could not run.
    pub errors: usize,
}

impl Summary {
    /// Counts a case.
    pub const fn count(&mut self, result: &CaseResult) {
        let counts = match result.class {
            Class::Must => &mut self.must,
            Class::Should => &mut self.should,
            Class::Detail => &mut self.detail,
        };
        match result.verdict {
            Verdict::Passed => counts.passed += 1,
            Verdict::Failed => counts.failed += 1,
            Verdict::Flaky => counts.flaky += 1,
            Verdict::Waived { .. } => counts.waived += 1,
            Verdict::Skipped { .. } => counts.skipped += 1,
            Verdict::NotRun { .. } => counts.not_run += 1,
            Verdict::Error { .. } => counts.errors += 1,
        }
    }

    /// All classes together.
    #[must_use]
    pub const fn total(&self) -> Counts {
        self.must.plus(self.should).plus(self.detail)
    }
}

impl Counts {
    /// Cases the subject was judged by.
    #[must_use]
    pub const fn ran(&self) -> usize {
        self.passed + self.failed + self.flaky + self.waived
    }

    /// All cases.
    #[must_use]
    pub const fn all(&self) -> usize {
        self.ran() + self.skipped + self.not_run + self.errors
    }

    /// The counts with their names, in the order reports show them.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, usize); 7] {
        [
            ("passed", self.passed),
            ("failed", self.failed),
            ("flaky", self.flaky),
            ("waived", self.waived),
            ("errors", self.errors),
            ("skipped", self.skipped),
            ("not run", self.not_run),
        ]
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            flaky: self.flaky + other.flaky,
            waived: self.waived + other.waived,
            skipped: self.skipped + other.skipped,
            not_run: self.not_run + other.not_run,
            errors: self.errors + other.errors,
        }
    }
}
