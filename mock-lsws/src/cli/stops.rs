//! The signals that stop a program of ours that waits: interrupt, terminate and, unless it was started with that ignored, as
//! `nohup` does, hangup.

use std::fs;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that stop the program.
pub(super) struct Stops {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Stops {
    /// Starts to listen for them.
    pub(super) fn new() -> io::Result<Self> {
        // A handler would take the place of what whoever started the program has chosen.
        let hangup = if is_ignored(SignalKind::hangup()) { None } else { Some(SignalKind::hangup()) };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: hangup.map(signal).transpose()?,
        })
    }

    /// The next of them.
    pub(super) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }

    /// The next Ctrl-C. Whoever ends a program in other ways may send a signal several times and mean one: `timeout`
    /// does.
    pub(super) async fn impatience(&mut self) {
        self.interrupt.recv().await;
    }
}

/// Whether the process ignores a signal; not if the system does not tell.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (kind.as_raw_value() - 1) & 1 == 1
}
