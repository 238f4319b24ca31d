//! How long requests took: counts by size for whoever draws them, and estimates of what most of them took.

use serde::{Deserialize, Serialize};

use crate::histogram::{BOUNDS, Counts};

/// How long requests took that have ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Latency {
    /// How many there were.
    pub(crate) count: u64,
    /// How long all of them took, in seconds.
    pub(crate) sum_seconds: f64,
    /// What half of them took at most, in seconds, estimated from the buckets; `None`: nothing to estimate from.
    pub(crate) p50_seconds: Option<f64>,
    /// What nine out of ten took at most.
    pub(crate) p90_seconds: Option<f64>,
    /// What 99 out of a hundred took at most.
    pub(crate) p99_seconds: Option<f64>,
    /// How many took how long.
    pub(crate) buckets: Vec<Bucket>,
}

/// Requests that took at most so long, and longer than the bucket before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Bucket {
    /// So long, in seconds; `None`: any time.
    pub(crate) up_to_seconds: Option<f64>,
    /// How many.
    pub(crate) count: u64,
}

impl From<&Counts> for Latency {
    fn from(counts: &Counts) -> Self {
        let bounds = BOUNDS.iter().map(|&micros| Some(seconds(micros))).chain([None]);
        let buckets = bounds.zip(counts.buckets);
        Self {
            count: counts.total(),
            sum_seconds: seconds(counts.sum),
            p50_seconds: percentile(counts, 50),
            p90_seconds: percentile(counts, 90),
            p99_seconds: percentile(counts, 99),
            buckets: buckets.map(|(up_to_seconds, count)| Bucket { up_to_seconds, count }).collect(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "285 years in microseconds are exact")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// What `percent` of the requests took at most, as if those in a bucket were spread over it evenly. What is beyond the last
/// bound counts as that.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn percentile(counts: &Counts, percent: u64) -> Option<f64> {
    let total = counts.total();
    let rank = total as f64 * percent as f64 / 100.0;
    let mut below = 0;
    let mut from = 0;
    for (count, to) in counts.buckets.into_iter().zip(BOUNDS) {
        if count > 0 && (below + count) as f64 >= rank {
            let share = (rank - below as f64) / count as f64;
            return Some(seconds(from) + seconds(to - from) * share);
        }
        below += count;
        from = to;
    }
    (total > 0).then(|| seconds(from))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::histogram::Histogram;

    fn latency(millis: &[u64]) -> Latency {
        let histogram = Histogram::new();
        millis.iter().for_each(|&millis| histogram.count(Duration::from_millis(millis)));
        Latency::from(&histogram.counts())
    }

    #[test]
    fn percentiles_lie_in_the_bucket_they_fall_into() {
        let even: Vec<u64> = (1..=100).collect();
        let latency = latency(&even);
        assert_eq!((latency.count, latency.sum_seconds), (100, 5.05));
        let [p50, p90, p99] =
            [latency.p50_seconds, latency.p90_seconds, latency.p99_seconds].map(Option::unwrap);
        assert!((p50 - 0.05).abs() < 1e-9, "{p50}");
        assert!((p90 - 0.09).abs() < 1e-9, "{p90}");
        assert!((p99 - 0.099).abs() < 1e-9, "{p99}");
        assert_eq!(latency.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), 100);
        assert_eq!(latency.buckets.last().unwrap().up_to_seconds, None);
    }

    #[test]
    fn nothing_has_no_percentiles_and_what_is_beyond_all_bounds_counts_as_the_last() {
        assert_eq!(latency(&[]).p50_seconds, None);
        assert_eq!(latency(&[1_000_000]).p99_seconds, Some(60.0));
    }
}
