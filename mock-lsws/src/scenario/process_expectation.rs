//! What an application's process has to be, or how it has to end.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Exit;

use super::matcher::Matcher;
use super::number_range::NumberRange;
use super::step_table::parse_signal;
use super::template::Template;
use super::time::Time;

/// How the process ends. Without `code` and `signal` every end is right.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectExit {
    /// The exit code.
    pub code: Option<i32>,
    /// The name of the signal that ends it, for example `KILL`.
    pub signal: Option<String>,
    /// The latest moment, counted from the start of the step.
    pub within: Option<Time>,
    /// The earliest moment, counted from the start of the step.
    pub not_before: Option<Time>,
}

impl ExpectExit {
    /// Checks what can be checked before the process ends.
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.code.is_some() && self.signal.is_some() {
            return Err("a process ends with a `code` or by a `signal`, not both".into());
        }
        self.signal.as_deref().map_or(Ok(()), |name| parse_signal(name).map(|_| ()))
    }

    /// Whether `exit` is the end expected.
    #[must_use]
    pub fn accepts(&self, exit: Exit) -> bool {
        let signal = self.signal.as_deref().and_then(crate::signal::parse).map(crate::Signal::as_raw);
        self.code.is_none_or(|code| exit.code() == Some(code))
            && signal.is_none_or(|signal| exit.signal() == Some(signal))
    }

    /// The end expected, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        match (self.code, &self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("an end by SIG{}", signal.trim_start_matches("SIG")),
            (None, None) => "an end".to_owned(),
        }
    }
}

/// What the running process is. All of it has to hold at one moment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectProcess {
    /// The process it is about; the one that was started without it.
    pub pid: Option<Template>,
    /// Whether it still runs.
    pub alive: Option<bool>,
    /// Whether it is a descendant of the process that was started.
    pub below: Option<bool>,
    /// Its command line, as a list of processes shows it.
    pub title: Option<Matcher>,
    /// Its short name.
    pub name: Option<Matcher>,
    /// Number of processes below it that run.
    pub children: Option<NumberRange>,
    /// Number of those that serve requests: all but the helpers the subject declares.
    pub workers: Option<NumberRange>,
    /// Number of processes below it that have ended and were not waited for.
    pub zombies: Option<NumberRange>,
    /// Number of its open descriptors.
    pub descriptors: Option<NumberRange>,
    /// Resource limits.
    pub limits: BTreeMap<ResourceName, LimitExpectation>,
    /// How long it may take until all of this holds; at once by default.
    pub within: Option<Time>,
}

impl ExpectProcess {
    /// Checks what can be checked before the process runs.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let counts = self.children.is_some() || self.workers.is_some() || self.zombies.is_some();
        if self.pid.is_some() && counts {
            return Err(
                "`children`, `workers` and `zombies` are those of the whole application: leave `pid` out"
                    .into(),
            );
        }
        if self.pid.is_none() && self.below.is_some() {
            return Err(
                "`below` is about another process than the one that was started: say which with `pid`".into(),
            );
        }
        Ok(())
    }
}

/// A resource of which there is a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceName {
    /// Bytes of a core file.
    Core,
    /// Open descriptors.
    OpenFiles,
    /// Bytes of address space.
    AddressSpace,
    /// Processes of the user.
    Processes,
}

/// What a limit has to be; one that is not there counts as more than any number.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitExpectation {
    /// The limit in force.
    pub soft: Option<NumberRange>,
    /// The limit of that.
    pub hard: Option<NumberRange>,
}
