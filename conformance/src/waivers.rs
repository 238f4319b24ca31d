//! Failures that are known and accepted, each with its reason.
//!
//! A waiver that is not needed is as wrong as a missing one: it would hide the next failure. [`Waivers::stale`] finds them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mock_lsws::FileError;
use mock_lsws::scenario::Scenario;
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use crate::event::Verdict;
use crate::{Error, checkout, filter};

/// The file in the folder of scenarios.
const FILE: &str = "waivers.toml";

/// The waivers for one subject.
#[derive(Clone, Debug, Default)]
pub struct Waivers {
    path: PathBuf,
    waivers: Vec<Waiver>,
}

#[derive(Clone, Debug)]
struct Waiver {
    /// An ID, a folder of IDs or a glob.
    pattern: String,
    reason: String,
    /// The last day it is good for.
    until: Option<Date>,
    line: usize,
}

/// Year, month and day, which compare as they should.
type Date = (u16, u8, u8);

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    #[serde(default)]
    waiver: Vec<Spanned<WaiverTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaiverTable {
    id: Spanned<String>,
    subject: Spanned<String>,
    reason: Spanned<String>,
    until: Option<Spanned<Datetime>>,
}

impl Waivers {
    /// Reads the waivers for `subject` from the file `given`, or from the one in the folder `scenarios` if there is one.
    ///
    /// # Errors
    /// [`Error::Unreadable`], or [`Error::BadWaivers`] with the place of the mistake.
    pub fn load(given: Option<&Path>, scenarios: &Path, subject: &str) -> Result<Self, Error> {
        let path = given.map_or_else(|| scenarios.join(FILE), Path::to_path_buf);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if given.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            text => text.map_err(|source| Error::Unreadable { path: path.clone(), source })?,
        };
        Self::parse(&checkout::shown(&path), &text, subject).map_err(Error::BadWaivers)
    }

    fn parse(path: &Path, text: &str, subject: &str) -> Result<Self, FileError> {
        let at = |offset: usize, message: &str| FileError::at(path, text, offset, message);
        let table: FileTable = toml::from_str(text)
            .map_err(|error| at(error.span().map_or(0, |span| span.start), error.message()))?;
        let mut waivers = Vec::new();
        for waiver in table.waiver {
            let line = at(waiver.span().start, "").line;
            let WaiverTable { id, subject: of, reason, until } = waiver.into_inner();
            for (name, value) in [("id", &id), ("subject", &of), ("reason", &reason)] {
                if value.get_ref().trim().is_empty() {
                    return Err(at(value.span().start, &format!("`{name}` is empty")));
                }
            }
            let until = match until {
                None => None,
                Some(until) => match (until.get_ref().date, until.get_ref().time) {
                    (Some(date), None) => Some((date.year, date.month, date.day)),
                    _ => {
                        let message = "`until` is the last day of the waiver: write a date, as in 2027-03-01";
                        return Err(at(until.span().start, message));
                    }
                },
            };
            if of.into_inner() == subject {
                waivers.push(Waiver { pattern: id.into_inner(), reason: reason.into_inner(), until, line });
            }
        }
        Ok(Self { path: path.to_owned(), waivers })
    }

    /// Why a failure of `case` is accepted, if it is.
    #[must_use]
    pub fn reason(&self, case: &Scenario) -> Option<&str> {
        let today = today();
        let mut in_force = self.waivers.iter().filter(|waiver| !waiver.has_expired(today));
        in_force.find(|waiver| filter::matches(&waiver.pattern, case)).map(|waiver| waiver.reason.as_str())
    }

    /// What is wrong with the waivers, one sentence each with file and line: those that match nothing in `catalogue`,
    /// have expired, or whose cases all pass. `verdicts` are those of the cases that were selected; a waiver for more
    /// than them is not judged.
    #[must_use]
    pub fn stale(&self, catalogue: &[Scenario], verdicts: &BTreeMap<String, Verdict>) -> Vec<String> {
        let today = today();
        let wrong = |waiver: &Waiver| {
            let matched: Vec<_> =
                catalogue.iter().filter(|case| filter::matches(&waiver.pattern, case)).collect();
            let verdicts: Vec<_> = matched.iter().filter_map(|case| verdicts.get(&case.id)).collect();
            let is_used = verdicts.iter().any(|verdict| matches!(verdict, Verdict::Waived { .. }));
            let is_judged = verdicts
                .iter()
                .all(|verdict| matches!(verdict, Verdict::Passed | Verdict::Flaky | Verdict::Skipped { .. }));
            if matched.is_empty() {
                Some("matches no case".to_owned())
            } else if let (Some((year, month, day)), true) = (waiver.until, waiver.has_expired(today)) {
                Some(format!("was good until {year:04}-{month:02}-{day:02}"))
            } else if !is_used && is_judged && verdicts.len() == matched.len() {
                let skipped = |verdict: &&Verdict| matches!(verdict, Verdict::Skipped { .. });
                let which = if verdicts.iter().all(skipped) { "skipped" } else { "passed" };
                Some(format!("is not needed: what it is for was {which}"))
            } else {
                None
            }
        };
        let place = |waiver: &Waiver| format!("{}:{}", self.path.display(), waiver.line);
        self.waivers
            .iter()
            .filter_map(|waiver| {
                let what = wrong(waiver)?;
                Some(format!("{}: the waiver for `{}` {what}; remove it", place(waiver), waiver.pattern))
            })
            .collect()
    }
}

