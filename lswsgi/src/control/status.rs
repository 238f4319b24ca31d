//! What a group tells of itself. JSON, the table for people and the Prometheus text all come from this.
//!
//! Times are in seconds, sizes in bytes. A part that is missing, because the group is of another version, is empty.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Latency;

/// The state of a group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    /// The version of lswsgi that runs.
    pub(crate) lswsgi: String,
    /// The application's file, with a mark for what of it is not UTF-8; `None`: the script each request names.
    pub(crate) application: Option<String>,
    pub(crate) state: State,
    /// Why it is failing.
    pub(crate) reason: Option<String>,
    pub(crate) manager: Process,
    /// The process workers are forked from.
    pub(crate) template: Option<Process>,
    /// The one that imports new code, and is to take its place.
    pub(crate) next_template: Option<Process>,
    pub(crate) limits: Limits,
    /// Requests begun since the group was started.
    pub(crate) requests: u64,
    /// Workers that have been ready since then.
    pub(crate) workers_started: u64,
    /// Workers that have ended since then, by reason.
    pub(crate) workers_ended: BTreeMap<String, u64>,
    pub(crate) reloads: Reloads,
    pub(crate) connections: Connections,
    pub(crate) saturation: Saturation,
    pub(crate) latency: Latency,
    /// The workers there are, in the order of their slots.
    pub(crate) workers: Vec<Worker>,
}

/// What a group does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It serves, or would if there was a request.
    Serving,
    /// The application is imported for the first time.
    Starting,
    /// The application cannot be used: requests are answered with 500.
    Failing,
    /// It takes no more connections, and ends.
    Stopping,
    /// Something a later version does.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) age_seconds: f64,
    /// Memory it has resident; `None` if the kernel does not say.
    pub(crate) rss_bytes: Option<u64>,
}

/// How many workers there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Limits {
    /// LSAPI_CHILDREN.
    pub(crate) workers: u32,
    /// Beyond that while all are busy: LSAPI_EXTRA_CHILDREN.
    pub(crate) extra_workers: u32,
}

/// How often new code was asked for, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Reloads {
    /// So often new code took over.
    pub(crate) completed: u64,
    /// So often the old code went on.
    pub(crate) failed: u64,
    /// One is under way.
    pub(crate) in_progress: bool,
    /// The last one that has ended.
    pub(crate) last: Option<Reload>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Reload {
    /// When it ended, as in RFC 3339.
    pub(crate) at: String,
    /// Why it failed; `None`: it did not.
    pub(crate) error: Option<String>,
}

/// Connections of the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Connections {
    /// Those that workers have.
    pub(crate) held: usize,
    /// Those that are known to wait for a worker. More may wait behind them in the kernel.
    pub(crate) waiting: usize,
}

/// Times in which connections waited because all workers were busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Saturation {
    /// It is so now.
    pub(crate) now: bool,
    /// How often it was so.
    pub(crate) times: u64,
    /// For how long altogether.
    pub(crate) seconds: f64,
}

/// A worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Worker {
    /// `None`: it is being forked.
    pub(crate) pid: Option<i32>,
    /// Its place; a new worker takes that of one that has ended.
    pub(crate) slot: usize,
    pub(crate) state: Work,
    pub(crate) age_seconds: f64,
    /// Requests it has begun.
    pub(crate) requests: u64,
    pub(crate) rss_bytes: Option<u64>,
    /// It has the code from before a reload.
    pub(crate) old_code: bool,
    /// It only answers that the application cannot be used.
    pub(crate) stand_in: bool,
    /// Method and URL of the request it runs, cut after some 230 bytes.
    pub(crate) request: Option<String>,
    /// For how long it has been running that.
    pub(crate) request_seconds: Option<f64>,
}

/// What a worker does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    /// It is being forked, or imports the application.
    Starting,
    /// It has no connection.
    Idle,
    /// It has a connection, on which no request has come.
    Waiting,
    /// It runs a request.
    Busy,
    /// It has been told to leave, and runs its last request.
    Leaving,
    /// Somebody has stopped its process (SIGSTOP).
    Stopped,
    /// It takes nothing more; its exit handlers may run.
    Exiting,
    /// Something a later version does.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Work {
    /// The word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Waiting => "waiting",
            Self::Busy => "busy",
            Self::Leaving => "leaving",
            Self::Stopped => "stopped",
            Self::Exiting => "exiting",
            Self::Unknown => "unknown",
        }
    }

    /// What a worker can be found to do.
    pub(crate) const ALL: [Self; 7] =
        [Self::Starting, Self::Idle, Self::Waiting, Self::Busy, Self::Leaving, Self::Stopped, Self::Exiting];
}

impl State {
    /// The word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Starting => "starting",
            Self::Failing => "failing",
            Self::Stopping => "stopping",
            Self::Unknown => "unknown",
        }
    }
}
