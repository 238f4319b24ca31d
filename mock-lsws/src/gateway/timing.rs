//! The server's own rhythm.

use std::time::Duration;

/// The server's own rhythm. Tests shorten it; nothing else should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How often a waiting request is looked after: whether its client is still there, and the notice about requests
    /// without delivery notification. 10 s.
    pub check: Duration,
    /// How often idle connections, lowered limits, and processes that have ended are looked after. 1 s.
    pub tick: Duration,
    /// How long a process that was told to end has until it is told again. A request that needs it may delay the first
    /// time until then. 20 s.
    pub remind: Duration,
    /// How long a process that was told to end may take before it is killed. 25 s.
    pub kill: Duration,
    /// How long a process goes on when another one was started in its place. 0.1 s.
    pub replaced: Duration,
    /// How often it is looked whether an application has to be started anew. 10 s.
    pub restart_check: Duration,
    /// How soon after that it can be the next time. 60 s.
    pub restart_pause: Duration,
    /// How long processes may take to end when the server stops. 5 s; the real one has 0.1 s, too short to write down what
    /// was measured.
    pub last: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            check: Duration::from_secs(10),
            tick: Duration::from_secs(1),
            remind: Duration::from_secs(20),
            kill: Duration::from_secs(25),
            replaced: Duration::from_millis(100),
            restart_check: Duration::from_secs(10),
            restart_pause: Duration::from_secs(60),
            last: Duration::from_secs(5),
        }
    }
}
