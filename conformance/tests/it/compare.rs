//! Reports of two runs side by side: made ones, in which everything happens that can differ, and real ones.

use std::fs;
use std::path::Path;
use std::time::Duration;

use conformance::event::{
    Attempt, CaseResult, FORMAT, Failure, FailureKind, Part, Problem, RunStarted, Verdict,
};
use conformance::report::RunDocument;
use mock_lsws::scenario::Class;
use serde_json::json;

use crate::flaws::subject_with;
use crate::support::{self, Run};

/// A run of `subject` with these cases.
fn document(subject: &str, cases: Vec<CaseResult>) -> RunDocument {
    let mut document = RunDocument {
        run: RunStarted {
            format: FORMAT,
            tool: "conformance 1.2.3".into(),
            subject: subject.into(),
            selection: "all".into(),
            cases: Some(cases.len()),
            jobs: 8,
            seed: None,
            command: "conformance run".into(),
            whole_command: "conformance run".into(),
        },
        cases,
        summary: Default::default(),
    };
    document.summary.duration = Duration::from_millis(4321);
    document
}

fn case(id: &str, verdict: Verdict, millis: u64) -> CaseResult {
    let class = if id.starts_with("wire/") { Class::Must } else { Class::Should };
    let failed = matches!(verdict, Verdict::Failed | Verdict::Flaky | Verdict::Waived { .. });
    let problem = Problem::new("body", "\"a|b\"", "\"<c>\"");
    let failure = Failure {
        kind: FailureKind::Mismatch,
        file: "x.toml".into(),
        line: 1,
        column: 1,
        note: None,
        problems: vec![problem],
    };
    let duration = Duration::from_millis(millis);
    let exchange = if failed { Part::Failed(failure) } else { Part::Passed };
    let (stderr, transcript) = (Vec::new(), Vec::new());
    let attempt = Attempt { number: 1, duration, exchange, ending: Part::NotJudged, stderr, transcript };
    CaseResult {
        id: id.into(),
        round: 1,
        title: "A title".into(),
        class,
        spec: vec!["W01".into()],
        why: "Why.".into(),
        duration,
        slow: false,
        verdict,
        attempt: Some(attempt),
        earlier: Vec::new(),
        rerun: format!("conformance run {id}"),
    }
}

fn skipped() -> Verdict {
    Verdict::Skipped { reason: "no role `crash`".into() }
}

fn first() -> RunDocument {
    let cases = vec![
        case("life/gone", Verdict::Passed, 10),
        case("life/mended", Verdict::Failed, 10),
        case("life/same", Verdict::Failed, 10),
        case("life/slow", Verdict::Passed, 500),
        case("wire/broken", Verdict::Passed, 10),
        case("wire/not-that-slow", Verdict::Passed, 500),
        case("wire/skipped", Verdict::Passed, 10),
    ];
    document("lswsgi", cases)
}

fn second() -> RunDocument {
    let mut again = case("wire/broken", Verdict::Passed, 10);
    again.round = 2;
    let cases = vec![
        case("life/mended", Verdict::Passed, 10),
        case("life/new", Verdict::Error { message: "no temporary folder\nand more".into() }, 10),
        case("life/same", Verdict::Failed, 10),
        case("life/slow", Verdict::Passed, 1000),
        case("wire/broken", Verdict::Failed, 10),
        case("wire/not-that-slow", Verdict::Passed, 999),
        case("wire/skipped", skipped(), 10),
        again,
    ];
    document("wsgi-host", cases)
}

/// Compares the two files of these names and texts, with `args`.
fn compare(files: [(&str, String); 2], args: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in &files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut command = support::program();
    command.current_dir(folder.path()).arg("compare").args(args).args(files.map(|(name, _)| name));
    support::finished(command.output().unwrap())
}

fn json(document: &RunDocument) -> String {
    serde_json::to_string_pretty(document).unwrap()
}

fn compared(a: &RunDocument, b: &RunDocument, args: &[&str]) -> Run {
    compare([("a.json", json(a)), ("b.json", json(b))], args)
}

