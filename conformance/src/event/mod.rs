//! What happens in a run, as one stream of events. Every report is a rendering of it.
//!
//! A line of the `jsonl` report is one [`Event`]; reading it back gives the same event. [`FORMAT`] grows when a field
//! changes its meaning or goes away; new fields may come at any time, so readers have to pass over what they do not know.

mod result;
mod summary;

use mock_lsws::EntryRecord;
use serde::{Deserialize, Serialize};

pub use result::{Attempt, CaseResult, Failure, FailureKind, Part, Problem, Verdict};
pub use summary::{Counts, Summary};

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
    /// How many case results there will be; `None` when the run goes on until a case fails.
    pub cases: Option<usize>,
    /// How many run at the same time.
    pub jobs: usize,
    /// What the order of the cases was drawn with; `None`: they are in order of their IDs.
    pub seed: Option<u64>,
    /// The command that repeats the run, without the cases.
    pub command: String,
}

/// Bytes of one transcript entry that go into a report.
const MOST_BYTES: usize = 64 << 10;

/// `entries` as reports have them.
pub(crate) fn records(entries: &[mock_lsws::Entry]) -> Vec<EntryRecord> {
    let record = |entry| {
        let mut record = EntryRecord::from(entry);
        record.bytes.truncate(2 * MOST_BYTES);
        record
    };
    entries.iter().map(record).collect()
}

/// Durations in seconds, as a number.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(de::Error::custom)
    }
}
