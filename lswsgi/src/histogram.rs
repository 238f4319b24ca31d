//! How long requests took: counts by size, added to without a system call and read from another process.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper ends of the buckets, in microseconds; a last one is for whatever takes longer.
pub(crate) const BOUNDS: [u64; 15] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 60_000_000,
];

const BUCKETS: usize = BOUNDS.len() + 1;

/// Counts of one writer. All zero: none yet.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    /// Of all that was counted, in microseconds.
    sum: AtomicU64,
}

/// Counts as they were at one moment, of one writer or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// How many were in each bucket, and not in one before it.
    pub(crate) buckets: [u64; BUCKETS],
    /// Of all of them, in microseconds.
    pub(crate) sum: u64,
}

impl Histogram {
    pub(crate) const fn new() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS], sum: AtomicU64::new(0) }
    }

    /// Counts one. There is one writer at a time.
    pub(crate) fn count(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = &self.buckets[BOUNDS.partition_point(|&bound| bound < micros)];
        bucket.store(bucket.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.sum.store(self.sum.load(Ordering::Relaxed).saturating_add(micros), Ordering::Relaxed);
    }

    /// What has been counted.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            buckets: self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed)),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

impl Counts {
    /// How many there are.
    pub(crate) fn total(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Adds those of another writer.
    pub(crate) fn add(&mut self, other: &Self) {
        for (own, other) in self.buckets.iter_mut().zip(other.buckets) {
            *own += other;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_as_long_as_a_bound_is_in_its_bucket() {
        let histogram = Histogram::new();
        for micros in [0, 500, 501, 60_000_000, 60_000_001, u64::MAX] {
            histogram.count(Duration::from_micros(micros));
        }
        let mut counts = histogram.counts();
        assert_eq!((counts.buckets[0], counts.buckets[1]), (2, 1));
        assert_eq!((counts.buckets[BUCKETS - 2], counts.buckets[BUCKETS - 1]), (1, 2));
        let same = counts;
        counts.add(&same);
        assert_eq!((counts.total(), counts.sum), (12, u64::MAX));
    }
}
