//! The command lines that repeat a run or one case of it, ready for a shell.

use std::ffi::OsString;
use std::path::Path;

use mock_lsws::scenario::Time;

use crate::cli::{DEFAULT_SUBJECT, DEFAULT_TIMEOUT, RunArgs};

/// The command of a run with `args` up to the IDs: what decides how a case goes, not which cases there are.
#[must_use]
pub fn command_of_cases(args: &RunArgs) -> String {
    let mut words = program();
    let timeout = Time(args.order.timeout).to_string();
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let options = [
        ("--connect", args.connect.as_ref().map(ToString::to_string)),
        ("--role", args.role.clone()),
        ("--subject", Some(args.subject.name.clone()).filter(|subject| subject != DEFAULT_SUBJECT)),
        ("--user", args.subject.user.clone()),
        ("--binary", path(&args.subject.binary)),
        ("--scenarios", path(&args.select.scenarios)),
        ("--waivers", path(&args.verdict.waivers)),
        ("--timeout", Some(timeout).filter(|timeout| timeout != DEFAULT_TIMEOUT)),
    ];
    for (option, value) in options {
        words.extend(value.map(|value| format!("{option} {}", shell_word(&value))));
    }
    words.join(" ")
}

/// The command of this program with `arguments`, as they were typed behind `run`, and `seed` for the order.
pub fn command_of_run(arguments: impl IntoIterator<Item = OsString>, seed: Option<u64>) -> String {
    let mut words = program();
    let arguments = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned());
    words.extend(arguments.filter(|word| !word.starts_with("--shuffle")).map(|word| shell_word(&word)));
    words.extend(seed.map(|seed| format!("--shuffle={seed}")));
    words.join(" ")
}

/// How this program was started, with its subcommand.
fn program() -> Vec<String> {
    match std::env::var_os("CARGO") {
        Some(_) if cfg!(debug_assertions) => vec!["cargo run -p conformance -- run".to_owned()],
        Some(_) => vec!["cargo run --release -p conformance -- run".to_owned()],
        None => {
            let program = std::env::args_os().next().unwrap_or_default();
            vec![shell_word(&Path::new(&program).display().to_string()), "run".to_owned()]
        }
    }
}

/// `word` as a shell takes it: the ID of a case of a matrix has characters that mean something to it.
#[must_use]
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/_-.,:=@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell_when_they_have_to_be() {
        assert_eq!(shell_word("wire/minimal-get"), "wire/minimal-get");
        assert_eq!(shell_word("wire/x[n=-1]"), "'wire/x[n=-1]'");
        assert_eq!(shell_word("a'b"), "'a'\\''b'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn the_order_of_a_run_replaces_what_was_asked_for() {
        let command = |arguments: &[&str]| command_of_run(arguments.iter().map(OsString::from), Some(7));
        assert!(
            command(&["wire/*", "--shuffle", "--jobs", "1"]).ends_with(" run 'wire/*' --jobs 1 --shuffle=7")
        );
        assert!(command(&["--shuffle=3", "wire"]).ends_with(" run wire --shuffle=7"));
    }
}
