//! What one run says about a case, all its rounds together.

use std::time::Duration;

use mock_lsws::scenario::Class;

use crate::event::{CaseResult, Verdict};
use crate::report::headline;

/// A verdict without its reason. Later ones weigh more: of several rounds the gravest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It does not apply.
    Skipped,
    /// It failed, and that is accepted.
    Waived,
    /// It passed when it was tried again.
    Flaky,
    /// Its turn never came.
    NotRun,
    /// The runner could not run it.
    Error,
    /// It failed.
    Failed,
}

impl Outcome {
    /// All of them, in the order of columns.
    pub const ALL: [Self; 7] =
        [Self::Passed, Self::Failed, Self::Flaky, Self::Waived, Self::Error, Self::Skipped, Self::NotRun];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Waived => "waived",
            Self::Flaky => "flaky",
            Self::NotRun => "not run",
            Self::Error => "error",
            Self::Failed => "failed",
        }
    }

    /// Whether nobody can rely on the case: it failed, or there is no verdict although there should be one.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Error | Self::NotRun)
    }
}

impl From<&Verdict> for Outcome {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Passed => Self::Passed,
            Verdict::Failed => Self::Failed,
            Verdict::Flaky => Self::Flaky,
            Verdict::Waived { .. } => Self::Waived,
            Verdict::Skipped { .. } => Self::Skipped,
            Verdict::NotRun { .. } => Self::NotRun,
            Verdict::Error { .. } => Self::Error,
        }
    }
}

/// A case in one of the two runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// How much it matters.
    pub class: Class,
    /// The gravest of its rounds.
    pub outcome: Outcome,
    /// What was wrong first, or the reason; nothing for a case that passed.
    pub problem: Option<String>,
    /// How long it took: the shortest of its rounds, which other load on the machine has disturbed least.
    pub duration: Duration,
}

impl Side {
    /// What one round says.
    #[must_use]
    pub fn of(result: &CaseResult) -> Self {
        let attempts = || result.attempt.iter().chain(result.earlier.iter());
        let problem = match &result.verdict {
            Verdict::Passed => None,
            Verdict::Failed | Verdict::Flaky | Verdict::Waived { .. } => {
                attempts().find_map(|attempt| attempt.failures().next()).map(headline)
            }
            Verdict::Skipped { reason } | Verdict::NotRun { reason } => Some(reason.clone()),
            Verdict::Error { message } => Some(message.clone()),
        };
        let problem = problem.map(|text| text.lines().next().unwrap_or_default().to_owned());
        let outcome = Outcome::from(&result.verdict);
        Self { class: result.class, outcome, problem, duration: result.duration }
    }

    /// Adds another round.
    pub fn join(&mut self, other: Self) {
        self.duration = self.duration.min(other.duration);
        if other.outcome > self.outcome {
            (self.outcome, self.problem) = (other.outcome, other.problem);
        }
    }
}
