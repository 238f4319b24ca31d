//! Accepted failures, and acceptances nobody needs.

use std::fs;

use crate::support::{Run, Scripted, folder, scenario};

const RIGHT: &str = "[[step]]\nrequest = {}\nexpect = { status = 200 }\n";
const WRONG: &str = "[[step]]\nrequest = {}\nexpect = { status = 404 }\n";

/// Runs a case that passes and one that fails, with the waivers `text` in the folder of scenarios.
fn run(text: &str, args: &[&str]) -> Run {
    let right = scenario("worker", "hello", RIGHT);
    let cases = folder(&[("right", &right), ("wrong", &scenario("worker", "hello", WRONG))]);
    fs::write(cases.path().join("waivers.toml"), text).unwrap();
    Scripted::new("exec \"$0\" -m \"$1\"", "").run(&cases, args)
}

fn waiver(id: &str, more: &str) -> String {
    format!("[[waiver]]\nid = \"{id}\"\nsubject = \"script\"\nreason = \"lsapi 9: known\"\n{more}\n")
}

#[test]
fn a_waived_failure_is_told_and_does_not_fail_the_run() {
    let run = run(&waiver("case/wrong", "until = 2999-01-01"), &["--strict-waivers"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("waived case/wrong ("), "{}", run.stdout);
    assert!(run.stdout.contains("waived:\n  case/wrong: lsapi 9: known\n"), "{}", run.stdout);
    assert!(run.last_line().starts_with("1 passed, 0 failed, 1 waived, 0 skipped ("), "{}", run.stdout);
}

#[test]
fn a_waiver_for_another_subject_or_of_another_time_does_not_count() {
    let other = waiver("case/wrong", "").replace("\"script\"", "\"other\"");
    for text in [other, waiver("case/wrong", "until = 2020-01-01")] {
        let run = run(&text, &[]);
        assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn a_waiver_that_is_not_needed_is_told_and_with_strict_waivers_fails_the_run() {
    let needed = waiver("case/wrong", "");
    let place = |line: u32| format!("waivers.toml:{line}: the waiver for `case/");
    for (id, what) in
        [("case/nothing", "matches no case"), ("case/right", "is not needed: what it is for was passed")]
    {
        let text = format!("{needed}{}", waiver(id, ""));
        let lax = run(&text, &[]);
        assert_eq!(lax.code, Some(0), "{}{}", lax.stdout, lax.stderr);
        let strict = run(&text, &["--strict-waivers"]);
        assert_eq!(strict.code, Some(1), "{}{}", strict.stdout, strict.stderr);
        for run in [lax, strict] {
            assert!(run.stdout.contains(&place(6)) && run.stdout.contains(what), "{}", run.stdout);
        }
    }
    // One of the cases of this waiver fails, so it is needed.
    assert_eq!(run(&waiver("case/*", ""), &["--strict-waivers"]).code, Some(0));
    // A waiver for a case that was not selected is not judged.
    let text = format!("{needed}{}", waiver("case/right", ""));
    assert_eq!(run(&text, &["--strict-waivers", "case/wrong"]).code, Some(0));
}

#[test]
fn mistakes_in_the_file_have_a_place() {
    let mistaken = run(&waiver("case/wrong", "").replace("reason", "reasen"), &[]);
    assert_eq!(mistaken.code, Some(3), "{}", mistaken.stderr);
    assert!(mistaken.stderr.contains("waivers.toml:4:1: unknown field `reasen`"), "{}", mistaken.stderr);
    let missing = run("", &["--waivers", "/nonexistent/waivers.toml"]);
    assert_eq!(missing.code, Some(2), "{}", missing.stderr);
}
