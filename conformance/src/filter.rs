//! Which cases a run is about.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::str::FromStr;

use mock_lsws::scenario::{Class, Scenario};
use wildmatch::WildMatch;

use crate::clauses::is_within;

/// The tag of cases that take long: they run when this tag is asked for, or the case by its full ID.
const SOAK: &str = "soak";

/// Whether `case` runs only when it is asked for.
pub(crate) fn is_soak(case: &Scenario) -> bool {
    case.tags.iter().any(|tag| tag == SOAK)
}

/// Conditions on a case; all of them have to hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// An ID, a folder of IDs, or a glob in which `*` stands for anything; one of them has to match. None selects all.
    pub patterns: Vec<String>,
    /// Classes that run. A case named by its full ID runs whatever its class.
    pub classes: Vec<Class>,
    /// Tags, one of which the case has. None selects all.
    pub tags: Vec<String>,
    /// Clauses, one of which it tests. None selects all.
    pub clauses: Vec<String>,
    /// Patterns none of which may match.
    pub excluded: Vec<String>,
    /// The only cases that may run, whatever their class.
    pub only: Option<BTreeSet<String>>,
}

impl Filter {
    /// Whether `case` is selected.
    #[must_use]
    pub fn selects(&self, case: &Scenario) -> bool {
        let any_or_none =
            |list: &[String], matches: &dyn Fn(&String) -> bool| list.is_empty() || list.iter().any(matches);
        let is_named = |pattern: &String| *pattern == case.id || *pattern == case.file_id;
        let is_allowed = self.only.as_ref().is_none_or(|only| only.contains(&case.id));
        let is_in_class =
            self.only.is_some() || self.classes.contains(&case.class) || self.patterns.iter().any(is_named);
        // What takes long runs when it is asked for.
        let is_quick = !is_soak(case)
            || self.tags.iter().any(|tag| tag == SOAK)
            || self.only.is_some()
            || self.patterns.iter().any(is_named);
        is_allowed
            && is_in_class
            && is_quick
            && any_or_none(&self.patterns, &|pattern| matches(pattern, case))
            && any_or_none(&self.tags, &|tag| case.tags.contains(tag))
            && any_or_none(&self.clauses, &|clause| case.spec.iter().any(|known| is_within(known, clause)))
            && !self.excluded.iter().any(|pattern| matches(pattern, case))
    }

    /// The first thing asked for that no case in `catalogue` has, in words; most likely it is misspelled.
    #[must_use]
    pub fn without_match(&self, catalogue: &[Scenario]) -> Option<String> {
        let lacks = |has: &dyn Fn(&Scenario) -> bool| !catalogue.iter().any(has);
        let pattern = self.patterns.iter().find(|pattern| lacks(&|case| matches(pattern, case)));
        let tag = self.tags.iter().find(|tag| lacks(&|case| case.tags.contains(tag)));
        let clause = self
            .clauses
            .iter()
            .find(|clause| lacks(&|case| case.spec.iter().any(|known| is_within(known, clause))));
        pattern
            .map(|pattern| format!("`{pattern}`"))
            .or(tag.map(|tag| format!("tag `{tag}`")))
            .or(clause.map(|clause| format!("clause `{clause}`")))
    }

    /// The filter in words, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let list = |items: &[String]| format!("`{}`", items.join("`, `"));
        let mut words = Vec::new();
        if !self.patterns.is_empty() {
            words.push(list(&self.patterns));
        }
        if self.only.is_some() {
            words.push("failed in the last run".to_owned());
        } else {
            let classes = self.classes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            words.push(format!("class {classes}"));
        }
        for (name, items) in [("tag", &self.tags), ("clause", &self.clauses), ("not", &self.excluded)] {
            if !items.is_empty() {
                words.push(format!("{name} {}", list(items)));
            }
        }
        words.join(", ")
    }
}

/// Whether `pattern`, an ID, a folder of IDs or a glob, is about `case`. Brackets stand for themselves, and an ID without
/// them for all cases of that file.
pub(crate) fn matches(pattern: &str, case: &Scenario) -> bool {
    let folder = pattern.trim_end_matches('/');
    let is_below = case.file_id.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let glob = WildMatch::new(pattern);
    is_below || glob.matches(&case.id) || glob.matches(&case.file_id)
}

/// One of several parts of a run, for machines that share the work: `2/3` is the second of three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: NonZeroUsize,
}

