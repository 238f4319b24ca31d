//! For how long nothing has come.

use std::time::{Duration, Instant};

use crate::worker::socket::{Received, TICK};

/// How long nothing has come. The clock is first looked at in the first empty tick, because most waits never see one.
#[derive(Debug, Default)]
pub(super) struct Silence {
    since: Option<Instant>,
    /// The idle limit has been reached.
    pub(super) idle: bool,
    /// When it was noticed that the end of the connection has been announced.
    pub(super) announced: Option<Instant>,
}

impl Silence {
    /// Notes an attempt that brought nothing and tells how long nothing has come. An empty tick took [`TICK`] by itself; a
    /// signal says nothing about the time before it.
    pub(super) fn note(&mut self, received: Received) -> Duration {
        let now = Instant::now();
        let before = if received == Received::Tick { TICK } else { Duration::ZERO };
        self.since.get_or_insert_with(|| now.checked_sub(before).unwrap_or(now));
        self.so_far()
    }

    /// How long that is by now.
    pub(super) fn so_far(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}
