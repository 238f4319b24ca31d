//! A line that an application's stderr has to have when everything has ended, or must not have.

use std::fmt;
use std::path::Path;

use serde::Deserialize;

use super::matcher::{Matcher, Mismatch};
use super::number_range::NumberRange;
use super::vars::Vars;

/// A line and how often it is there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogExpectation {
    /// What the line is.
    pub line: Matcher,
    /// How often it is there; at least once without it.
    pub count: Option<NumberRange>,
}

impl LogExpectation {
    /// Whether `line` is one it is about.
    #[must_use]
    pub fn fits(&self, line: &str, root: &Path, vars: &Vars) -> bool {
        self.line.check("line", line.as_bytes(), root, &mut vars.clone()).is_empty()
    }

    /// What is wrong with the log `text`. `root` is the folder of all scenarios.
    #[must_use]
    pub fn check(&self, text: &str, root: &Path, vars: &Vars) -> Option<Mismatch> {
        let lines: Vec<&str> = text.lines().filter(|line| self.fits(line, root, vars)).collect();
        let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
        let wanted = match &self.count {
            Some(range) => range.refuses(count, &mut vars.clone())?,
            None if lines.is_empty() => "1 or more".to_owned(),
            None => return None,
        };
        let line = self.line.describe(vars);
        let actual = match lines.first() {
            Some(first) => format!("{count}, the first: {first}"),
            None => "none".to_owned(),
        };
        Some(Mismatch::new("stderr", format!("{wanted} of the line {line}"), actual))
    }
}

impl fmt::Display for LogExpectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.describe(&Vars::default());
        match self.count {
            Some(_) => write!(f, "lines of stderr that are {line} are counted"),
            None => write!(f, "stderr has a line that is {line}"),
        }
    }
}
