//! What an application wrote to its stderr: the end of it for reports, and signs of trouble nobody looked for.

use std::path::Path;

use mock_lsws::scenario::{Matcher, Vars};

use super::process::read_log;
use crate::event::Problem;

/// Lines that go into a report.
const REPORTED: usize = 30;

/// What a program says when it fails in a way it did not foresee, and what to call that.
const ALARMS: [(&str, &str); 3] = [
    ("panicked at", "no panic"),
    ("Traceback (most recent call last)", "no traceback"),
    ("Sanitizer: ", "nothing a sanitizer objects to"),
];

/// Alarms reported of one log.
const MOST_ALARMS: usize = 3;

/// An application's stderr.
#[derive(Debug, Default)]
pub(super) struct Log {
    text: String,
}

impl Log {
    /// What is in the file `path`.
    pub(super) fn read(path: &Path) -> Self {
        Self { text: read_log(path) }
    }

    /// The last lines.
    pub(super) fn tail(&self) -> Vec<String> {
        let lines: Vec<&str> = self.text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(REPORTED)).map(ToString::to_string).collect()
    }

    /// Alarms of which no line is among those the scenario allows with `may_log`, or has waited for.
    pub(super) fn alarms(&self, may_log: &[Matcher], root: &Path, awaited: &[String]) -> Vec<Problem> {
        let is_expected = |line: &&str| {
            let is_allowed = |matcher: &Matcher| {
                matcher.check("line", line.as_bytes(), root, &mut Vars::default()).is_empty()
            };
            awaited.iter().any(|known| known == line) || may_log.iter().any(is_allowed)
        };
        let lines: Vec<&str> = self.text.lines().collect();
        let mut problems = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let Some((_, wanted)) = ALARMS.iter().find(|(sign, _)| line.contains(sign)) else { continue };
            let block = &lines[at..at + block_length(&lines[at..])];
            if !block.iter().any(is_expected) && problems.len() < MOST_ALARMS {
                let last = block.last().filter(|last| *last != line);
                let actual = last.map_or_else(|| (*line).to_owned(), |last| format!("{line} ... {last}"));
                problems.push(Problem { field: "stderr".into(), expected: Some((*wanted).into()), actual });
            }
        }
        problems
    }
}

/// How many of `lines` belong to the alarm in the first: those that are indented, and the one after them, which says
/// what it was about.
fn block_length(lines: &[&str]) -> usize {
    let is_indented = |line: &&&str| line.starts_with([' ', '\t']);
    let indented = lines.iter().skip(1).take_while(is_indented).count();
    (indented + 2).min(lines.len())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    const LOG: &str = "starting\n\
        Traceback (most recent call last):\n  File \"a.py\", line 1\n    boom()\nValueError: no\n\
        done\nthread 'main' panicked at src/x.rs:1:\nindex out of bounds\nbye\n";

    fn alarms(may_log: &[&str], awaited: &[&str]) -> Vec<String> {
        #[derive(Deserialize)]
        struct Wrapped {
            matcher: Matcher,
        }
        let matchers: Vec<Matcher> = may_log
            .iter()
            .map(|text| toml::from_str::<Wrapped>(&format!("matcher = {text}")).unwrap().matcher)
            .collect();
        let awaited: Vec<String> = awaited.iter().map(ToString::to_string).collect();
        let log = Log { text: LOG.into() };
        let problems = log.alarms(&matchers, Path::new(""), &awaited);
        problems.into_iter().map(|problem| problem.actual).collect()
    }

    #[test]
    fn an_alarm_is_told_with_what_it_is_about() {
        let expected = [
            "Traceback (most recent call last): ... ValueError: no",
            "thread 'main' panicked at src/x.rs:1: ... index out of bounds",
        ];
        assert_eq!(alarms(&[], &[]), expected);
    }

    #[test]
    fn an_alarm_is_expected_when_any_line_of_it_is() {
        assert_eq!(alarms(&["{ contains = 'ValueError' }"], &[]).len(), 1);
        assert_eq!(alarms(&[], &["ValueError: no", "index out of bounds"]), [""; 0]);
        assert_eq!(alarms(&["'done'"], &["starting", "bye"]).len(), 2);
    }
}
