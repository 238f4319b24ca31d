//! Tables and lists at the end of the text report.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::area;
use crate::event::Summary;

/// Cases listed as the slowest.
const SLOWEST: usize = 5;

/// A case faster than this is not worth a line among the slowest.
const NOT_SLOW: Duration = Duration::from_secs(1);

/// The counts by class; columns in which nothing would be counted are left out, but for the first two.
pub(super) fn counts(summary: &Summary) -> String {
    let total = summary.total();
    let rows =
        [("must", summary.must), ("should", summary.should), ("detail", summary.detail), ("total", total)];
    let columns = area::columns(&total);
    let mut text = String::from("class ");
    for &at in &columns {
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, "  {:>7}", total.named()[at].0);
    }
    for (name, counts) in rows.into_iter().filter(|(_, counts)| counts.all() > 0) {
        let _ = write!(text, "\n{name:6}");
        for &at in &columns {
            let _ = write!(text, "  {:>7}", counts.named()[at].1);
        }
    }
    text
}

/// The slowest of `cases`, slowest first.
pub(super) fn slowest(cases: &[(Duration, String)]) -> Vec<String> {
    let mut slow: Vec<_> = cases.iter().filter(|(duration, _)| *duration >= NOT_SLOW).collect();
    slow.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    slow.iter()
        .take(SLOWEST)
        .map(|(duration, id)| format!("{:7.2} s  {id}", duration.as_secs_f64()))
        .collect()
}

/// How many cases there are for each of `reasons`, most first.
pub(super) fn grouped(reasons: &[String]) -> Vec<String> {
    let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in reasons {
        *groups.entry(reason).or_default() += 1;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    groups.iter().map(|(reason, count)| format!("{count:5}  {reason}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Counts;

    #[test]
    fn the_table_lines_up_and_leaves_out_what_is_empty() {
        let must = Counts { passed: 120, failed: 3, skipped: 1, ..Counts::default() };
        let should = Counts { passed: 9, ..Counts::default() };
        let text = counts(&Summary { must, should, ..Summary::default() });
        let expected = "\
class    passed   failed  skipped
must        120        3        1
should        9        0        0
total       129        3        1";
        assert_eq!(text, expected);
    }

    #[test]
    fn reasons_are_counted_and_slow_cases_sorted() {
        let reasons = ["a", "b", "b"].map(str::to_owned);
        assert_eq!(grouped(&reasons), ["    2  b", "    1  a"]);
        let case = |millis, id: &str| (Duration::from_millis(millis), id.to_owned());
        let cases = [case(1000, "one"), case(999, "fast"), case(12_340, "two")];
        assert_eq!(slowest(&cases), ["  12.34 s  two", "   1.00 s  one"]);
    }
}