#[test]
fn everything_that_differs_is_told() {
    let run = compared(&first(), &second(), &[]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    insta::assert_snapshot!(run.stdout);
}

#[test]
fn words_of_an_application_move_no_cursor_and_no_time_is_too_long() {
    let mut file = json(&second()).replace("no temporary folder", "no \\u001b[31mfolder\\u0007");
    file = file
        .replace("\"seconds\": 0.5", "\"seconds\": 1e19")
        .replace("\"seconds\": 0.01", "\"seconds\": 1e19");
    let run = compare([("a.json", file.clone()), ("b.json", file)], &["--all"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let run = compare(
        [("a.json", json(&first())), ("b.json", json(&second()).replace("no temporary", "no\\u001b[31m"))],
        &[],
    );
    assert!(run.stdout.contains(r"no\u{1b}[31m folder"), "{}", run.stdout);
}

#[test]
fn all_cases_can_be_listed() {
    insta::assert_snapshot!(compared(&first(), &second(), &["--all"]).stdout);
}

#[test]
fn markdown_for_the_page_of_a_job() {
    insta::assert_snapshot!(compared(&first(), &second(), &["--markdown", "--all"]).stdout);
}

#[test]
fn only_a_failure_that_is_new_is_exit_code_1() {
    let one = |verdict: Verdict| document("x", vec![case("wire/a", verdict, 10)]);
    let code = |a: &RunDocument, b: &RunDocument| compared(a, b, &[]).code;
    let (passed, failed) = (one(Verdict::Passed), one(Verdict::Failed));
    let not_run = one(Verdict::NotRun { reason: "interrupted".into() });
    let waived = one(Verdict::Waived { reason: "known".into() });
    let none = document("x", Vec::new());
    assert_eq!(code(&passed, &passed), Some(0));
    assert_eq!(code(&failed, &failed), Some(0));
    assert_eq!(code(&failed, &passed), Some(0));
    assert_eq!(code(&passed, &waived), Some(0));
    assert_eq!(code(&passed, &none), Some(0));
    assert_eq!(code(&passed, &failed), Some(1));
    assert_eq!(code(&waived, &failed), Some(1));
    assert_eq!(code(&passed, &not_run), Some(1));
    assert_eq!(code(&none, &failed), Some(1));
}

#[test]
fn files_that_are_no_reports_are_told_with_what_is_wrong() {
    let newer = json(&first()).replace("\"format\": 1", "\"format\": 9").replace("\"cases\"", "\"results\"");
    let missing = json(&first()).replacen("\"id\"", "\"name\"", 1);
    let started = json!({"event": "case_started", "id": "a/b", "round": 1}).to_string();
    let line = |event: &str, fields: serde_json::Value| {
        let mut line = json!({ "event": event });
        line.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        line.to_string()
    };
    let cut_off = line("run_started", serde_json::to_value(first().run).unwrap()) + "\n" + &started;
    for (text, code, words) in [
        ("<html>".to_owned(), 3, "b.json:1: is no report of a run: expected value"),
        ("{}".to_owned(), 3, "b.json:1: is no report of a run: missing field `run`"),
        (missing, 3, "missing field `id`"),
        (newer.clone(), 3, "b.json: has format 9, and this program reads formats up to 1"),
        (cut_off.clone(), 3, "b.json: the run was not over"),
        (cut_off.replace("\"format\":1", "\"format\":2"), 3, "b.json: has format 2"),
        (format!("{cut_off}\n{{\"event\":"), 3, "b.json:3: is no report"),
        (started, 3, "there is no `run_started`"),
    ] {
        let run = compare([("a.json", json(&first())), ("b.json", text)], &[]);
        assert_eq!(run.code, Some(code), "{words}: {}", run.stderr);
        assert!(run.stderr.contains(words) && run.stdout.is_empty(), "{words}: {}{}", run.stderr, run.stdout);
    }
    let run = support::run(["compare", "/nonexistent/a.json", "b.json"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("/nonexistent/a.json: cannot be read: No such file"), "{}", run.stderr);
}

/// Runs a handful of cases that need no role, and writes the report `format`.
fn handful(args: &[&str], format: &str, file: &Path) {
    let report = format!("--report={format}={}", file.display());
    let cases =
        ["wsgi/close-at-end", "wsgi/close-for-head", "wsgi/environ-is-a-dict", "wsgi/input-read-minus-1"];
    let run = support::run([&["run", "--user", "self", &report], &cases[..], args].concat());
    assert!(matches!(run.code, Some(0 | 1)), "{}{}", run.stdout, run.stderr);
}

#[test]
fn two_subjects_are_compared_by_the_reports_of_their_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (lswsgi, host, flawed) = (path("lswsgi.jsonl"), path("host.json"), path("flawed.json"));
    handful(&["--binary", support::lswsgi().to_str().unwrap()], "jsonl", &lswsgi);
    handful(&["--subject", "wsgi-host"], "json", &host);
    handful(&["--subject", &subject_with("close-for-head", folder.path())], "json", &flawed);

    let same = support::run([Path::new("compare"), &lswsgi, &host]);
    assert_eq!(same.code, Some(0), "{}{}", same.stdout, same.stderr);
    assert!(same.stdout.contains("lswsgi.jsonl: lswsgi, 4 cases"), "{}", same.stdout);
    assert!(
        same.last_line().starts_with("0 with another outcome, 0 only in A, 0 only in B"),
        "{}",
        same.stdout
    );

    let worse = support::run([Path::new("compare"), &lswsgi, &flawed]);
    assert_eq!(worse.code, Some(1), "{}{}", worse.stdout, worse.stderr);
    assert!(worse.stdout.contains("  wsgi/close-for-head  passed  -> failed"), "{}", worse.stdout);
    assert!(worse.last_line().starts_with("1 with another outcome"), "{}", worse.stdout);
    assert_eq!(support::run([Path::new("compare"), &flawed, &lswsgi]).code, Some(0));
}
