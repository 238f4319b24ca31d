//! Faults between server and application, and clients that send for a time: what is right under them, and what is not.

use std::fs;

use crate::support::{self, folder, lswsgi_file, run_lswsgi, scenario};

/// Runs a case against lswsgi and returns its exit code and what is printed about it.
fn run_steps(mode: &str, role: &str, steps: &str) -> (Option<i32>, String) {
    let cases = folder(&[("it", &scenario(mode, role, steps))]);
    let (folder, subject) = (cases.path().to_str().unwrap(), lswsgi_file());
    let run = run_lswsgi(&["--scenarios", folder, "--subject", subject.to_str().unwrap(), "-v"]);
    (run.code, format!("{}{}", run.stdout, run.stderr))
}

#[track_caller]
fn passes(mode: &str, role: &str, steps: &str) -> String {
    let (code, text) = run_steps(mode, role, steps);
    assert_eq!(code, Some(0), "{text}");
    text
}

#[track_caller]
fn fails(mode: &str, role: &str, steps: &str, words: &[&str]) {
    let (code, text) = run_steps(mode, role, steps);
    assert_eq!(code, Some(1), "{text}");
    for words in words {
        assert!(text.contains(words), "{words:?} is missing:\n{text}");
    }
}

#[track_caller]
fn refused(steps: &str, words: &str) {
    let (code, text) = run_steps("listen", "hello", steps);
    assert!(code == Some(3) && text.contains(words), "{words:?} is missing:\n{text}");
}

/// Two clients that ask for half a second under `fault`; `more` is what they take.
fn traffic(fault: &str, more: &str) -> String {
    format!(
        "[[step]]\nfaults = [{fault}]\n[[step]]\nclients = 2\nfor = '500ms'\nrequest = {{ path = '/' }}\n{more}\n\
         [[step]]\nfaults = []\n[[step]]\nconnect = 'clean'\n[[step]]\non = 'clean'\nrequest = {{ path = '/' }}\n\
         expect = {{ body = \"Hello, World!\\n\" }}\n"
    )
}

const RIGHT: &str = "expect = { body = \"Hello, World!\\n\" }";
const WRONG: &str = "expect = { body = 'Good night!' }";

/// How many requests the clients had answered, and how many not.
fn counted(text: &str) -> (u64, u64) {
    let line = text.lines().find(|line| line.contains("2 clients for 500ms: ")).expect("a line that counts");
    let numbers: Vec<u64> =
        line.split("500ms: ").nth(1).unwrap().split(' ').filter_map(|word| word.parse().ok()).collect();
    (numbers[0], numbers[1])
}

#[test]
fn requests_under_a_fault_that_keeps_bytes_are_all_answered() {
    let text = passes("listen", "hello", &traffic("'app:slice=5', 'server:latency=1ms'", RIGHT));
    let (answered, unanswered) = counted(&text);
    assert!(answered > 2 && unanswered == 0, "{text}");
}

#[test]
fn a_wrong_answer_is_one_whatever_else_may_happen() {
    let words = &["of 2: body", "Good night!", "Hello, World!"];
    fails("listen", "hello", &traffic("'app:slice=5'", WRONG), words);
    // Also where most requests end with their connections.
    let steps = traffic("'server:cut=2000'", &format!("give_up = '1s'\n{WRONG}"));
    fails("listen", "hello", &steps, words);
}

#[test]
fn connections_that_end_are_followed_by_others_where_that_is_allowed() {
    let text = passes("listen", "hello", &traffic("'server:cut=30'", &format!("give_up = '1s'\n{RIGHT}")));
    let (answered, unanswered) = counted(&text);
    assert!(answered == 0 && unanswered > 2, "{text}");
    fails("listen", "hello", &traffic("'server:cut=30'", RIGHT), &["of 2: end of the response"]);
    let text = passes("listen", "hello", &traffic("'server:corrupt=12'", "give_up = '200ms'"));
    assert!(counted(&text).0 + counted(&text).1 > 2, "{text}");
}

