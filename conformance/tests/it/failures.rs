//! Every kind of step can fail, and says so in words that help.

use std::path::Path;

use crate::support::{self, Run, Scripted, folder, lswsgi_file, run_lswsgi, scenario};

/// Mode, role, steps, and what the report has to say.
const BROKEN: &[(&str, &str, &str, &str, &str)] = &[
    (
        "status",
        "worker",
        "hello",
        "request = {}\nexpect = { status = 404 }",
        "status\n       expected: 404\n       actual:   200",
    ),
    (
        "header",
        "worker",
        "hello",
        "request = {}\nexpect = { headers = { X-Missing = \"1\" } }",
        "header X-Missing\n       expected: \"1\"\n       actual:   no such header",
    ),
    (
        "no-header",
        "worker",
        "hello",
        "request = {}\nexpect = { no_headers = \"Content-Type\" }",
        "expected: no such header",
    ),
    (
        "body",
        "worker",
        "hello",
        "request = {}\nexpect = { body = \"x\" }",
        "expected: \"x\"\n       actual:   \"Hello, World!\\n\"",
    ),
    (
        "capture",
        "worker",
        "stream",
        "request = { path = \"/?count=2\" }\nexpect = { body = { lines = [\"piece {n}\", \"{n} pieces\"] } }",
        "expected: a line \"{n} pieces\"",
    ),
    (
        "ack",
        "worker",
        "hello",
        "request = {}\nexpect = { ack = \"pid_notice\" }",
        "acknowledgement\n       expected: a PID notice",
    ),
    (
        "packets",
        "worker",
        "hello",
        "request = {}\nexpect_packets = [\"REQ_RECEIVED\", \"RESP_END\"]",
        "expected: RESP_END, in the sequence REQ_RECEIVED RESP_END\n       actual:   RESP_HEADER",
    ),
    (
        "payload",
        "worker",
        "hello",
        "request = {}\nexpect_packets = [\"REQ_RECEIVED\", \"RESP_HEADER\", { packet = \"RESP_STREAM\", payload = \"x\" }]",
        "payload of RESP_STREAM",
    ),
    (
        "late",
        "worker",
        "sleep",
        "request = { path = \"/?ms=3000\" }\nexpect = { within = \"200ms\" }",
        "actual:   nothing more within 200ms",
    ),
    ("conn-close", "worker", "hello", "request = {}\nexpect = { conn_close = \"present\" }", "CONN_CLOSE\n"),
    (
        "eof",
        "worker",
        "hello",
        "expect_eof = { within = \"200ms\" }",
        "the connection to close within 200ms\n       actual:   nothing",
    ),
    (
        "silence",
        "worker",
        "hello",
        "request = {}\n[[step]]\nexpect_no_bytes = { for = \"5s\" }",
        "silence\n       expected: nothing for 5s",
    ),
    ("exit", "worker", "hello", "expect_exit = { within = \"200ms\" }", "it is still running"),
    (
        "exit-code",
        "worker",
        "hello",
        "close = \"main\"\n[[step]]\nexpect_exit = { code = 7 }",
        "expected: exit code 7\n       actual:   exit code 0",
    ),
    (
        "exit-early",
        "worker",
        "hello",
        "close = \"main\"\n[[step]]\nexpect_exit = { not_before = \"4s\", within = \"5s\" }",
        "an end not before 4s",
    ),
    (
        "alive",
        "worker",
        "hello",
        "request = {}\nexpect = {}\n[[step]]\nexpect_process = { alive = false }",
        "expected: ended\n       actual:   running",
    ),
    (
        "children",
        "worker",
        "hello",
        "request = {}\nexpect = {}\n[[step]]\nexpect_process = { children = 2 }",
        "processes below the application's\n       expected: 2\n       actual:   0",
    ),
    (
        "core",
        "worker",
        "hello",
        "request = {}\nexpect = {}\n[[step]]\nexpect_process = { limits = { core = { soft = { min = 1 } } } }",
        "soft limit, max core file size\n       expected: 1 or more\n       actual:   0",
    ),
    (
        "log",
        "worker",
        "hello",
        "wait_log = { line = \"hello\", within = \"100ms\" }",
        "stderr\n       expected: a line that is \"hello\"",
    ),
    ("not-open", "listen", "hello", "on = \"second\"\nrequest = {}", "connection `second` is not open"),
    ("second", "worker", "hello", "connect = \"second\"", "in worker mode there is one connection"),
];

fn run_cases(cases: &[(&str, &str)]) -> (Run, tempfile::TempDir) {
    let folder = folder(cases);
    let (scenarios, subject) = (folder.path().to_str().unwrap(), lswsgi_file());
    let run = run_lswsgi(&["--scenarios", scenarios, "--subject", subject.to_str().unwrap()]);
    (run, folder)
}

