//! Every exit code, reached the way people reach it.

use std::fs;

use crate::support::{self, folder, run, run_lswsgi, scenario};

const RIGHT: &str = "[[step]]\nrequest = {}\nexpect = { body = \"Hello, World!\\n\" }\n";
const WRONG: &str = "[[step]]\nrequest = {}\nexpect = { body = \"Goodbye!\\n\" }\n";

fn path(folder: &tempfile::TempDir) -> &str {
    folder.path().to_str().unwrap()
}

#[test]
fn zero_when_everything_passed() {
    let run = run_lswsgi(&["wire/minimal-get"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.last_line().starts_with("1 passed, 0 failed, 0 skipped ("), "{}", run.last_line());
}

#[test]
fn verbose_shows_the_transcript_of_a_case_that_passed() {
    let run = run_lswsgi(&["-v", "wire/minimal-get"]);
    let case = run.case("wire/minimal-get");
    assert!(case.contains("transcript:") && case.contains("RESP_END"), "{case}");
    let quiet = run_lswsgi(&["wire/minimal-get"]);
    assert!(!quiet.stdout.contains("transcript:"), "{}", quiet.stdout);
}

#[test]
fn zero_when_cases_were_skipped_for_a_reason() {
    let cases =
        folder(&[("a", &scenario("worker", "hello", RIGHT)), ("b", &scenario("worker", "juggler", RIGHT))]);
    let subject = support::lswsgi_file();
    let run = run_lswsgi(&["--scenarios", path(&cases), "--subject", subject.to_str().unwrap()]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("skip case/b: lswsgi has no role `juggler`"), "{}", run.stdout);
    assert!(run.last_line().starts_with("1 passed, 0 failed, 1 skipped ("), "{}", run.last_line());
}

#[test]
fn one_when_a_case_failed() {
    let cases =
        folder(&[("a", &scenario("worker", "hello", RIGHT)), ("b", &scenario("worker", "hello", WRONG))]);
    let subject = support::lswsgi_file();
    let run = run_lswsgi(&["--scenarios", path(&cases), "--subject", subject.to_str().unwrap()]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.last_line().starts_with("1 passed, 1 failed, 0 skipped ("), "{}", run.last_line());
}

#[test]
fn a_reader_that_leaves_early_does_not_change_the_verdict() {
    let mut run = support::program()
        .args(["run", "wire/minimal-get", "--user", "self", "--binary", support::lswsgi().to_str().unwrap()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(run.stdout.take());
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

#[test]
fn two_when_the_command_line_is_wrong() {
    for args in [&["run", "--no-such-option"][..], &["walk"], &[], &["run", "--jobs", "0"]] {
        let run = run(args);
        assert_eq!(run.code, Some(2), "{args:?}: {}", run.stderr);
        assert!(run.stdout.is_empty());
    }
    let run = run(["run", "--subject", "nobody"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("there is no subject `nobody`"), "{}", run.stderr);
    assert_eq!(support::run(["list", "--scenarios", "/nonexistent"]).code, Some(2));
    let own = folder(&[("mine", &scenario("worker", "hello", "[[step]]\nrequest = {}\n"))]);
    let explained = support::run(["explain", "--scenarios", own.path().to_str().unwrap()]);
    assert_eq!(explained.code, Some(0), "a folder of one's own has no list of clauses: {}", explained.stderr);
}

#[test]
fn three_when_a_scenario_is_wrong_with_every_mistake_in_its_place() {
    let misspelled = scenario("worker", "hello", "[[step]]\nreqest = {}\n");
    let bad_time = scenario("worker", "hello", "[[step]]\npause = \"5\"\n");
    let cases = folder(&[("a", &misspelled), ("b", &bad_time), ("c", &scenario("worker", "hello", RIGHT))]);
    let run = run(["run", "--scenarios", path(&cases)]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(run.stdout.is_empty(), "nothing is run: {}", run.stdout);
    assert!(run.stderr.contains("a.toml:9:1: unknown field `reqest`"), "{}", run.stderr);
    assert!(run.stderr.contains("did you mean `request`?"), "{}", run.stderr);
    assert!(run.stderr.contains("b.toml:9:9: `5` is not a duration"), "{}", run.stderr);
}

#[test]
fn three_when_a_subject_file_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.toml");
    fs::write(&file, "name = \"x\"\ncommand = [\"{binary}\"]\n[rolls]\n").unwrap();
    let run = run(["run", "--subject", file.to_str().unwrap()]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(run.stderr.contains("x.toml:3:2: unknown field `rolls`"), "{}", run.stderr);
    assert!(run.stderr.contains("did you mean `roles`?"), "{}", run.stderr);
}

#[test]
fn four_when_nothing_is_selected() {
    for args in [
        &["run", "nothing/like-this"][..],
        &["list", "nothing/*"],
        // What is there must not hide what is misspelled.
        &["run", "wire/minimal-get", "wire/minimal-gte"],
        &["list", "--tag", "no-such-tag"],
        &["run", "--spec", "W01", "--spec", "X99"],
    ] {
        let run = run(args);
        assert_eq!(run.code, Some(4), "{}", run.stderr);
        let message =
            run.stderr.lines().find(|line| line.contains("no case is selected by ")).unwrap_or_default();
        assert!(message.contains(&format!("`{}`", args.last().unwrap())), "{}", run.stderr);
    }
}

#[test]
fn five_when_the_subject_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let subject = |name: &str, text: &str| {
        let file = folder.path().join(name).with_extension("toml");
        fs::write(&file, format!("name = \"{name}\"\n{text}\n[roles]\nhello = \"hello.x\"\n")).unwrap();
        run(["run", "wire/minimal-get", "--subject", file.to_str().unwrap()])
    };
    let cases = [
        ("gone", "command = [\"{binary}\"]\nbinary = \"./no-such-file\"", "no-such-file: no such file"),
        ("unknown", "command = [\"no-such-program-anywhere\"]", "`no-such-program-anywhere` is not on PATH"),
        (
            "leaves",
            "command = [\"sh\", \"-c\", \"echo sorry >&2; exit 3\"]",
            "leaves did not start as `hello`: it ended with exit code 3 before it reacted to a first request; the end of \
             its stderr:\n    sorry",
        ),
        (
            "unbuilt",
            "command = [\"{binary}\"]\ncargo_package = \"no-such-package\"",
            "cargo could not build `no-such-package`",
        ),
    ];
    for (name, text, message) in cases {
        let run = subject(name, text);
        assert_eq!(run.code, Some(5), "{name}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(message), "{name}: {}", run.stderr);
    }
}

#[test]
fn a_build_is_announced_and_its_errors_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.toml");
    let text = "name = \"x\"\ncommand = [\"{binary}\"]\ncargo_package = \"no-such-package\"\n[roles]\nhello = \"h\"\n";
    fs::write(&file, text).unwrap();
    let run = run(["run", "wire/minimal-get", "--subject", file.to_str().unwrap()]);
    assert!(run.stderr.contains("conformance: building the subject: no-such-package ("), "{}", run.stderr);
    // cargo's own words.
    assert!(run.stderr.contains("did not match any packages"), "{}", run.stderr);
}
