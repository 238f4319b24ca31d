//! The command line: what is printed, and which exit code goes with which mistake.

use std::fs::File;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};

use crate::support::Start;
use lswsgi::exit_code;

fn lswsgi(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lswsgi"));
    command.args(args).env_clear().env("PATH", "/bin:/usr/bin").stdin(Stdio::null());
    command
}

fn code_and_stderr(output: &Output) -> (i32, String) {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().expect("it was not killed"), stderr)
}

fn run(args: &[&str]) -> (i32, String) {
    code_and_stderr(&lswsgi(args).output().expect("lswsgi starts"))
}

/// Runs on a connected socket whose other end is closed, so that only the application decides how it ends.
fn run_application(source: &str, callable: &str) -> (i32, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.py");
    std::fs::write(&path, source).unwrap();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(ours);
    let application = format!("{}{callable}", path.display());
    let mut command = lswsgi(&["-m", &application]);
    code_and_stderr(&command.stdin(std::os::fd::OwnedFd::from(theirs)).output().unwrap())
}

#[test]
fn help_and_version_go_to_stdout_and_exit_with_0() {
    for flag in ["-h", "--help", "-v", "--version"] {
        let output = lswsgi(&[flag]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{flag}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("lswsgi"), "{flag}");
        assert!(output.stderr.is_empty(), "{flag}");
    }
}

#[test]
fn unknown_options_and_options_without_their_value_are_usage_errors() {
    let (code, stderr) = run(&["--no-such-option"]);
    assert_eq!(code, i32::from(exit_code::USAGE));
    assert!(stderr.contains("--no-such-option"), "{stderr}");
    let (code, stderr) = run(&["-m"]);
    assert_eq!(code, i32::from(exit_code::USAGE));
    assert!(stderr.contains("FILE[:CALLABLE]"), "{stderr}");
}

#[test]
fn a_descriptor_0_that_is_no_socket_is_a_usage_error_in_one_sentence() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let null = File::open("/dev/null").unwrap();
    for stdin in [Stdio::from(null), Stdio::from(reader)] {
        let output = lswsgi(&["-m", "app.py"]).stdin(stdin).output().unwrap();
        let (code, stderr) = code_and_stderr(&output);
        assert_eq!(code, i32::from(exit_code::USAGE));
        assert!(stderr.contains("descriptor 0 is not a socket"), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn a_closed_descriptor_0_is_a_usage_error() {
    let command = format!("exec {} -m app.py <&-", env!("CARGO_BIN_EXE_lswsgi"));
    let (code, stderr) = code_and_stderr(&Command::new("/bin/sh").args(["-c", &command]).output().unwrap());
    assert_eq!(code, i32::from(exit_code::USAGE), "{stderr}");
}

#[test]
fn a_missing_file_has_an_exit_code_of_its_own() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(ours);
    let mut command = lswsgi(&["-m", "/no/such/app.py"]);
    let output = command.stdin(std::os::fd::OwnedFd::from(theirs)).output().unwrap();
    let (code, stderr) = code_and_stderr(&output);
    assert_eq!(code, i32::from(exit_code::NO_FILE));
    assert!(stderr.contains("/no/such/app.py"), "{stderr}");
}

#[test]
fn a_missing_callable_has_an_exit_code_of_its_own() {
    for (source, callable) in
        [("x = 1\n", ""), ("application = 1\n", ""), ("def application(): pass\n", ":other")]
    {
        let (code, stderr) = run_application(source, callable);
        assert_eq!(code, i32::from(exit_code::NO_CALLABLE), "{source}{stderr}");
        assert!(stderr.contains("has no callable"), "{stderr}");
    }
}

#[test]
fn a_failing_import_shows_its_traceback_and_its_last_line_again() {
    let (code, stderr) = run_application("import no_such_module\n", "");
    assert_eq!(code, i32::from(exit_code::IMPORT));
    assert!(stderr.contains("Traceback (most recent call last)"), "{stderr}");
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.contains("failed: ModuleNotFoundError: No module named 'no_such_module'"), "{stderr}");
}

#[test]
fn an_application_that_exits_while_it_is_imported_does_not_exit_quietly() {
    let (code, stderr) = run_application("import sys; sys.exit(0)\n", "");
    assert_eq!(code, i32::from(exit_code::IMPORT), "{stderr}");
}

#[test]
fn an_address_that_is_served_already_is_not_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (code, stderr) = run(&["-m", "app.py", "-a", path.to_str().unwrap()]);
    assert_eq!(code, i32::from(exit_code::BIND));
    assert!(stderr.contains("another process is serving this socket"), "{stderr}");
    drop(listener);
    assert!(path.exists());
}

#[test]
fn the_socket_file_is_gone_after_a_stop() {
    let (mut worker, path) = Start::application(support_app()).listening();
    assert!(path.exists());
    worker.signal("TERM");
    assert_eq!(worker.wait().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn the_embedded_python_is_the_one_it_was_built_against_whatever_path_says() {
    let source = "import sys, os\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [f'{sys.executable} {sys.argv} {sys.flags.utf8_mode} {os.path.exists(sys.prefix)}'.encode()]\n";
    let (_worker, mut connection) = Start::application(source).env("PATH", "/nowhere").connected();
    let response = connection.get("/");
    let (executable, rest) = response.text().split_once(' ').unwrap();
    assert!(std::path::Path::new(executable).is_absolute(), "{executable}");
    assert_eq!(rest, "['lswsgi'] 1 True");
}

fn support_app() -> &'static str {
    "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'ok']\n"
}

#[test]
fn an_exit_code_does_not_depend_on_threads_that_never_end() {
    let source = "import threading\n\
        threading.Thread(target=threading.Event().wait).start()\n\
        raise ValueError('import failed')\n";
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    drop(ours);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.py");
    std::fs::write(&path, source).unwrap();
    let mut command = lswsgi(&["--exit-timeout", "0.1", "-m", path.to_str().unwrap()]);
    let output = command.stdin(std::os::fd::OwnedFd::from(theirs)).output().unwrap();
    let (code, stderr) = code_and_stderr(&output);
    assert_eq!(code, i32::from(exit_code::IMPORT), "{stderr}");
}

#[test]
fn a_server_too_busy_to_accept_is_not_waited_for() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = SocketAddrUnix::new(&path).unwrap();
    let mut queue = Vec::new();
    loop {
        let kind = (AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK);
        let socket = socket_with(kind.0, kind.1, kind.2, None).unwrap();
        if connect(&socket, &address).is_err() {
            break;
        }
        queue.push(socket);
    }
    let (code, stderr) = run(&["-m", "app.py", "-a", path.to_str().unwrap()]);
    assert_eq!(code, i32::from(exit_code::BIND));
    assert!(stderr.contains("another process is serving this socket"), "{stderr}");
}

