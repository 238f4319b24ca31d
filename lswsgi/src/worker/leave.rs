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
    /// It uses more memory than it may.
    MaxRss(u64),
    /// There is new code.
    Reload,
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
            Self::MaxRss(bytes) => write!(f, "{} MiB of memory used (--max-rss)", bytes >> 20),
            Self::Reload => f.write_str("reload"),
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

    /// Under which name such ends are counted.
    pub(crate) const fn recycle(self) -> Recycle {
        match self {
            Self::ConnectionEnded => Recycle::Connection,
            Self::MaxRequests(_) => Recycle::MaxRequests,
            Self::Idle(_) => Recycle::Idle,
            Self::Surplus => Recycle::Surplus,
            Self::Lifetime => Recycle::Lifetime,
            Self::MemoryShort => Recycle::MemoryShort,
            Self::MaxRss(_) => Recycle::MaxRss,
            Self::Reload => Recycle::Reload,
            Self::Stopped | Self::ParentDied => Recycle::Stop,
            Self::ApplicationExit | Self::TryAgain => Recycle::Exit,
        }
    }
}

/// Under which name the end of a worker is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Recycle {
    /// Its connection ended (LSAPI_KEEP_LISTEN).
    Connection,
    /// LSAPI_MAX_REQS.
    MaxRequests,
    /// LSAPI_MAX_IDLE.
    Idle,
    /// LSAPI_MAX_IDLE_CHILDREN.
    Surplus,
    /// `--max-lifetime`.
    Lifetime,
    /// Memory is short.
    MemoryShort,
    /// `--max-rss`.
    MaxRss,
    /// There is new code.
    Reload,
    /// A stop.
    Stop,
    /// The application asked for it, or it ended with an exit code of its own.
    Exit,
    /// LSAPI_MAX_PROCESS_TIME.
    Runaway,
    /// A signal of a crash, or one that somebody has sent.
    Signal,
    /// A signal of the manager, to a process that did not end.
    Killed,
}

impl Recycle {
    /// All there are, in the order of their numbers.
    pub(crate) const ALL: [Self; 13] = [
        Self::Connection,
        Self::MaxRequests,
        Self::Idle,
        Self::Surplus,
        Self::Lifetime,
        Self::MemoryShort,
        Self::MaxRss,
        Self::Reload,
        Self::Stop,
        Self::Exit,
        Self::Runaway,
        Self::Signal,
        Self::Killed,
    ];

    /// Its name in status and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::MaxRequests => "max-requests",
            Self::Idle => "idle",
            Self::Surplus => "surplus",
            Self::Lifetime => "lifetime",
            Self::MemoryShort => "memory-short",
            Self::MaxRss => "max-rss",
            Self::Reload => "reload",
            Self::Stop => "stop",
            Self::Exit => "exit",
            Self::Runaway => "runaway",
            Self::Signal => "signal",
            Self::Killed => "killed",
        }
    }
}