#[test]
fn an_application_that_does_not_answer_in_time_fails() {
    let step = "[[step]]\nclients = 2\nfor = '500ms'\nrequest = { path = '/?ms=3000' }\n\
                expect = { status = [0, 200], within = '1s' }\n";
    fails("listen", "sleep", step, &["of 2: end of the response", "within 1s"]);
}

#[test]
fn faults_reach_a_connection_that_is_open() {
    let steps = "[[step]]\nrequest = { path = '/' }\nexpect = { status = [0, 200] }\n\
                 [[step]]\nfaults = ['server:cut=3']\n\
                 [[step]]\nrequest = { path = '/' }\nexpect = { status = 200, within = '1s' }\n";
    fails("worker", "hello", steps, &["at ", "end of the response", "it.toml:13:"]);
    let steps = "[[step]]\nfaults = ['server:never-read=0']\n\
                 [[step]]\nrequest = { path = '/' }\nexpect = { status = 200, within = '300ms' }\n";
    fails("worker", "hello", steps, &["end of the response"]);
}

#[test]
fn mistakes_are_told_where_they_stand() {
    refused("[[step]]\nfaults = ['latency=1ms']\n", "begins with its direction");
    refused("[[step]]\nfaults = ['app:slice=0']\n", "bytes a write");
    refused("[[step]]\nfaults = ['app:cut=1', 'app:reset=1']\n", "already");
    refused("[[step]]\nfor = '1s'\nrequest = {}\nexpect = {}\n", "say how many there are");
    refused("[[step]]\nclients = 2\nfor = '1s'\n", "need something that is sent");
    refused("[[step]]\nclients = 2\nfor = '1s'\nrequest = {}\n", "`give_up`");
    refused("[[step]]\nclients = 2\ngive_up = '1s'\nrequest = {}\n", "say how long with `for`");
    refused(
        "[[step]]\nclients = 2\nfor = '1s'\ngive_up = '1s'\nrequest = {}\nexpect_outcome = 'answered'\n",
        "only whole answers",
    );
}

#[test]
fn the_proxy_has_faults_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faulty.toml");
    let run = |mode: &str, fault: &str| {
        let proxy = env!("CARGO_BIN_EXE_conformance");
        let text = format!(
            "name = \"faulty\"\nuser = \"self\"\nbinary = {:?}\ncommand = [{proxy:?}, \"proxy\", \"--fault\", {fault:?}, \"--\", \
             \"{{binary}}\", \"-m\", \"{{script}}\"]\n[roles]\nhello = {:?}\n",
            support::lswsgi(),
            support::scenarios().join("apps/hello.wsgi"),
        );
        fs::write(&file, text).unwrap();
        let steps = "[[step]]\nrequest = { path = \"/\" }\nexpect = { status = 200, within = \"2s\" }\n";
        let cases = support::folder(&[("get", &scenario(mode, "hello", steps))]);
        support::run([
            "run",
            "--subject",
            file.to_str().unwrap(),
            "--scenarios",
            cases.path().to_str().unwrap(),
        ])
    };
    for mode in ["worker", "listen"] {
        let whole = run(mode, "server:slice=3");
        assert_eq!(whole.code, Some(0), "{}{}", whole.stdout, whole.stderr);
        let cut = run(mode, "server:cut=20");
        assert_eq!(cut.code, Some(1), "{}{}", cut.stdout, cut.stderr);
        assert!(cut.stdout.contains("end of the response"), "{}", cut.stdout);
    }
    let wrong = support::run(["proxy", "--fault", "app:nothing=1", "--", "/bin/true"]);
    assert!(
        wrong.code == Some(2) && wrong.stderr.contains("there is no fault `nothing`"),
        "{}",
        wrong.stderr
    );
    let two = support::run(["proxy", "--fault", "app:cut=1", "--fault", "app:cut=2", "--", "/bin/true"]);
    assert!(two.code == Some(2) && two.stderr.contains("already"), "{}", two.stderr);
}
