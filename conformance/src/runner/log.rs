//! What an application wrote to its stderr: the end of it for reports, and signs of trouble nobody looked for.

use std::path::Path;

use mock_lsws::scenario::{Matcher, Scenario, Vars};

use super::log_file::LogFile;
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
    /// What is in `file`.
    pub(super) fn read(file: &LogFile) -> Self {
        Self { text: file.read() }
    }

    /// The last lines.
    pub(super) fn tail(&self) -> Vec<String> {
        let lines: Vec<&str> = self.text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(REPORTED)).map(ToString::to_string).collect()
    }

    /// Alarms of which no line is among those `scenario` allows with `may_log`, counts with `logs`, or has waited for.
    pub(super) fn alarms(
        &self,
        scenario: &Scenario,
        root: &Path,
        vars: &Vars,
        awaited: &[String],
    ) -> Vec<Problem> {
        let is_expected = |line: &&str| {
            let is_allowed = |matcher: &Matcher| {
                matcher.check("line", line.as_bytes(), root, &mut vars.clone()).is_empty()
            };
            awaited.iter().any(|known| known == line)
                || scenario.may_log.iter().any(is_allowed)
                || scenario.logs.iter().any(|log| log.fits(line, root, vars))
        };
        let lines: Vec<&str> = self.text.lines().collect();
        let mut problems = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let Some((_, wanted)) = ALARMS.iter().find(|(sign, _)| line.contains(sign)) else { continue };
            let block = &lines[at..at + block_length(&lines[at..])];
            if !block.iter().any(is_expected) && problems.len() < MOST_ALARMS {
                let last = block.last().filter(|last| *last != line);
                let actual = last.map_or_else(|| (*line).to_owned(), |last| format!("{line} ... {last}"));
                problems.push(Problem::new("stderr", *wanted, actual));
            }
        }
        problems
    }

    /// Lines that `scenario` counts and that are there too often or not often enough.
    pub(super) fn miscounted(&self, scenario: &Scenario, root: &Path, vars: &Vars) -> Vec<Problem> {
        let wrong = scenario.logs.iter().filter_map(|log| log.check(&self.text, root, vars));
        wrong.map(Problem::from).collect()
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
    use mock_lsws::scenario::parse_text;

    use super::*;

    const LOG: &str = "starting\n\
        Traceback (most recent call last):\n  File \"a.py\", line 1\n    boom()\nValueError: no\n\
        done\nthread 'main' panicked at src/x.rs:1:\nindex out of bounds\nbye\n";

    fn log() -> Log {
        Log { text: LOG.into() }
    }

    /// A scenario with `head` in its head.
    fn scenario(head: &str) -> Scenario {
        let text = format!(
            "title = 't'\nclass = 'must'\nspec = ['s']\nwhy = 'w'\n{head}\n\
             [start]\nmode = 'worker'\nrole = 'r'\n[[step]]\npause = '1s'\n"
        );
        parse_text("a/b", Path::new("a/b.toml"), &text).unwrap()
    }

    fn alarms(head: &str, awaited: &[&str]) -> Vec<String> {
        let awaited: Vec<String> = awaited.iter().map(ToString::to_string).collect();
        let problems = log().alarms(&scenario(head), Path::new(""), &Vars::default(), &awaited);
        problems.into_iter().map(|problem| problem.actual).collect()
    }

    #[test]
    fn an_alarm_is_told_with_what_it_is_about() {
        let expected = [
            "Traceback (most recent call last): ... ValueError: no",
            "thread 'main' panicked at src/x.rs:1: ... index out of bounds",
        ];
        assert_eq!(alarms("", &[]), expected);
    }

    #[test]
    fn an_alarm_is_expected_when_any_line_of_it_is() {
        assert_eq!(alarms("may_log = [{ contains = 'ValueError' }]", &[]).len(), 1);
        assert_eq!(alarms("logs = [{ line = 'ValueError: no' }]", &[]).len(), 1);
        assert_eq!(alarms("", &["ValueError: no", "index out of bounds"]), [""; 0]);
        assert_eq!(alarms("may_log = ['done']", &["starting", "bye"]).len(), 2);
    }

    #[test]
    fn lines_are_counted() {
        let wrong = |logs: &str| {
            let problems =
                log().miscounted(&scenario(&format!("logs = [{logs}]")), Path::new(""), &Vars::default());
            let texts = problems
                .into_iter()
                .map(|problem| format!("{}; {}", problem.expected.unwrap(), problem.actual));
            texts.collect::<Vec<_>>()
        };
        let right = [
            "{ line = 'done' }",
            "{ line = 'done', count = 1 }",
            "{ line = 'never', count = 0 }",
            "{ line = { contains = 'n' }, count = { min = 3 } }",
        ];
        assert_eq!(wrong(&right.join(", ")), [""; 0]);
        assert_eq!(wrong("{ line = 'never' }"), ["1 or more of the line \"never\"; none"]);
        assert_eq!(wrong("{ line = 'done', count = 0 }"), ["0 of the line \"done\"; 1, the first: done"]);
        assert_eq!(
            wrong("{ line = { starts_with = 'd', contains = 'o' }, count = 2 }"),
            [
                "2 of the line something that starts with \"d\" and something that contains \"o\"; 1, the first: done"
            ]
        );
    }
}
