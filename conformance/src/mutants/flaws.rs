//! The flaws a host tells of itself.

use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use super::error::MutantsError;
use crate::Error;
use crate::subject::Subject;

/// The option that makes a host tell its flaws, and the one that says in which form.
const LIST: [&str; 2] = ["--list-flaws", "--json"];

/// The option that gives a host a flaw.
pub(super) const OPTION: &str = "--flaw";

/// How long a host may take to tell them.
const PATIENCE: Duration = Duration::from_secs(30);

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
pub async fn of(subject: &Subject) -> Result<Vec<Flaw>, Error> {
    let words = subject.words_of_program()?;
    let (program, args) = words.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let none = |reason: String| MutantsError::NoFlaws { command: words.join(" "), reason };
    let mut command = Command::new(program);
    let output = command.args(args).args(LIST).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(PATIENCE, output)
        .await
        .map_err(|_| none(format!("it has not ended within {} s", PATIENCE.as_secs())))?
        .map_err(|error| none(error.to_string()))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(none(format!("it ended with {}: {}", output.status, told.trim())).into());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| none(error.to_string()).into())
}
