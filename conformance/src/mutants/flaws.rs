//! The flaws a host tells of itself.

use std::process::{Command, Stdio};

use serde::Deserialize;

use super::error::MutantsError;
use crate::Error;
use crate::subject::Subject;

/// The option that makes a host tell its flaws, and the one that says in which form.
const LIST: [&str; 2] = ["--list-flaws", "--json"];

/// The option that gives a host a flaw.
pub(super) const OPTION: &str = "--flaw";

/// One thing a host can do wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Flaw {
    /// What it is called.
    pub name: String,
    /// What is wrong, in words.
    pub meaning: String,
    /// The cases that must notice it.
    #[serde(default)]
    pub caught_by: Vec<String>,
}

/// Asks the host `subject` for its flaws.
///
/// # Errors
/// [`Error::Subject`] when its program is not there, [`MutantsError::NoFlaws`] when it does not say.
pub fn of(subject: &Subject) -> Result<Vec<Flaw>, Error> {
    let words = subject.words_of_program()?;
    let (program, args) = words.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let none = |reason: String| MutantsError::NoFlaws { command: words.join(" "), reason };
    let mut command = Command::new(program);
    let output = command
        .args(args)
        .args(LIST)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| none(error.to_string()))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(none(format!("it ended with {}: {}", output.status, told.trim())).into());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| none(error.to_string()).into())
}
