//! What client, keeper and server say to each other.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Exit;
use crate::launch::{LaunchError, LaunchSpec};
use crate::process_table::ProcessInfo;

/// From the client. Descriptors that belong to a request travel with its frame.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// To the keeper, with one descriptor: start a server that is talked to through it.
    StartServer,
    /// To the server, with two descriptors: start an application with these as 0 and 2.
    Spawn {
        /// Comes back in the answer.
        id: u64,
        /// What to start.
        spec: LaunchSpec,
    },
    /// To the keeper: make a folder that is removed when the client is gone and everything has ended.
    MakeFolder {
        /// The folder it is made in.
        parent: PathBuf,
    },
    /// To the keeper: leave this process, an application, and its descendants alone from now on.
    LetStay {
        /// Its pid, which is that of its session too.
        pid: i32,
    },
    /// To the keeper: end every process and answer.
    EndAll,
}

/// To the client, from either.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// The keeper has a server.
    ServerStarted {
        /// Its pid.
        pid: i32,
    },
    /// The keeper could not make a server.
    ServerFailed {
        /// Why.
        reason: String,
    },
    /// The folder that was asked for.
    FolderMade {
        /// Its path.
        path: PathBuf,
    },
    /// The folder could not be made.
    FolderFailed {
        /// Why.
        reason: String,
    },
    /// An application runs.
    Spawned {
        /// From the request.
        id: u64,
        /// Its pid.
        pid: i32,
        /// Monotonic time in microseconds.
        at: u64,
    },
    /// An application could not be started.
    SpawnFailed {
        /// From the request.
        id: u64,
        /// Why.
        error: LaunchError,
    },
    /// A process was reaped: an application, the server, or a descendant whose parents are gone.
    Exited {
        /// Its pid.
        pid: i32,
        /// How it ended.
        exit: Exit,
        /// Monotonic time in microseconds.
        at: u64,
    },
    /// Everything has ended.
    Done {
        /// What had to be ended.
        ended: Vec<ProcessInfo>,
    },
}

/// The monotonic clock, which is the same in all processes, in microseconds.
pub(crate) fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let part = |value: i64| u64::try_from(value).unwrap_or_default();
    part(time.tv_sec) * 1_000_000 + part(time.tv_nsec) / 1000
}
