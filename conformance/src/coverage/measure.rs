//! Cases counted by clause.

use std::collections::BTreeMap;

use mock_lsws::scenario::Scenario;
use serde::Serialize;

use crate::clauses::{Clause, Clauses};

/// A clause and what tests it.
#[derive(Clone, Debug, Serialize)]
pub struct Covered<'a> {
    /// The clause.
    #[serde(flatten)]
    pub clause: &'a Clause,
    /// Scenario files, each with its number of cases.
    pub files: BTreeMap<&'a str, usize>,
}

/// All clauses, each with what tests it.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage<'a> {
    /// In the order of the list.
    pub clauses: Vec<Covered<'a>>,
    /// What cases cite besides: sections of README.md about lswsgi, and of PROTOCOL.md.
    pub others: BTreeMap<&'a str, BTreeMap<&'a str, usize>>,
}

/// Numbers of clauses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The application's, with a case.
    pub tested: usize,
    /// The application's, without.
    pub untested: usize,
    /// The server's alone.
    pub servers: usize,
}

impl<'a> Coverage<'a> {
    /// Looks for the clauses of `list` in `cases`.
    #[must_use]
    pub fn of(list: &'a Clauses, cases: &'a [Scenario]) -> Self {
        let mut cited: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for case in cases {
            for clause in &case.spec {
                *cited.entry(clause).or_default().entry(&case.file_id).or_default() += 1;
            }
        }
        let covered =
            |clause: &'a Clause| Covered { clause, files: cited.remove(&*clause.id).unwrap_or_default() };
        let clauses = list.all().iter().map(covered).collect();
        Self { clauses, others: cited }
    }

    /// The application's clauses that no case tests, of all or of those within one of `prefixes`.
    pub fn missing<'b>(&'b self, prefixes: &'b [String]) -> impl Iterator<Item = &'a Clause> + 'b {
        let is_asked =
            |clause: &Clause| prefixes.is_empty() || prefixes.iter().any(|prefix| clause.is_within(prefix));
        let missing = self.clauses.iter().filter(|covered| covered.is_missing());
        missing.map(|covered| covered.clause).filter(move |clause| is_asked(clause))
    }

    /// The sections in their order, each with its numbers.
    #[must_use]
    pub fn sections(&self) -> Vec<(&'a str, Tally)> {
        let mut sections: Vec<(&str, Tally)> = Vec::new();
        for covered in &self.clauses {
            let section = &*covered.clause.section;
            if sections.last().is_none_or(|(last, _)| *last != section) {
                sections.push((section, Tally::default()));
            }
            if let Some((_, tally)) = sections.last_mut() {
                tally.count(covered);
            }
        }
        sections
    }
}

impl Covered<'_> {
    fn is_missing(&self) -> bool {
        self.clause.is_applications() && self.files.is_empty()
    }
}

impl Tally {
    fn count(&mut self, covered: &Covered<'_>) {
        let number = if !covered.clause.is_applications() {
            &mut self.servers
        } else if covered.files.is_empty() {
            &mut self.untested
        } else {
            &mut self.tested
        };
        *number += 1;
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |sum, more| Self {
            tested: sum.tested + more.tested,
            untested: sum.untested + more.untested,
            servers: sum.servers + more.servers,
        })
    }
}
