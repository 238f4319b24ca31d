//! What the group counts for whoever asks for its status: ends of workers by reason, reloads, and times in which all workers
//! were busy. Decides nothing.

use std::time::{Duration, Instant, SystemTime};

use crate::worker::Recycle;

/// Counts since the group was started.
#[derive(Debug)]
pub(super) struct Tally {
    /// When that was.
    pub(super) started: Instant,
    recycles: [u64; Recycle::ALL.len()],
    /// Reloads after which new code served.
    pub(super) reloads: u64,
    /// Attempts to reload after which the old code went on.
    pub(super) failed_reloads: u64,
    /// The last attempt that has ended: when, and why it failed if it did.
    pub(super) last_reload: Option<(SystemTime, Option<String>)>,
    /// Workers that have been ready.
    pub(super) workers: u64,
    full: Full,
}

/// Times in which connections waited because all workers were busy.
#[derive(Debug, Default)]
struct Full {
    times: u64,
    total: Duration,
    since: Option<Instant>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            recycles: [0; Recycle::ALL.len()],
            reloads: 0,
            failed_reloads: 0,
            last_reload: None,
            workers: 0,
            full: Full::default(),
        }
    }

    /// A worker has ended.
    pub(super) fn count(&mut self, recycle: Recycle) {
        self.recycles[recycle as usize] += 1;
    }

    /// How many workers have ended for each reason.
    pub(super) fn recycles(&self) -> impl Iterator<Item = (Recycle, u64)> {
        Recycle::ALL.into_iter().zip(self.recycles)
    }

    /// Whether connections wait because all workers are busy.
    pub(super) fn set_full(&mut self, is_full: bool, now: Instant) {
        match (is_full, self.full.since) {
            (true, None) => {
                self.full.times += 1;
                self.full.since = Some(now);
            }
            (false, Some(since)) => {
                self.full.total += now - since;
                self.full.since = None;
            }
            _ => {}
        }
    }

    /// How often that was so, and for how long altogether.
    pub(super) fn full(&self, now: Instant) -> (u64, Duration) {
        let current = self.full.since.map_or(Duration::ZERO, |since| now - since);
        (self.full.times, self.full.total + current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_which_all_are_busy_counts_once_and_while_it_lasts() {
        let mut tally = Tally::new();
        let start = tally.started;
        let at = |seconds| start + Duration::from_secs(seconds);
        tally.set_full(true, at(1));
        tally.set_full(true, at(2));
        assert_eq!(tally.full(at(3)), (1, Duration::from_secs(2)));
        tally.set_full(false, at(4));
        tally.set_full(false, at(5));
        tally.set_full(true, at(6));
        assert_eq!(tally.full(at(7)), (2, Duration::from_secs(4)));
    }

    #[test]
    fn every_reason_has_a_number_of_its_own() {
        let mut tally = Tally::new();
        for (number, recycle) in Recycle::ALL.into_iter().enumerate() {
            assert_eq!(recycle as usize, number);
            (0..number).for_each(|_| tally.count(recycle));
        }
        assert!(tally.recycles().enumerate().all(|(number, (_, count))| count == number as u64));
    }
}
