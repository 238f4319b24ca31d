//! Which scenarios have been seen to fail, and how much that proves.

use std::collections::{BTreeMap, BTreeSet};

use mock_lsws::scenario::{Class, Scenario};
use serde::Serialize;

use super::model::Immune;
use super::outcome::MutantOutcome;

/// The mutant that says most about a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sharpest {
    /// Its name.
    pub mutant: String,
    /// Of how many scenarios it makes a case fail.
    pub fails: usize,
    /// On how many it was tried.
    pub tried: usize,
}

impl Sharpest {
    /// Whether it breaks more than half of what it was tried on, and so proves little about each.
    #[must_use]
    pub const fn is_coarse(&self) -> bool {
        self.fails * 2 > self.tried
    }
}

/// What the mutants prove about the scenarios that real servers depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Scenarios that failed, each with the sharpest mutant that made it.
    pub noticed: BTreeMap<String, Sharpest>,
    /// Scenarios that never failed, with their titles.
    pub uncaught: BTreeMap<String, String>,
    /// Those that need not, with the reason.
    pub immune: BTreeMap<String, String>,
    /// Those that no application here can be asked, with the reason.
    pub skipped: BTreeMap<String, String>,
    /// Those that are said to be immune and are not.
    pub not_immune: Vec<String>,
}

impl Proof {
    /// What `outcomes` prove about the must scenarios of `catalogue`. `why_skipped` says why a case does not apply to any of
    /// the applications.
    #[must_use]
    pub fn of(
        outcomes: &[MutantOutcome],
        catalogue: &[Scenario],
        immune: &[Immune],
        why_skipped: &dyn Fn(&Scenario) -> Option<String>,
    ) -> Self {
        let mut proof = Self::default();
        let mut seen = BTreeSet::new();
        for case in catalogue.iter().filter(|case| case.class == Class::Must) {
            if !seen.insert(&case.file_id) {
                continue;
            }
            let id = case.file_id.clone();
            let title = || case.title.clone();
            let immune = immune.iter().find(|immune| immune.id == id);
            if let Some(sharpest) = sharpest(&id, outcomes) {
                proof.not_immune.extend(immune.map(|immune| immune.id.clone()));
                proof.noticed.insert(id, sharpest);
            } else if let Some(immune) = immune {
                proof.immune.insert(id, immune.reason.clone());
            } else if let Some(reason) = why_skipped(case) {
                proof.skipped.insert(id, reason);
            } else {
                proof.uncaught.insert(id, title());
            }
        }
        proof
    }

    /// Whether every scenario has been seen to fail, or has a reason.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.uncaught.is_empty() && self.not_immune.is_empty()
    }

    /// The scenarios that only coarse mutants have made fail.
    pub fn weak(&self) -> impl Iterator<Item = (&String, &Sharpest)> {
        self.noticed.iter().filter(|(_, sharpest)| sharpest.is_coarse())
    }
}

/// The mutant that scenario `id` noticed and that fails the smallest share of what it was tried on; of several the one
/// tried on most.
fn sharpest(id: &str, outcomes: &[MutantOutcome]) -> Option<Sharpest> {
    let noticed = outcomes.iter().filter(|outcome| outcome.failed.contains(id));
    let best = noticed.min_by(|a, b| {
        let (fails, tried) = ((a.failed.len(), b.failed.len()), (a.tried.len(), b.tried.len()));
        (fails.0 * tried.1).cmp(&(fails.1 * tried.0)).then(tried.1.cmp(&tried.0))
    })?;
    Some(Sharpest { mutant: best.name.clone(), fails: best.failed.len(), tried: best.tried.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, tried: &[&str], failed: &[&str]) -> MutantOutcome {
        let files = |ids: &[&str]| ids.iter().map(ToString::to_string).collect();
        MutantOutcome {
            name: name.into(),
            what: String::new(),
            subject: String::new(),
            tried: files(tried),
            failed: files(failed),
            noticed: Vec::new(),
            first: None,
            missed: Vec::new(),
            skipped: Vec::new(),
        }
    }

    #[test]
    fn the_sharpest_fails_the_smallest_share_of_the_most() {
        let outcomes = [
            outcome("coarse", &["a", "b", "c"], &["a", "b"]),
            outcome("half", &["a", "d"], &["a"]),
            outcome("half of more", &["a", "c", "d", "e"], &["a", "d"]),
            outcome("of others", &["b", "c", "d", "e"], &["e"]),
        ];
        let best = |id| sharpest(id, &outcomes).map(|best| (best.mutant.clone(), best.is_coarse()));
        assert_eq!(best("a"), Some(("half of more".into(), false)));
        assert_eq!(best("b"), Some(("coarse".into(), true)));
        assert_eq!(best("e"), Some(("of others".into(), false)));
        assert_eq!(best("c"), None);
    }
}
