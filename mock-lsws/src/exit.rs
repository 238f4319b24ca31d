//! How a process ended.

use std::fmt;

use rustix::process::{WaitIdStatus, WaitStatus};
use serde::{Deserialize, Serialize};

/// The end of a process as its parent was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It exited by itself with this code, 0 to 255.
    Code(i32),
    /// A signal ended it.
    Signal {
        /// The number of the signal.
        signal: i32,
        /// Whether a core file was written.
        core: bool,
    },
}

impl Exit {
    /// Reads a wait status; `None` for a process that has only stopped or continued.
    pub(crate) fn from_status(status: &WaitIdStatus) -> Option<Self> {
        let code = status.exit_status().map(Self::Code);
        let signal =
            || status.terminating_signal().map(|signal| Self::Signal { signal, core: status.dumped() });
        code.or_else(signal)
    }

    /// The same for the status of the older call, which is the one that tells whose it is.
    pub(crate) fn from_wait(status: WaitStatus) -> Option<Self> {
        let code = status.exit_status().map(Self::Code);
        // The bit behind the signal number says whether a core was dumped.
        let signal = || {
            status
                .terminating_signal()
                .map(|signal| Self::Signal { signal, core: status.as_raw() & 0x80 != 0 })
        };
        code.or_else(signal)
    }

    /// Whether it is exit code 0.
    #[must_use]
    pub const fn success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// The exit code, if it exited by itself.
    #[must_use]
    pub const fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal { .. } => None,
        }
    }

    /// The number of the signal that ended it.
    #[must_use]
    pub const fn signal(self) -> Option<i32> {
        match self {
            Self::Code(_) => None,
            Self::Signal { signal, .. } => Some(signal),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal { signal, core } => {
                match crate::signal::name(*signal) {
                    Some(name) => write!(f, "{name}")?,
                    None => write!(f, "signal {signal}")?,
                }
                if *core { f.write_str(" (core dumped)") } else { Ok(()) }
            }
        }
    }
}
