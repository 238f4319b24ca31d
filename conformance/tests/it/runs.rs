//! In which order cases run, how often, and what that makes of the run.

use std::fs;

use tempfile::TempDir;

use crate::support::{self, Run, Scripted, folder, scenario};

const RIGHT: &str = "[[step]]\nrequest = {}\nexpect = { status = 200 }\n";
const WRONG: &str = "[[step]]\nrequest = {}\nexpect = { status = 404 }\n";

/// As lswsgi, but with FIRST in the environment the first start of all fails.
const FAILS_ONCE: &str =
    "if [ -n \"$FIRST\" ] && mkdir \"$FIRST\" 2>/dev/null; then exit 3; fi; exec \"$0\" -m \"$1\"";

fn lswsgi(cases: &TempDir, args: &[&str]) -> Run {
    Scripted::new("exec \"$0\" -m \"$1\"", "").run(cases, args)
}

/// Cases `a` to `f` that pass.
fn six() -> TempDir {
    let right = scenario("worker", "hello", RIGHT);
    folder(&["a", "b", "c", "d", "e", "f"].map(|name| (name, right.as_str())))
}

/// The names of the cases in the order they were reported.
fn order(run: &Run) -> Vec<String> {
    let lines = run.stdout.lines().filter_map(|line| line.strip_prefix("pass case/"));
    lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn a_shuffled_order_is_told_and_can_be_had_again() {
    let cases = six();
    let first = lswsgi(&cases, &["--jobs", "1", "--shuffle"]);
    assert_eq!(first.code, Some(0), "{}{}", first.stdout, first.stderr);
    let (_, seed) = first.stdout.lines().next().unwrap().split_once("in the order of seed ").unwrap();
    let again = lswsgi(&cases, &["--jobs", "1", &format!("--shuffle={seed}")]);
    assert_eq!(order(&first), order(&again));
    let known = lswsgi(&cases, &["--jobs", "1", "--shuffle=7"]);
    assert_ne!(order(&known), ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(order(&lswsgi(&cases, &["--jobs", "1"])), ["a", "b", "c", "d", "e", "f"]);
}

#[test]
fn cases_run_as_often_as_asked_or_until_one_fails() {
    let cases = folder(&[("a", &scenario("worker", "hello", RIGHT))]);
    let repeated = lswsgi(&cases, &["--repeat", "3"]);
    assert_eq!(repeated.code, Some(0), "{}{}", repeated.stdout, repeated.stderr);
    assert!(repeated.stdout.contains("pass case/a #3 ("), "{}", repeated.stdout);
    assert!(repeated.last_line().starts_with("3 passed, 0 failed"), "{}", repeated.stdout);

    // Passes at first: the file it answers 404 for is made by the third round.
    let counted = "import os\ndef application(environ, start_response):\n    \
                   path = os.environ['COUNT']\n    open(path, 'a').write('x')\n    \
                   start_response('200 OK' if os.path.getsize(path) < 3 else '404 Not Found', [])\n    return []\n";
    let subject = Scripted::new("exec \"$0\" -m \"$1\"", counted);
    let count = subject.folder.path().join("count");
    let env = format!("env = {{ COUNT = {count:?} }}\n{RIGHT}");
    // The look at the subject before the run is made with another case.
    let cases =
        folder(&[("a", &scenario("worker", "hello", RIGHT)), ("b", &scenario("worker", "app", &env))]);
    let run = subject.run(&cases, &["--until-fail", "--jobs", "1"]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("FAIL case/b #3 ("), "{}", run.stdout);
}

#[test]
fn a_case_that_passes_when_tried_again_is_flaky() {
    for (args, code) in [(&["--retries", "2"][..], 0), (&["--retries", "2", "--flaky", "fail"], 6), (&[], 1)]
    {
        let subject = Scripted::new(FAILS_ONCE, "");
        let env = format!("env = {{ FIRST = {:?} }}\n{RIGHT}", subject.folder.path().join("first"));
        let cases =
            folder(&[("a", &scenario("worker", "hello", RIGHT)), ("b", &scenario("worker", "hello", &env))]);
        let run = subject.run(&cases, args);
        assert_eq!(run.code, Some(code), "{args:?}: {}{}", run.stdout, run.stderr);
        if code != 1 {
            assert!(run.stdout.contains("again case/b ("), "{}", run.stdout);
            assert!(run.stdout.contains(": passed in attempt 2\n"), "{}", run.stdout);
            assert!(
                run.last_line().starts_with("1 passed, 0 failed, 1 flaky, 0 skipped ("),
                "{}",
                run.stdout
            );
        }
    }
}

#[test]
fn a_case_that_never_passes_fails_with_all_its_attempts() {
    let cases = folder(&[("a", &scenario("worker", "hello", WRONG))]);
    let run = lswsgi(&cases, &["--retries", "2"]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let case = run.case("FAIL case/a");
    assert!(case.contains("attempt 1: status: expected 404, got 200"), "{case}");
    assert!(case.contains("attempt 2: status: expected 404, got 200"), "{case}");
}

#[test]
fn after_the_first_failure_nothing_more_is_started_if_so_asked() {
    let right = scenario("worker", "hello", RIGHT);
    let wrong = scenario("worker", "hello", WRONG);
    let cases = folder(&[("a", &right), ("b", &wrong), ("c", &right), ("d", &right)]);
    let run = lswsgi(&cases, &["--fail-fast", "--jobs", "1"]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.last_line().starts_with("1 passed, 1 failed, 0 skipped, 2 not run ("), "{}", run.stdout);
}

#[test]
fn a_run_in_which_nothing_ran_is_no_success() {
    let cases = folder(&[("a", &scenario("worker", "juggler", RIGHT))]);
    let run = lswsgi(&cases, &[]);
    assert_eq!(run.code, Some(4), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("note 0 cases ran, 1 had to: see --min"), "{}", run.stdout);
    assert_eq!(lswsgi(&cases, &["--min", "0"]).code, Some(0));
    assert_eq!(lswsgi(&six(), &["--min", "7"]).code, Some(4));
    assert_eq!(lswsgi(&six(), &["--min", "6"]).code, Some(0));
    // Rounds make no more cases of them.
    assert_eq!(lswsgi(&six(), &["--min", "7", "--repeat", "2"]).code, Some(4));
}

#[test]
fn shards_are_a_run_in_parts() {
    let cases = six();
    let list = |shard: &str| {
        let run = support::run(["list", "--shard", shard, "--scenarios", cases.path().to_str().unwrap()]);
        let ids = run.stdout.lines().filter_map(|line| line.split(' ').next());
        ids.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        (list("1/2").as_str(), list("2/2").as_str()),
        ("case/a case/c case/e", "case/b case/d case/f")
    );
    let wrong = support::run(["list", "--shard", "3/2"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("write I/N"), "{}", wrong.stderr);
}

#[test]
fn what_failed_can_be_run_again_without_naming_it() {
    let state = tempfile::tempdir().unwrap();
    let subject = Scripted::new("exec \"$0\" -m \"$1\"", "");
    let right = scenario("worker", "hello", RIGHT);
    let cases = folder(&[("a", &right), ("b", &scenario("worker", "hello", WRONG))]);
    let run = |args: &[&str]| {
        let mut command = subject.command(&cases);
        support::finished(command.args(args).env("XDG_STATE_HOME", state.path()).output().unwrap())
    };
    let unknown = run(&["--rerun-failed"]);
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("no record of a last run"), "{}", unknown.stderr);

    assert_eq!(run(&[]).code, Some(1));
    let again = run(&["--rerun-failed"]);
    assert_eq!(again.code, Some(1), "{}{}", again.stdout, again.stderr);
    assert!(again.last_line().starts_with("0 passed, 1 failed, 0 skipped ("), "{}", again.stdout);

    fs::write(cases.path().join("case/b.toml"), &right).unwrap();
    let fixed = run(&["--rerun-failed"]);
    assert!(fixed.last_line().starts_with("1 passed, 0 failed, 0 skipped ("), "{}", fixed.stdout);
    let nothing = run(&["--rerun-failed"]);
    assert_eq!(nothing.code, Some(4), "{}", nothing.stderr);
    assert!(nothing.stderr.contains("no case failed in the last run"), "{}", nothing.stderr);

    let record = state.path().join("lsapi-conformance").read_dir().unwrap().next().unwrap().unwrap();
    fs::write(record.path(), "{}\n").unwrap();
    let damaged = run(&["--rerun-failed"]);
    assert_eq!(damaged.code, Some(2), "{}", damaged.stderr);
    assert!(damaged.stderr.contains("line 1 is no event"), "{}", damaged.stderr);
}

#[test]
fn what_failed_of_a_share_is_run_again_whole_and_what_is_gone_is_told() {
    let state = tempfile::tempdir().unwrap();
    let subject = Scripted::new("exec \"$0\" -m \"$1\"", "");
    let wrong = scenario("worker", "hello", WRONG);
    let cases = folder(&["a", "b", "c", "d", "e", "f"].map(|name| (name, wrong.as_str())));
    let run = |args: &[&str]| {
        let mut command = subject.command(&cases);
        support::finished(command.args(args).env("XDG_STATE_HOME", state.path()).output().unwrap())
    };
    assert!(run(&["--shard", "1/2"]).last_line().starts_with("0 passed, 3 failed"));
    let again = run(&["--shard", "1/2", "--rerun-failed"]);
    assert!(again.last_line().starts_with("0 passed, 3 failed"), "{}{}", again.stdout, again.stderr);

    fs::remove_file(cases.path().join("case/e.toml")).unwrap();
    let fewer = run(&["--rerun-failed"]);
    assert!(fewer.last_line().starts_with("0 passed, 2 failed"), "{}", fewer.stdout);
    assert!(
        fewer.stderr.contains("case/e failed in the last run and is no case any more"),
        "{}",
        fewer.stderr
    );
}

#[test]
fn the_commands_of_a_report_repeat_it_also_where_paths_have_spaces() {
    let subject = Scripted::new("exec \"$0\" -m \"$1\"", "");
    let odd = subject.folder.path().join("it's an odd folder");
    fs::create_dir_all(odd.join("case")).unwrap();
    fs::write(odd.join("case/a.toml"), scenario("worker", "hello", WRONG)).unwrap();
    fs::write(odd.join("case/b.toml"), scenario("worker", "hello", RIGHT)).unwrap();
    let mut command = support::program();
    command.arg("run").arg("--subject").arg(subject.folder.path().join("subject.toml"));
    command.arg("--scenarios").arg(&odd).args(["case/a*", "--shuffle", "--timeout", "9s"]);
    let first = support::finished(command.output().unwrap());
    assert_eq!(first.code, Some(1), "{}{}", first.stdout, first.stderr);
    for (start, more) in [("     again: ", " --timeout 9s case/a"), ("this order again: ", "")] {
        let line = first.stdout.lines().find_map(|line| line.strip_prefix(start)).unwrap();
        assert!(line.ends_with(more), "{line}");
        let mut again = std::process::Command::new("sh");
        again.args(["-c", line]).env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
        let again = support::finished(again.output().unwrap());
        assert_eq!(again.code, Some(1), "{line}: {}{}", again.stdout, again.stderr);
        assert!(again.last_line().starts_with("0 passed, 1 failed, 0 skipped ("), "{}", again.stdout);
    }
}

#[test]
fn a_case_whose_keeper_is_killed_has_not_passed() {
    let app = "import os\ndef application(environ, start_response):\n    \
               parent = lambda pid: int(open(f'/proc/{pid}/stat').read().rsplit(')')[-1].split()[1])\n    \
               os.kill(parent(os.getppid()), 9)\n    \
               start_response('200 OK', [])\n    return []\n";
    let subject = Scripted::new("exec \"$0\" -m \"$1\"", app);
    let right = scenario("worker", "hello", RIGHT);
    let cases = folder(&[("a", &right), ("b", &scenario("worker", "app", RIGHT))]);
    let mut command = subject.command(&cases);
    // What the keeper would have removed goes with the test.
    let run = support::finished(command.env("TMPDIR", subject.folder.path()).output().unwrap());
    assert_eq!(run.code, Some(5), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("ERROR case/b "), "{}", run.stdout);
    assert!(run.stdout.contains("the spawner process has ended"), "{}", run.stdout);
}

#[test]
fn a_place_for_temporary_files_may_be_too_deep_for_sockets() {
    let subject = Scripted::new("exec \"$0\" -m \"$1\"", "");
    let deep = subject.folder.path().join("x".repeat(120));
    fs::create_dir(&deep).unwrap();
    let cases = folder(&[("a", &scenario("listen", "hello", RIGHT))]);
    let run = support::finished(subject.command(&cases).env("TMPDIR", &deep).output().unwrap());
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_record_that_cannot_be_kept_is_told_and_changes_nothing() {
    let subject = Scripted::new("exec \"$0\" -m \"$1\"", "");
    let file = subject.folder.path().join("subject.toml");
    let cases = six();
    let mut command = subject.command(&cases);
    // A file is no place for a folder.
    let run = support::finished(command.env("XDG_STATE_HOME", &file).output().unwrap());
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let message = format!("--rerun-failed will not know of this run: {}/lsapi-conformance/", file.display());
    assert!(run.stderr.contains(&message), "{}", run.stderr);
}

#[test]
fn a_slow_case_is_marked() {
    let cases =
        folder(&[("a", &scenario("worker", "hello", &format!("{RIGHT}[[step]]\npause = \"300ms\"\n")))]);
    let run = lswsgi(&cases, &["--slow", "200ms"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains(" s, SLOW)\n"), "{}", run.stdout);
    let limited = lswsgi(&cases, &["--timeout", "100ms"]);
    assert_eq!(limited.code, Some(1), "{}{}", limited.stdout, limited.stderr);
    assert!(limited.stdout.contains(" s, timeout)\n"), "{}", limited.stdout);
}
