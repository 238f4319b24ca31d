//! Why a worker leaves, and how the log says it.

use std::fmt;
use std::time::Duration;

/// Why a worker leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The connection it was started for has ended.
    ConnectionEnded,
    /// It has served as many requests as it may.
    MaxRequests(u64),
    /// No request came for the idle limit.
    Idle(Duration),
    /// More workers of its group are idle than may be.
    Surplus,
    /// It is older than it may be.
    Lifetime,
    /// Memory is short, and it was not needed.
    MemoryShort,
    /// A signal or the manager asked it to.
    Stopped,
    /// The process that started it died, or its manager.
    ParentDied,
    /// The application raised SystemExit or KeyboardInterrupt.
    ApplicationExit,
    /// The application cannot be used, and another process should try again.
    TryAgain,
}

impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectionEnded => f.write_str("the connection ended"),
            Self::MaxRequests(count) => write!(f, "{count} requests served, the limit (LSAPI_MAX_REQS)"),
            Self::Idle(limit) => write!(f, "no request for {} s (LSAPI_MAX_IDLE)", limit.as_secs()),
            Self::Surplus => f.write_str("surplus (LSAPI_MAX_IDLE_CHILDREN)"),
            Self::Lifetime => f.write_str("its age (--max-lifetime)"),
            Self::MemoryShort => f.write_str("memory is short (LSAPI_AVOID_FORK)"),
            Self::Stopped => f.write_str("asked to stop by a signal"),
            Self::ParentDied => f.write_str("the process that started this one has died"),
            Self::TryAgain => f.write_str("another process should try the application again"),
            Self::ApplicationExit => f.write_str("the application asked to exit"),
        }
    }
}

impl Leave {
    /// As the log of a group says it, in which the manager says why each worker has left.
    #[must_use]
    pub(crate) fn in_group(self) -> String {
        match self {
            Self::ConnectionEnded => "its connection ended (LSAPI_KEEP_LISTEN)".to_owned(),
            Self::MaxRequests(count) => format!("{count} requests served (LSAPI_MAX_REQS)"),
            Self::Idle(_) => "idle (LSAPI_MAX_IDLE)".to_owned(),
            Self::Stopped => "stop".to_owned(),
            other => other.to_string(),
        }
    }
}