impl Shard {
    /// This part of `items`: every n-th, so that the parts are of equal size and slow neighbours are spread.
    pub fn take<T>(self, items: &mut Vec<T>) {
        let mut at = 0;
        items.retain(|_| {
            at += 1;
            (at - 1) % self.of == self.index
        });
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(index, of)| Some((index.parse::<usize>().ok()?, of.parse::<NonZeroUsize>().ok()?)));
        match parts {
            Some((index, of)) if (1..=of.get()).contains(&index) => Ok(Self { index: index - 1, of }),
            _ => Err(format!("`{text}` is no part of a run: write I/N, from 1/N to N/N, as in 2/3")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use mock_lsws::scenario::{Declared, parse_cases};

    use super::*;

    fn cases(id: &str, class: &str, more: &str) -> Vec<Scenario> {
        let text = format!(
            "title='t'\nclass='{class}'\nspec=['W17', 'lsapi 1.7.2']\ntags=['slow']\nwhy='w'\n{more}\n\
             [start]\nmode='worker'\nrole='r'\n[[step]]\npause='{{time}}'"
        );
        let text = if more.is_empty() { text.replace("{time}", "1s") } else { text };
        parse_cases(id, Path::new("x"), &text, &Declared::default()).unwrap()
    }

    fn case(id: &str, class: &str) -> Scenario {
        cases(id, class, "").remove(0)
    }

    fn filter() -> Filter {
        Filter { classes: vec![Class::Must, Class::Should], ..Filter::default() }
    }

    fn list(items: &[&str]) -> Vec<String> {
        items.iter().map(ToString::to_string).collect()
    }

    fn selects(patterns: &[&str], case: &Scenario) -> bool {
        Filter { patterns: list(patterns), ..filter() }.selects(case)
    }

    #[test]
    fn ids_folders_and_globs_select() {
        let get = case("wire/minimal-get", "must");
        for pattern in ["wire/minimal-get", "wire", "wire/", "*get", "wire/*", "*min*"] {
            assert!(selects(&[pattern], &get), "{pattern}");
        }
        for pattern in ["wir", "minimal-get", "response/*", "wire/minimal"] {
            assert!(!selects(&[pattern], &get), "{pattern}");
        }
        assert!(selects(&[], &get) && selects(&["nothing", "wire"], &get));
    }

    #[test]
    fn details_run_only_when_named_in_full() {
        let detail = case("wire/detail", "detail");
        assert!(!selects(&[], &detail) && !selects(&["wire"], &detail) && !selects(&["*detail"], &detail));
        assert!(selects(&["wire/detail"], &detail));
    }

    #[test]
    fn a_soak_runs_when_it_is_asked_for() {
        let mut soak = case("faults/soak-cut", "should");
        soak.tags.push(SOAK.to_owned());
        assert!(!selects(&[], &soak) && !selects(&["faults"], &soak) && !selects(&["*soak*"], &soak));
        assert!(selects(&["faults/soak-cut"], &soak));
        let tagged = |tag: &str| Filter { tags: list(&[tag]), ..filter() };
        assert!(tagged("soak").selects(&soak) && !tagged("slow").selects(&soak));
        let again = Filter { only: Some(BTreeSet::from([soak.id.clone()])), ..filter() };
        assert!(again.selects(&soak));
    }

    #[test]
    fn brackets_are_no_glob_and_the_id_of_the_file_means_all_its_cases() {
        let all = cases("wire/x", "detail", "[matrix]\ntime = ['1s', '2s']");
        assert_eq!(all[0].id, "wire/x[time=1s]");
        let chosen = |pattern: &str| all.iter().filter(|case| selects(&[pattern], case)).count();
        assert_eq!((chosen("wire/x"), chosen("wire/x[time=2s]"), chosen("wire/x[time=3s]")), (2, 1, 0));
        let must = cases("wire/x", "must", "[matrix]\ntime = ['1s', '2s']");
        let chosen = |pattern: &str| must.iter().filter(|case| selects(&[pattern], case)).count();
        assert_eq!((chosen("wire"), chosen("*[time=1*"), chosen("wire/[x]*"), chosen("*x")), (2, 1, 0, 2));
    }

    #[test]
    fn tags_and_clauses_select_and_patterns_exclude() {
        let get = case("wire/get", "must");
        let with = |change: &dyn Fn(&mut Filter)| {
            let mut filter = filter();
            change(&mut filter);
            filter.selects(&get)
        };
        assert!(with(&|filter| filter.tags = list(&["quick", "slow"])));
        assert!(!with(&|filter| filter.tags = list(&["quick"])));
        for clause in ["W17", "w17", "lsapi 1.7", "lsapi 1.7.2", "lsapi"] {
            assert!(with(&|filter| filter.clauses = list(&[clause])), "{clause}");
        }
        for clause in ["W1", "W18", "lsapi 1.7.21", "sapi"] {
            assert!(!with(&|filter| filter.clauses = list(&[clause])), "{clause}");
        }
        assert!(!with(&|filter| filter.excluded = list(&["wire"])));
        assert!(with(&|filter| filter.excluded = list(&["wire/g"])));
        assert!(!with(&|filter| filter.only = Some(BTreeSet::new())));
    }

    #[test]
    fn shards_share_everything_and_nothing_twice() {
        let shard = |text: &str| {
            let mut items: Vec<u32> = (0..8).collect();
            text.parse::<Shard>().unwrap().take(&mut items);
            items
        };
        assert_eq!((shard("1/3"), shard("2/3"), shard("3/3")), (vec![0, 3, 6], vec![1, 4, 7], vec![2, 5]));
        for wrong in ["", "0/3", "4/3", "1/0", "1", "a/b", "-1/3"] {
            assert!(wrong.parse::<Shard>().unwrap_err().contains("2/3"), "{wrong}");
        }
    }
}
