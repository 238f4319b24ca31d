//! Which growth is too much: the first quarter of the samples against the last.

use serde::Serialize;

use super::sample::Sample;

/// Part of the samples at the beginning that is not looked at: the subject is still starting processes.
const WARM_UP: usize = 10;

/// Something that is measured, over the whole soak.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    /// What it is, as the report calls it.
    pub(super) name: &'static str,
    /// The median of the first quarter.
    pub(super) first: f64,
    /// The median of the last quarter.
    pub(super) last: f64,
    /// What the last may be at most; what has no such limit is shown and not judged.
    pub(super) allowed: Option<f64>,
}

impl Row {
    /// Whether it has grown more than it may.
    pub(super) fn has_grown(&self) -> bool {
        self.allowed.is_some_and(|allowed| self.last > allowed)
    }
}

/// Its name, how it is read, and how much more than at first it may be at last: a part of what it was, and a number.
type Measure = (&'static str, fn(&Sample) -> f64, Option<(f64, f64)>);

/// What is judged has room for what comes and goes with the traffic. A leak outgrows it: it never ends.
const MEASURES: [Measure; 7] = [
    ("processes", |sample| f64::from(sample.processes), None),
    ("zombies", |sample| f64::from(sample.zombies), Some((0.0, 1.0))),
    ("descriptors, most in a process", |sample| f64::from(sample.most_descriptors), Some((0.1, 3.0))),
    ("descriptors, mean of processes", |sample| sample.descriptors_each, Some((0.1, 2.0))),
    ("shared memory, KiB", |sample| as_number(sample.shared), Some((0.1, 128.0))),
    ("memory, each page once, KiB", |sample| as_number(sample.pss), None),
    ("memory of all processes, KiB", |sample| as_number(sample.rss), None),
];

/// One row for each of them. `None` without enough samples for four quarters.
pub(super) fn rows(samples: &[Sample]) -> Option<Vec<Row>> {
    let samples = samples.get(samples.len() / WARM_UP..)?;
    let quarter = samples.len() / 4;
    if quarter == 0 {
        return None;
    }
    let (first, last) = (&samples[..quarter], &samples[samples.len() - quarter..]);
    let rows = MEASURES.iter().map(|&(name, measure, allowance)| {
        let first = median(first.iter().map(measure).collect());
        let allowed = allowance.map(|(part, number)| first.mul_add(1.0 + part, number));
        Row { name, first, last: median(last.iter().map(measure).collect()), allowed }
    });
    Some(rows.collect())
}

/// The middle one: a single odd sample does not move it.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// KiB, of which there are far less than a double can hold.
#[expect(clippy::cast_precision_loss, reason = "memory in KiB is below 2^52")]
const fn as_number(kib: u64) -> f64 {
    kib as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grown(sample: impl Fn(u32) -> Sample) -> Vec<&'static str> {
        let samples: Vec<Sample> = (0..100).map(sample).collect();
        rows(&samples).unwrap().into_iter().filter(Row::has_grown).map(|row| row.name).collect()
    }

    #[test]
    fn what_comes_and_goes_is_no_growth() {
        let waves = |at: u32| Sample {
            zombies: at % 2,
            most_descriptors: 20 + at % 3,
            descriptors_each: f64::from(10 + at % 2),
            shared: 100 + u64::from(at % 50),
            // Shown, and for people to judge.
            rss: u64::from(at) * 1000,
            ..Sample::default()
        };
        assert_eq!(grown(waves), Vec::<&str>::new());
        // A subject that is still starting in the first samples.
        assert_eq!(
            grown(|at| Sample { most_descriptors: if at < 10 { 1 } else { 30 }, ..Sample::default() }).len(),
            0
        );
    }

    #[test]
    fn what_never_ends_is() {
        assert_eq!(grown(|at| Sample { zombies: at / 20, ..Sample::default() }), ["zombies"]);
        let leak = |at: u32| Sample {
            most_descriptors: 20 + at / 10,
            descriptors_each: f64::from(10 + at / 10),
            ..Sample::default()
        };
        assert_eq!(grown(leak), ["descriptors, most in a process", "descriptors, mean of processes"]);
        assert_eq!(
            grown(|at| Sample { shared: 64 + u64::from(at) * 4, ..Sample::default() }),
            ["shared memory, KiB"]
        );
    }

    #[test]
    fn a_few_samples_tell_nothing() {
        assert_eq!(rows(&[Sample::default(); 3]), None);
        assert!(rows(&[Sample::default(); 4]).is_some());
    }
}
