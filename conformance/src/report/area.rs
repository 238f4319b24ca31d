//! Areas: the folders that cases are in.

use std::collections::BTreeMap;

use crate::event::{CaseResult, Counts, Summary};

/// The folder and the name of a case.
pub(crate) fn split(id: &str) -> (&str, &str) {
    // A value of a matrix may have a slash in it too.
    let end = id.find('[').unwrap_or(id.len());
    let at = id.get(..end).and_then(|path| path.rfind('/'));
    at.and_then(|at| Some((id.get(..at)?, id.get(at + 1..)?))).unwrap_or(("", id))
}

/// The counts of each area, in the order of their names.
pub(super) fn counts(cases: &[CaseResult]) -> BTreeMap<&str, Counts> {
    let mut areas: BTreeMap<&str, Summary> = BTreeMap::new();
    for case in cases {
        areas.entry(split(&case.id).0).or_default().count(case);
    }
    areas.into_iter().map(|(area, summary)| (area, summary.total())).collect()
}

/// Which columns of a table of counts are worth showing: the first two, and those in which anything is counted.
pub(super) fn columns(total: &Counts) -> Vec<usize> {
    total
        .named()
        .iter()
        .enumerate()
        .filter(|(at, (_, count))| *at < 2 || *count > 0)
        .map(|(at, _)| at)
        .collect()
}
