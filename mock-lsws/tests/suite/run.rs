//! `mock-lsws run`, as it is typed.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command as StdCommand, Stdio};

use assert_cmd::Command;
use mock_lsws::{Listener, exit_code};
use predicates::prelude::*;
use predicates::str::contains;

use crate::support::{LONG, eventually, exe, fixture, runs};

/// `mock-lsws run ARGS -- python3 app.py MODE`.
fn run(args: &[&str], mode: &str) -> Command {
    let mut command = Command::new(exe());
    command.arg("run").args(args).arg("--").arg("python3").arg(fixture()).arg(mode).timeout(2 * LONG);
    command
}

#[test]
fn the_body_goes_to_standard_output_and_nothing_else() {
    run(&["/hello"], "hello").assert().success().stdout("hello, world\n").stderr("");
}

#[test]
fn packets_are_shown_in_the_order_they_came() {
    let output = run(&["-v", "--worker", "/hello?x=1"], "hello").assert().success().stdout("hello, world\n");
    let text = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    let names =
        ["BEGIN_REQUEST", "REQ_RECEIVED", "RESP_HEADER", "RESP_STREAM", "RESP_END", "ended with exit code 0"];
    let places: Vec<_> =
        names.iter().map(|name| text.find(name).unwrap_or_else(|| panic!("{name}\n{text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    assert!(text.contains("env QUERY_STRING=x=1") && text.contains("--real-cwd"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours where there is no terminal");
    assert!(!text.contains("0000  4c 53"), "no hex at one v");
}

#[test]
fn two_vs_add_hex() {
    run(&["-vv", "/"], "hello").assert().success().stderr(contains("0000  4c 53 05 00 08 00 00 00"));
}

#[test]
fn include_prints_the_head_and_fail_looks_at_the_status() {
    let head = "HTTP/1.1 404\r\nContent-Type: text/plain\r\n\r\nnothing here\n";
    run(&["-i", "/"], "not-found").assert().success().stdout(head);
    run(&["-f", "/"], "not-found")
        .assert()
        .code(i32::from(exit_code::HTTP_ERROR))
        .stdout("nothing here\n")
        .stderr(contains("404"));
}

#[test]
fn bodies_come_back_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> =
        (0..300_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let file = dir.path().join("body");
    fs::write(&file, &bytes).unwrap();
    let output = run(&["-d", &format!("@{}", file.display()), "/"], "echo").assert().success();
    assert!(output.get_output().stdout == bytes);
    run(&["-d", "@-", "/"], "echo").write_stdin("from here").assert().success().stdout("from here");
    run(&["-d", "", "/"], "echo").assert().success().stdout("");
}

#[test]
fn the_request_is_what_was_typed() {
    run(&["-X", "PUT", "-H", "X-A: 1", "-H", "Host: Other", "-d", "b", "/p?q"], "block")
        .assert()
        .success()
        .stdout(
            contains("PUT /p?q HTTP/1.1\r\nHost: other\r\n")
                .and(contains("X-A: 1\r\n"))
                .and(contains("Content-Length: 1\r\n"))
                .and(contains("User-Agent: mock-lsws/")),
        );
}

#[test]
fn a_group_gets_a_listening_socket() {
    let dir = tempfile::tempdir().unwrap();
    run(&["-v", "--group", "/"], "hello")
        .env("TMPDIR", dir.path())
        .assert()
        .success()
        .stdout("hello, world\n")
        .stderr(contains("LSAPI_CHILDREN=5 is added").and(contains("app.sock")));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "socket and folder are gone");
}

#[test]
fn a_running_application_can_be_asked() {
    let dir = tempfile::tempdir().unwrap();
    let listener = Listener::unix(&dir.path().join("app.sock"), 5).unwrap();
    let mut app = Ended(
        StdCommand::new("python3")
            .arg(fixture())
            .arg("hello")
            .stdin(listener.share().unwrap())
            .spawn()
            .unwrap(),
    );
    let address = listener.address().to_string();
    Command::new(exe()).args(["run", "--connect", &address, "/"]).assert().success().stdout("hello, world\n");
    assert!(app.0.try_wait().unwrap().is_none(), "it was not started here, so it is not ended here");
}

/// Ends and reaps a process also when a test fails.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn both_ways_of_logging_come_through() {
    run(&["/"], "stderr")
        .assert()
        .success()
        .stdout("ok")
        .stderr(contains("on descriptor 2\n").and(contains("in a packet\n")));
}

#[test]
fn each_failure_has_its_exit_code_and_says_why() {
    let cases = [
        ("cut-off", &["/"][..], exit_code::CUT_OFF, "exit code 3", "half"),
        ("die", &["/"], exit_code::CUT_OFF, "exit code 7", ""),
        ("garbage", &["/"], exit_code::PROTOCOL, "no packet: versionB = 72", ""),
        ("no-head", &["/"], exit_code::PROTOCOL, "RESP_END came without RESP_HEADER", ""),
        ("hang", &["--timeout", "0.3", "/"], exit_code::TIMEOUT, "no RESP_END within 0.3 s", ""),
    ];
    for (mode, args, code, message, stdout) in cases {
        run(args, mode).assert().code(i32::from(code)).stderr(contains(message)).stdout(stdout.to_owned());
    }
}