impl Waiver {
    fn has_expired(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until < today)
    }
}

/// The date of today, UTC.
fn today() -> Date {
    let date = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let part = |value: i8| u8::try_from(value).unwrap_or_default();
    (u16::try_from(date.year()).unwrap_or_default(), part(date.month()), part(date.day()))
}

#[cfg(test)]
mod tests {
    use mock_lsws::scenario::parse_text;

    use super::*;

    fn case(id: &str) -> Scenario {
        let text = "title='t'\nclass='must'\nspec=['s']\nwhy='w'\n[start]\nmode='worker'\nrole='r'\n[[step]]\npause='1s'";
        parse_text(id, Path::new("x"), text).unwrap()
    }

    fn waivers(text: &str) -> Waivers {
        Waivers::parse(Path::new("w.toml"), text, "lsphp").unwrap()
    }

    fn waiver(id: &str, more: &str) -> String {
        format!("[[waiver]]\nid = '{id}'\nsubject = 'lsphp'\nreason = 'R'\n{more}\n")
    }

    #[test]
    fn a_waiver_is_for_its_subject_and_its_cases_and_ends() {
        let other = waiver("*", "").replace("lsphp", "lswsgi");
        let reason = |text: &str| waivers(text).reason(&case("wire/a")).map(str::to_owned);
        assert_eq!(reason(&waiver("wire/*", "")).as_deref(), Some("R"));
        assert_eq!(reason(&waiver("wire/a", "until = 2999-12-31")).as_deref(), Some("R"));
        assert_eq!(reason(&waiver("wire/a", "until = 2020-01-01")), None);
        assert_eq!(reason(&waiver("wire/b", "")), None);
        assert_eq!(reason(&other), None);
    }

    #[test]
    fn stale_waivers_are_told_with_their_place() {
        let catalogue = [case("wire/a"), case("wire/b")];
        let skipped = Verdict::Skipped { reason: String::new() };
        let waived = Verdict::Waived { reason: String::new() };
        let stale = |text: &str, a: Option<&Verdict>, b: Option<&Verdict>| {
            let pairs = [("wire/a", a), ("wire/b", b)];
            let verdicts =
                pairs.into_iter().filter_map(|(id, verdict)| Some((id.to_owned(), verdict?.clone())));
            waivers(text).stale(&catalogue, &verdicts.collect()).join("\n")
        };
        let passed = Some(&Verdict::Passed);
        assert_eq!(
            stale(&format!("\n{}", waiver("wire/c", "")), None, None),
            "w.toml:2: the waiver for `wire/c` matches no case; remove it"
        );
        assert!(stale(&waiver("wire/a", "until = 2020-01-01"), None, None).contains("until 2020-01-01"));
        assert!(stale(&waiver("wire/*", ""), passed, passed).contains("was passed"));
        assert!(stale(&waiver("wire/a", ""), Some(&skipped), passed).contains("was skipped"));
        // One of them failed, or was not selected, or what became of it says nothing.
        assert_eq!(stale(&waiver("wire/*", ""), passed, Some(&waived)), "");
        assert_eq!(stale(&waiver("wire/*", ""), passed, None), "");
        let broken = Verdict::Error { message: String::new() };
        assert_eq!(stale(&waiver("wire/*", ""), passed, Some(&broken)), "");
    }

    #[test]
    fn mistakes_have_a_place_and_a_hint() {
        let error = |text: &str| Waivers::parse(Path::new("w.toml"), text, "x").unwrap_err().to_string();
        let unknown = error("[[waiver]]\nid = 'a'\nsubject = 'x'\nreson = 'R'\n");
        assert!(unknown.starts_with("w.toml:4:1: unknown field `reson`"), "{unknown}");
        assert!(unknown.contains("did you mean `reason`?"), "{unknown}");
        assert!(error("[[waiver]]\nid = 'a'\nsubject = 'x'\n").contains("missing field `reason`"));
        let empty = error("[[waiver]]\nid = 'a'\nsubject = 'x'\nreason = ' '\n");
        assert!(empty.starts_with("w.toml:4:10: `reason` is empty"), "{empty}");
        let time = error(&format!("{}until = 10:00:00\n", waiver("a", "")));
        assert!(time.starts_with("w.toml:6:9: `until` is the last day"), "{time}");
    }
}
