//! What two runs have in common and what not.

use std::collections::BTreeMap;
use std::time::Duration;

use super::result::{Outcome, Side};
use crate::report::{RunDocument, area_and_name};

/// A case is much slower when it takes this many times as long ...
const TIMES_SLOWER: u32 = 2;

/// ... and this much longer: what is over in no time varies by more than that for no reason.
const SLOWER_BY: Duration = Duration::from_millis(500);

/// Two runs, case by case.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The cases of either run, in the order of their IDs.
    pub rows: Vec<Row>,
}

/// A case in both runs, or in one.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its ID.
    pub id: String,
    /// In the first run.
    pub a: Option<Side>,
    /// In the second.
    pub b: Option<Side>,
}

/// How many cases have each outcome, in the order of [`Outcome::ALL`].
pub type Tally = [usize; Outcome::ALL.len()];

impl Comparison {
    /// Puts `a` and `b` side by side.
    #[must_use]
    pub fn of(a: &RunDocument, b: &RunDocument) -> Self {
        let mut rows: BTreeMap<&str, [Option<Side>; 2]> = BTreeMap::new();
        for (run, which) in [(a, 0), (b, 1)] {
            for result in &run.cases {
                let sides = rows.entry(&result.id).or_default();
                let Some(side) = sides.get_mut(which) else { continue };
                match side {
                    Some(side) => side.join(Side::of(result)),
                    None => *side = Some(Side::of(result)),
                }
            }
        }
        let rows = rows.into_iter().map(|(id, [a, b])| Row { id: id.to_owned(), a, b });
        Self { rows: rows.collect() }
    }

    /// The cases that are in both runs and did not end the same way.
    pub fn different(&self) -> impl Iterator<Item = (&Row, &Side, &Side)> {
        self.in_both().filter(|(_, a, b)| a.outcome != b.outcome)
    }

    /// The cases that passed in both runs and took much longer in the second, with the times.
    pub fn slower(&self) -> impl Iterator<Item = (&Row, &Side, &Side)> {
        let passed = |side: &Side| side.outcome == Outcome::Passed;
        self.in_both().filter(move |(_, a, b)| {
            let is_much = b.duration >= a.duration.saturating_mul(TIMES_SLOWER)
                && b.duration >= a.duration.saturating_add(SLOWER_BY);
            passed(a) && passed(b) && is_much
        })
    }

    /// The cases that are in one run only: those of the first, or of the second.
    pub fn only_in(&self, second: bool) -> impl Iterator<Item = (&Row, &Side)> {
        self.rows.iter().filter_map(move |row| match (&row.a, &row.b, second) {
            (Some(side), None, false) | (None, Some(side), true) => Some((row, side)),
            _ => None,
        })
    }

    /// Whether the second run has a failure where the first has none.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        let failed = |side: &Option<Side>| side.as_ref().is_some_and(|side| side.outcome.is_failure());
        self.rows.iter().any(|row| failed(&row.b) && !failed(&row.a))
    }

    /// The counts of both runs: by class, by area, and all together.
    #[must_use]
    pub fn tallies(&self) -> Vec<(String, [Tally; 2])> {
        let mut classes: BTreeMap<_, [Tally; 2]> = BTreeMap::new();
        let mut areas: BTreeMap<&str, [Tally; 2]> = BTreeMap::new();
        let mut total = <[Tally; 2]>::default();
        for row in &self.rows {
            for (which, side) in [&row.a, &row.b].into_iter().enumerate() {
                let Some(side) = side else { continue };
                count(classes.entry(side.class).or_default(), which, side.outcome);
                count(areas.entry(row.area()).or_default(), which, side.outcome);
                count(&mut total, which, side.outcome);
            }
        }
        let classes = classes.into_iter().map(|(class, tallies)| (class.to_string(), tallies));
        let areas = areas.into_iter().map(|(area, tallies)| (format!("{area}/"), tallies));
        classes.chain(areas).chain([("total".to_owned(), total)]).collect()
    }

    fn in_both(&self) -> impl Iterator<Item = (&Row, &Side, &Side)> {
        self.rows.iter().filter_map(|row| Some((row, row.a.as_ref()?, row.b.as_ref()?)))
    }
}

impl Row {
    /// The folder it is in.
    fn area(&self) -> &str {
        area_and_name(&self.id).0
    }
}

fn count(tallies: &mut [Tally; 2], which: usize, outcome: Outcome) {
    let column = Outcome::ALL.iter().position(|known| *known == outcome);
    let cell = column.and_then(|column| tallies.get_mut(which)?.get_mut(column));
    if let Some(cell) = cell {
        *cell += 1;
    }
}

/// The outcomes that any of `tallies` has, but passed and failed always, each with its column.
pub(super) fn columns(tallies: &[(String, [Tally; 2])]) -> Vec<(usize, Outcome)> {
    let happened = |column: usize| {
        tallies.iter().flat_map(|(_, sides)| sides).any(|tally| tally.get(column).is_some_and(|&n| n > 0))
    };
    let all = Outcome::ALL.into_iter().enumerate();
    all.filter(|&(column, outcome)| matches!(outcome, Outcome::Passed | Outcome::Failed) || happened(column))
        .collect()
}

/// The cell `column` of `tally`.
pub(super) fn cell(tally: &Tally, column: usize) -> usize {
    tally.get(column).copied().unwrap_or_default()
}