#[test]
fn what_cannot_be_started_or_reached_has_its_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let not_there = dir.path().join("none").display().to_string();
    let cases: [(&[&str], u8, &str); 9] = [
        (&["/", "--", "no-such-program-anywhere"], exit_code::NOT_STARTED, "not found on PATH"),
        (&["/", "--", &not_there], exit_code::NOT_STARTED, "cannot be executed"),
        (&["--real-cwd", "/", "--", "sh"], exit_code::USAGE, "absolute path"),
        (&["--connect", &not_there, "/"], exit_code::NOT_CONNECTED, "cannot connect to"),
        (&["--connect", "nonsense", "/"], exit_code::USAGE, "host:port"),
        (&["x", "--", "sh"], exit_code::USAGE, "begins with /"),
        (&["--env", "X", "/", "--", "sh"], exit_code::USAGE, "KEY=VALUE"),
        (&["-d", "@/no/such/file", "/", "--", "sh"], exit_code::FILES, "/no/such/file"),
        (&["/"], exit_code::USAGE, "COMMAND"),
    ];
    for (args, code, message) in cases {
        Command::new(exe()).arg("run").args(args).assert().code(i32::from(code)).stderr(contains(message));
    }
}

#[test]
fn help_teaches_with_examples() {
    Command::new(exe())
        .args(["run", "--help"])
        .assert()
        .success()
        .stdout(contains("Examples:").and(contains("Exit codes:")).and(contains("spawner").not()));
    Command::new(exe()).arg("--help").assert().success().stdout(contains("spawner").not());
}

#[test]
fn the_spawner_is_not_for_typing() {
    Command::new(exe())
        .arg("spawner")
        .write_stdin("")
        .assert()
        .code(i32::from(exit_code::SPAWNER))
        .stderr(contains("control socket"));
}

/// A run of an application that never answers, and its pid.
fn hanging(dir: &Path) -> (Ended, i32) {
    let mut child = Ended(
        StdCommand::new(exe())
            .args(["run", "/", "--", "python3"])
            .arg(fixture())
            .arg("hang")
            .env("TMPDIR", dir)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(child.0.stderr.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let pid = line.trim().strip_prefix("hanging ").unwrap_or_else(|| panic!("{line}")).parse().unwrap();
    child.0.stderr = Some(lines.into_inner());
    (child, pid)
}

#[test]
fn ctrl_c_leaves_no_process_behind() {
    let dir = tempfile::tempdir().unwrap();
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let (mut child, app) = hanging(dir.path());
        assert!(runs(app));
        rustix::process::kill_process(rustix::process::Pid::from_child(&child.0), signal).unwrap();
        let status = child.0.wait().unwrap();
        assert_eq!(status.code(), Some(i32::from(exit_code::INTERRUPTED)));
        assert!(!runs(app), "it has ended before the program did");
        let mut rest = String::new();
        child.0.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
        assert!(rest.contains("interrupted"), "{rest}");
    }
}

#[test]
fn a_killed_program_leaves_no_process_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (mut child, app) = hanging(dir.path());
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    eventually("the end of the application", || (!runs(app)).then_some(()));
}

#[test]
fn an_application_that_never_stops_sending_is_left_in_time() {
    for mode in ["flood-ack", "flood-stream"] {
        run(&["--timeout", "0.5", "/"], mode).assert().code(i32::from(exit_code::TIMEOUT));
    }
}

#[test]
fn faults_happen_to_its_connection_in_both_forms() {
    for form in ["--worker", "--group"] {
        run(&[form, "--fault", "app:slice=1", "--fault", "server:slice=3", "/hello"], "hello")
            .assert()
            .success()
            .stdout("hello, world\n");
        run(&[form, "--fault", "server:cut=30", "/hello"], "hello")
            .assert()
            .code(i32::from(exit_code::CUT_OFF))
            .stderr(contains("closed the connection before RESP_END"));
    }
    let begun = std::time::Instant::now();
    run(&["--fault", "server:latency=400ms", "/hello"], "hello").assert().success();
    assert!(begun.elapsed() >= std::time::Duration::from_millis(400));
}

#[test]
fn faults_that_cannot_be_are_mistakes_of_usage() {
    for (faults, said) in [
        (&["--fault", "latency=1s"][..], "begins with its direction"),
        (&["--fault", "app:latency=1"], "20ms~5ms"),
        (&["--fault", "app:cut=1", "--fault", "app:reset=1"], "there is `app:cut=1` already"),
    ] {
        run(&[faults, &["/"]].concat(), "hello")
            .assert()
            .code(i32::from(exit_code::USAGE))
            .stderr(contains(said));
    }
}