#[test]
fn every_kind_of_step_fails_with_its_own_words() {
    let texts: Vec<_> = BROKEN
        .iter()
        .map(|(name, mode, role, steps, _)| (*name, scenario(mode, role, &format!("[[step]]\n{steps}\n"))))
        .collect();
    let cases: Vec<_> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (run, _folder) = run_cases(&cases);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    for (name, _, _, _, words) in BROKEN {
        let case = run.case(&format!("case/{name} "));
        assert!(case.starts_with("FAIL "), "{name} did not fail: {case}");
        assert!(case.contains(words), "{name} does not say {words:?}:\n{case}");
    }
    let expected = format!("0 passed, {} failed, 0 skipped (", BROKEN.len());
    assert!(run.last_line().starts_with(&expected), "{}", run.last_line());
}

#[test]
fn a_failure_tells_everything_about_itself_and_its_command_repeats_it() {
    let steps = "[[step]]\nrequest = { path = \"/?line=something+odd\" }\nexpect = { status = 200 }\n\n\
                 [[step]]\nnote = \"the step that fails\"\nrequest = { path = \"/\" }\nexpect = { body = \"x\" }\n";
    let (run, folder) = run_cases(&[
        ("a", &scenario("worker", "stderr", steps)),
        ("b", &scenario("worker", "stderr", steps)),
    ]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let case = run.case("case/a ");
    let file = folder.path().join("case/a.toml");
    for part in [
        "     The title\n     class must, W01, clause 7\n     why: The reason.\n",
        &format!("     at {}:12:1\n     step: the step that fails\n", file.display()),
        "     body\n       expected: \"x\"\n       actual:   \"logged\\n\"\n",
        "     transcript:\n",
        "BEGIN_REQUEST",
        "RESP_END",
        "     the end of the subject's stderr:\n",
        "something odd",
    ] {
        assert!(case.contains(part), "{part:?} is missing:\n{case}");
    }
    let again = case.lines().find_map(|line| line.trim().strip_prefix("again: ")).unwrap();
    let words: Vec<&str> = again.split(' ').collect();
    assert_eq!(Path::new(words[0]), Path::new(env!("CARGO_BIN_EXE_conformance")));
    let repeated = support::run(&words[1..]);
    assert_eq!(repeated.code, Some(1));
    assert!(repeated.last_line().starts_with("0 passed, 1 failed, 0 skipped ("), "{}", repeated.stdout);
}

#[test]
fn a_case_that_takes_too_long_is_ended_where_it_is() {
    let text = scenario("worker", "hello", "[[step]]\nnote = \"for ever\"\npause = \"10min\"\n");
    let (run, _folder) = run_cases(&[("slow", &format!("timeout = \"300ms\"\n{text}"))]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let case = run.case("case/slow");
    assert!(
        case.contains("step: for ever\n     time\n       expected: the case to be over after 300ms"),
        "{case}"
    );
}

#[test]
fn a_cut_that_cuts_nothing_is_a_mistake_of_the_scenario() {
    let steps = "[[step]]\nrequest = {}\nsplit = [8, 99999]\n";
    let (run, _folder) = run_cases(&[("cut", &scenario("worker", "hello", steps))]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.case("case/cut").contains("`split` at 99999 cuts nothing"), "{}", run.stdout);
}

/// Runs a case against lswsgi behind a shell script.
fn behind_script(script: &str, steps: &str) -> Run {
    let cases = folder(&[("get", &scenario("worker", "hello", steps))]);
    Scripted::new(script, "").run(&cases, &[])
}

const GET: &str = "[[step]]\nrequest = {}\nexpect = { status = 200 }\n";

#[test]
fn a_worker_that_crashes_on_its_way_out_is_noticed() {
    let run = behind_script("\"$0\" -m \"$1\"; sleep 0.3; kill -SEGV $$", GET);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    let case = run.case("case/get");
    assert!(case.contains("the end of the process\n") && case.contains("actual:   SIGSEGV"), "{case}");
}

#[test]
fn a_panic_is_noticed_however_much_was_written_after_it() {
    let noise = "echo \"thread main panicked at src/x.rs:1\" >&2; seq 100 >&2; exec \"$0\" -m \"$1\"";
    let run = behind_script(noise, GET);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.case("case/get").contains("actual:   thread main panicked at src/x.rs:1"), "{}", run.stdout);
}

#[test]
fn an_application_that_never_stops_writing_to_its_log_is_ended() {
    // Once its connection is closed: a subject that does so from the start is not started at all.
    let script = "\"$0\" -m \"$1\"; exec yes >&2";
    let steps = format!("{GET}[[step]]\nclose = \"main\"\n[[step]]\npause = \"25s\"\n");
    let run = behind_script(script, &steps);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.case("case/get").contains("stderr\n       expected: at most 64 MiB"), "{}", run.stdout);
}
