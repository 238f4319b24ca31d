//! The cases about suEXEC, against the real lswsgi.
//!
//! They take root, and a Python that all users can reach: a process that has become somebody else starts it. The one this
//! checkout is built with may be in root's home folder, closed to everybody else. Then the distribution's own is taken,
//! /usr/bin/python3, for which lswsgi is built once more; the runner finds that out, and says so.

use std::process::Command;

/// The cases.
const SUEXEC: &str = "**/suexec-*";

#[test]
fn requests_run_as_whom_they_are_signed_for() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    let output = command.args(["run", "--subject", "lswsgi-scripts", SUEXEC]).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let last = stdout.lines().last().unwrap_or_default();
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can start a suEXEC daemon");
        assert_eq!(output.status.code(), Some(4), "{stdout}{stderr}");
        assert!(stdout.contains("only root can start a suEXEC daemon"), "{stdout}");
        assert!(last.starts_with("0 passed, 0 failed, "), "{last}");
        return;
    }
    let chosen = stderr.lines().find(|line| line.contains(": building against "));
    println!(
        "{}",
        chosen.unwrap_or("with the Python this checkout is built with, which all users can reach")
    );
    if let Some(chosen) = chosen {
        assert!(chosen.contains(" is closed to nobody, ") && chosen.contains("/bin/python3"), "{chosen}");
    }
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    assert!(last.contains(" passed, 0 failed, 0 skipped"), "{last}");
}
