//! What became of one mutant.

use std::collections::BTreeSet;

use mock_lsws::scenario::Scenario;
use serde::Serialize;

use super::model::Mutant;
use crate::filter;

/// What the cases have said about a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MutantOutcome {
    /// Its name.
    pub name: String,
    /// What is broken.
    pub what: String,
    /// The subject it is made from.
    pub subject: String,
    /// The files of the cases it was tried on.
    pub tried: BTreeSet<String>,
    /// Those of which a case failed.
    pub failed: BTreeSet<String>,
    /// The cases that failed, and what each found.
    pub noticed: Vec<Noticed>,
    /// The first case that noticed it of those that have to.
    pub first: Option<String>,
    /// Who should have noticed it and has not.
    pub missed: Vec<Missed>,
    /// Who should notice it and could not be asked here.
    pub skipped: Vec<Missed>,
}

/// A case that failed, as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Noticed {
    /// The case.
    pub id: String,
    /// What it found, in one line.
    pub found: String,
}

/// Somebody who was to notice a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// An ID, a folder or a glob.
    pub cases: String,
    /// What is known about it.
    pub why: String,
}

/// A case that is of no use: it fails although nothing is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unsound {
    /// The sound application.
    pub subject: String,
    /// The case.
    pub id: String,
    /// What it found.
    pub found: String,
}

/// What one case said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing is wrong.
    Passed,
    /// Something is: what.
    Failed(String),
    /// It could not be asked, because.
    Skipped(String),
    /// It fails although nothing is broken.
    Useless,
    /// The runner could not run it, because: that says nothing about the application.
    NotRun(String),
}

impl Said {
    fn not_run(&self) -> Option<&str> {
        match self {
            Self::NotRun(reason) => Some(reason),
            _ => None,
        }
    }
}

impl MutantOutcome {
    /// Judges `mutant` by what the cases it was tried on `said`.
    #[must_use]
    pub fn judge(mutant: &Mutant, said: &[(&Scenario, Said)]) -> Self {
        let failed = |said: &Said| matches!(said, Said::Failed(_));
        let judged = said.iter().filter(|(_, said)| failed(said) || *said == Said::Passed);
        let noticed = said.iter().filter_map(|(case, said)| match said {
            Said::Failed(found) => Some(Noticed { id: case.id.clone(), found: found.clone() }),
            _ => None,
        });
        let mut first = None;
        let (mut missed, mut skipped) = (Vec::new(), Vec::new());
        for cases in &mutant.caught_by {
            let asked: Vec<_> = said.iter().filter(|(case, _)| filter::matches(cases, case)).collect();
            if let Some((case, _)) = asked.iter().find(|(_, said)| failed(said)) {
                first.get_or_insert_with(|| case.id.clone());
                continue;
            }
            let why = |why: &str| Missed { cases: cases.clone(), why: why.to_owned() };
            let mut reasons = asked.iter().filter_map(|(_, said)| match said {
                Said::Skipped(reason) => Some(reason),
                _ => None,
            });
            match reasons.next() {
                Some(reason) if asked.iter().all(|(_, said)| matches!(said, Said::Skipped(_))) => {
                    skipped.push(why(reason));
                }
                _ if asked.is_empty() => missed.push(why("there is no such case")),
                _ if asked.iter().any(|(_, said)| *said == Said::Passed) => missed.push(why("passes")),
                _ if let Some(reason) = asked.iter().find_map(|(_, said)| said.not_run()) => {
                    missed.push(why(&format!("could not be run: {reason}")));
                }
                _ => missed.push(why("fails although nothing is broken")),
            }
        }
        Self {
            name: mutant.name.clone(),
            what: mutant.what.clone(),
            subject: mutant.subject.clone(),
            tried: judged.map(|(case, _)| case.file_id.clone()).collect(),
            failed: said
                .iter()
                .filter(|(_, said)| failed(said))
                .map(|(case, _)| case.file_id.clone())
                .collect(),
            noticed: noticed.collect(),
            first,
            missed,
            skipped,
        }
    }

    /// Whether all that had to notice it did, as far as they could be asked.
    #[must_use]
    pub const fn is_caught(&self) -> bool {
        self.missed.is_empty()
    }

    /// Whether nobody could be asked.
    #[must_use]
    pub const fn is_skipped(&self) -> bool {
        self.missed.is_empty() && self.first.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mock_lsws::scenario::{Declared, parse_cases};

    use super::*;
    use crate::mutants::Breakage;

    #[test]
    fn a_case_that_could_not_be_run_has_noticed_nothing() {
        let text = "title = \"t\"\nclass = \"must\"\nspec = [\"W01\"]\nwhy = \"w\"\n\
            [start]\nmode = \"worker\"\nrole = \"hello\"\n[[step]]\nrequest = {}\n";
        let case = parse_cases("wire/a", Path::new("a.toml"), text, &Declared::default()).unwrap().remove(0);
        let mutant = Mutant {
            name: "m".into(),
            what: "w".into(),
            subject: "s".into(),
            breakage: Breakage::Flaw("f".into()),
            cases: Vec::new(),
            caught_by: vec!["wire/a".into()],
        };
        let outcome = MutantOutcome::judge(&mutant, &[(&case, Said::NotRun("no folder".into()))]);
        assert!(!outcome.is_caught() && outcome.tried.is_empty() && outcome.failed.is_empty());
        assert_eq!(outcome.missed[0].why, "could not be run: no folder");
        assert!(MutantOutcome::judge(&mutant, &[(&case, Said::Failed("x".into()))]).is_caught());
    }
}