#[test]
fn help_has_every_option_under_a_heading_with_its_default_and_its_variables() {
    let output = lswsgi(&["--help"]).env("COLUMNS", "100").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for heading in
        ["Process group:", "Life of a process:", "Requests:", "Application:", "Log:", "Exit codes:"]
    {
        assert!(help.lines().any(|line| line == heading), "{heading} is missing:\n{help}");
    }
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("--max-idle <SECONDS> Time without a request"), "{help}");
    assert!(words.contains("[default: 300 s] [env: LSAPI_MAX_IDLE]"), "{help}");
    assert!(words.contains("[default: 10000] [env: PHP_LSAPI_MAX_REQUESTS, LSAPI_MAX_REQS]"), "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
}

#[test]
fn the_settings_are_printed_in_columns_with_where_they_came_from_and_descriptor_0_is_left_alone() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut command = lswsgi(&["--print-config", "--max-idle", "7.5", "-m", "/srv/app.py:app"]);
    command.env("LSAPI_CHILDREN", "9").env("LSAPI_AVOID_FORK", "2G").env("LSAPI_MAX_REQS", "many");
    let output = command.stdin(std::os::fd::OwnedFd::from(theirs.try_clone().unwrap())).output().unwrap();
    let (code, stderr) = code_and_stderr(&output);
    assert_eq!(code, i32::from(exit_code::OK));
    assert!(
        stderr.contains(
            "warning: LSAPI_MAX_REQS=many is not a whole number from 1 to 1000000000000: using 10000"
        ),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");

    let text = String::from_utf8(output.stdout).unwrap();
    let row =
        |name: &str| text.lines().find(|line| line.trim_start().starts_with(&format!("{name} "))).unwrap();
    let columns =
        |name: &str| row(name).split("  ").map(str::trim).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    for (name, value, origin) in [
        ("application", "/srv/app.py", "-m"),
        ("callable", "app", "-m"),
        ("address", "the socket on descriptor 0", "default"),
        ("children", "9", "LSAPI_CHILDREN"),
        ("extra-children", "0", "default, because LSAPI_AVOID_FORK is set"),
        ("avoid-fork", "2 GiB", "LSAPI_AVOID_FORK"),
        ("min-free-memory", "2 GiB", "LSAPI_AVOID_FORK"),
        ("max-requests", "10000", "default, because LSAPI_MAX_REQS cannot be used"),
        ("max-idle", "7.5 s", "--max-idle"),
        ("pgrp-max-idle", "no limit", "default"),
    ] {
        assert_eq!(columns(name), [name, value, origin], "{text}");
        assert_eq!(row(name).find(value), row("children").find('9'), "the columns line up:\n{text}");
        assert_eq!(row(name).rfind(origin), row("children").find("LSAPI"), "the columns line up:\n{text}");
    }
    // Still a socket, and still open: whoever holds the other end gets what is written.
    std::io::Write::write_all(&mut &theirs, b"x").unwrap();
    assert_eq!(std::io::Read::read(&mut &ours, &mut [0]).unwrap(), 1);
}

#[test]
fn the_settings_can_be_read_by_programs() {
    let output = lswsgi(&["--print-config", "--json"]).env("LSAPI_MAX_IDLE", "60").output().unwrap();
    let settings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let of = |name: &str| settings.iter().find(|setting| setting["setting"] == name).unwrap();
    let idle = of("max-idle");
    assert_eq!(
        (&idle["value"], &idle["unit"], &idle["origin"]),
        (&60.into(), &"s".into(), &"LSAPI_MAX_IDLE".into())
    );
    assert_eq!(idle["variables"], serde_json::json!(["LSAPI_MAX_IDLE"]));
    assert_eq!(of("pgrp-max-idle")["value"], serde_json::Value::Null);
    assert_eq!(of("debug")["value"], false);
    let (code, stderr) = run(&["--json"]);
    assert_eq!(code, i32::from(exit_code::USAGE));
    assert!(stderr.contains("--print-config"), "{stderr}");
}

#[test]
fn a_value_that_cannot_be_used_is_a_usage_error_that_says_what_can() {
    for (option, value, expected) in [
        ("--max-idle", "soon", "not a number of seconds, such as 300 or 0.5, or 0 for no limit"),
        ("--children", "10001", "not a whole number from 0 to 10000"),
        ("--avoid-fork", "lots", "not 0, 1 or a size such as 512M or 2G"),
        ("--load", "eager", "[possible values: auto, preload, lazy]"),
    ] {
        let (code, stderr) = run(&[option, value]);
        assert_eq!(code, i32::from(exit_code::USAGE), "{option}");
        assert!(stderr.contains(expected) && stderr.contains(option) && stderr.contains(value), "{stderr}");
    }
}
