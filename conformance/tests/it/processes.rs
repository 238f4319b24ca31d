//! Steps about several clients and several processes, and the ways an application finds something else than a socket.

use crate::support::{Scripted, folder, lswsgi_file, run_lswsgi, scenario};

const APP: &str =
    "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'x']\n";

const PID: &str = "[[step]]\nclients = 3\nrequest = {}\nexpect = { body = '{pid:int}' }\n";

/// Runs one case against lswsgi and returns its exit code and what is printed about it.
fn run_steps(mode: &str, role: &str, steps: &str) -> (Option<i32>, String) {
    let cases = folder(&[("it", &scenario(mode, role, steps))]);
    let (folder, subject) = (cases.path().to_str().unwrap(), lswsgi_file());
    let run = run_lswsgi(&["--scenarios", folder, "--subject", subject.to_str().unwrap(), "-v"]);
    (run.code, format!("{}{}", run.stdout, run.stderr))
}

fn passes(steps: &str) -> String {
    let (code, text) = run_steps("listen", "pid", steps);
    assert_eq!(code, Some(0), "{text}");
    text
}

fn fails(steps: &str, words: &[&str]) {
    let (code, text) = run_steps("listen", "pid", steps);
    assert_eq!(code, Some(1), "{text}");
    for words in words {
        assert!(text.contains(words), "{words:?} is missing:\n{text}");
    }
}

#[test]
fn clients_are_there_at_the_same_time_and_what_they_capture_is_counted() {
    let text = passes(&format!("{PID}distinct = {{ pid = 1 }}\n"));
    let position = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words:?} is missing:\n{text}"));
    assert!(position("#3 CONNECTED") < position("-> BEGIN_REQUEST"), "{text}");
    fails(
        &format!("{PID}distinct = {{ pid = {{ min = 2 }} }}\n"),
        &["different values of `{pid}`", "expected: 2 or more", "actual:   1: "],
    );
}

#[test]
fn what_all_clients_capture_is_known_to_the_steps_behind() {
    passes(&format!(
        "{PID}[[step]]\nexpect_process = {{ pid = '{{pid}}', alive = true, name = 'lswsgi' }}\n"
    ));
    let wrong = "[[step]]\nexpect_process = { pid = '{pid}', alive = false, below = true, title = 'x' }\n";
    let words = ["expected: ended", "actual:   running", "expected: below process", ", cmdline"];
    fails(&format!("{PID}{wrong}"), &words);
}

#[test]
fn a_client_that_fails_is_named() {
    let steps = "[[step]]\nclients = 2\nrequest = {}\nexpect = { body = 'x' }\n";
    fails(steps, &["of 2: body", "expected: \"x\""]);
}

#[test]
fn clients_that_expect_nothing_leave_when_they_have_sent() {
    let text = passes("[[step]]\nclients = 3\nrequest = {}\n[[step]]\nconnect = 'last'\n");
    assert_eq!(text.matches(" BEGIN_REQUEST ").count(), 3, "{text}");
    assert_eq!(text.matches("RESP_END").count(), 0, "{text}");
}

#[test]
fn a_process_that_is_gone_or_was_never_there_has_ended() {
    passes(
        "[[step]]\nexpect_process = { pid = '1', alive = false }\n\
         [[step]]\nrequest = {}\nexpect = { body = '{pid:int}' }\n\
         [[step]]\nsignal = { name = 'KILL', to = 'all' }\n\
         [[step]]\nexpect_process = { pid = '{pid}', alive = false, within = '2s' }\n\
         [[step]]\nexpect_exit = { signal = 'KILL' }\n",
    );
}

#[test]
fn workers_are_all_children_but_the_helpers() {
    let steps = "[[step]]\nexpect_process = { children = 2 }\n[[step]]\nexpect_process = { workers = 2 }\n";
    let started = format!("[[step]]\nrequest = {{}}\nexpect = {{}}\n{steps}");
    let subject = Scripted::new("sleep 60 & sleep 60 & exec \"$0\" -m \"$1\"", APP);
    let file = subject.folder.path().join("subject.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text + "[declares]\nhelpers = 1\n").unwrap();
    let run = subject.run(&folder(&[("it", &scenario("listen", "app", &started))]), &[]);
    let case = run.case("case/it");
    for words in
        ["workers below the application's process", "expected: 2", "actual:   1 beside helpers (1): pid "]
    {
        assert!(case.contains(words), "{words:?} is missing:\n{case}");
    }
}

#[test]
fn descriptor_0_can_be_of_no_use() {
    for mode in ["null", "pipe", "closed", "unconnected"] {
        let (code, text) = run_steps(mode, "pid", "[[step]]\nexpect_exit = { within = '10s' }\n");
        assert_eq!(code, Some(0), "{mode}: {text}");
    }
}
