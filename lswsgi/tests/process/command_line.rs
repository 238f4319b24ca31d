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
