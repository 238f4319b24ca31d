//! The events themselves.

use serde::{Deserialize, Serialize};

use super::result::{Attempt, CaseResult};
use super::summary::Summary;

/// The version of the stream.
pub const FORMAT: u32 = 1;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins. Always the first.
    RunStarted(RunStarted),
    /// A case begins.
    CaseStarted {
        /// Its ID.
        id: String,
        /// Which time around, from 1; more than 1 with `--repeat`.
        round: u32,
    },
    /// A case failed and is tried again.
    CaseAttempt {
        /// Its ID.
        id: String,
        /// Which time around.
        round: u32,
        /// What happened.
        attempt: Box<Attempt>,
    },
    /// A case is over.
    CaseFinished(Box<CaseResult>),
    /// The run is over. Always the last.
    RunFinished(Summary),
}

/// What is about to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// [`FORMAT`].
    pub format: u32,
    /// The program and its version.
    pub tool: String,
    /// What is tested.
    pub subject: String,
    /// Which cases, in words.
    pub selection: String,
    /// How many case results there will be, fewer if a run of several rounds is stopped; `None` when the run goes on until a case fails.
    pub cases: Option<usize>,
    /// How many run at the same time.
    pub jobs: usize,
    /// What the order of the cases was drawn with; `None`: they are in order of their IDs.
    pub seed: Option<u64>,
    /// The command that repeats the run, without the cases.
    pub command: String,
    /// The command that repeats the whole run, in the same order.
    pub whole_command: String,
}
