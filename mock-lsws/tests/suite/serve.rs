//! `mock-lsws serve`, as it is typed.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command as StdCommand, Stdio};

use assert_cmd::Command;
use mock_lsws::{Listener, exit_code};
use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;

use crate::served::Served;
use crate::support::{LONG, eventually, exe, fixture};

/// `mock-lsws serve ARGS -- python3 app.py MODE`.
fn serve(args: &[&str], mode: &str) -> Served {
    serve_in(fixture().parent().unwrap(), args, mode)
}

/// The same in `folder`.
fn serve_in(folder: &Path, args: &[&str], mode: &str) -> Served {
    let app = fixture();
    // Whatever started the tests may have had it ignore hangups, as `nohup` does.
    let mut program = StdCommand::new("env");
    program.arg("--default-signal=HUP").arg(exe()).current_dir(folder);
    Served::start(program, &[args, &["--", "python3", app.to_str().unwrap(), mode]].concat())
}

#[test]
fn it_says_where_it_is_and_serves_until_ctrl_c() {
    let served = serve(&[], "hello");
    let address = served.address;
    assert_eq!(served.ready, format!("http://{address}/ serves wsgi:/ (5 connections); Ctrl-C stops it\n"));
    for path in ["/", "/a/b?c"] {
        let answer = served.get(path);
        assert_eq!((answer.status, answer.text()), (200, "hello, world\n"), "{}", answer.head);
        assert!(answer.head.to_lowercase().contains("x-mode: hello"), "{}", answer.head);
    }
    let log = served.stop();
    assert!(log.contains("[NOTICE] wsgi:/: process "), "{log}");
    assert!(!log.contains('\u{1b}'), "no colours where there is no terminal");
}

#[test]
fn term_and_hup_stop_it_too() {
    for signal in [Signal::TERM, Signal::HUP] {
        let mut served = serve(&[], "hello");
        assert_eq!(served.get("/").status, 200);
        let processes = served.processes();
        served.signal(signal);
        assert!(served.ended(&processes).success(), "{}", served.stderr());
    }
}

#[test]
fn hup_does_not_stop_one_that_was_started_to_ignore_it() {
    let app = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/app.py");
    // What `nohup` does; that would send the standard output of a terminal to a file.
    let mut shell = StdCommand::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", exe().to_str().unwrap()]);
    let served = Served::start(shell, &["--", "python3", app, "pid"]);
    let status = fs::read_to_string(format!("/proc/{}/status", served.pid())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
    assert!(
        ignored.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']),
        "HUP is the first signal: {ignored}"
    );
    served.signal(Signal::HUP);
    assert_eq!(served.get("/").status, 200);
    served.stop();
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_a_request() {
    let mut served = serve(&[], "hang");
    let mut client = served.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    served.says("hanging ");
    let processes = served.processes();
    served.signal(Signal::TERM);
    eventually("the server no longer listens", || std::net::TcpStream::connect(served.address).err());
    // Several of these are one; were they not, the next one would find nobody.
    served.signal(Signal::TERM);
    served.signal(Signal::HUP);
    assert!(served.processes().len() == processes.len(), "the request is still under way");
    served.signal(Signal::INT);
    let status = served.ended(&processes);
    assert_eq!(status.code(), Some(i32::from(exit_code::INTERRUPTED)), "{}", served.stderr());
    assert!(served.stderr().contains("interrupted"), "{}", served.stderr());
}

#[test]
fn a_killed_server_leaves_nothing() {
    let served = serve(&[], "hang");
    let mut client = served.connect();
    client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    served.says("hanging ");
    assert!(served.files() > 0, "the socket");
    served.kill();
}

#[test]
fn files_of_the_application_are_served_without_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("public/css")).unwrap();
    fs::write(folder.path().join("public/css/a.css"), "body {}").unwrap();
    let mut served = serve_in(folder.path(), &["--access-log", "-"], "hello");
    let answer = served.get("/css/a.css");
    assert_eq!((answer.status, answer.text()), (200, "body {}"));
    assert!(answer.head.to_lowercase().contains("content-type: text/css"), "{}", answer.head);
    // The number at the end is how often an application was sent the request.
    let line = served.line();
    assert!(line.contains("\"GET /css/a.css HTTP/1.1\" 200 7 ") && line.ends_with(" 0\n"), "{line}");
    assert_eq!(served.get("/css/").text(), "hello, world\n");
    assert!(served.line().ends_with(" 1\n"));
    served.stop();
    let served = serve_in(folder.path(), &["--public", "public/css"], "hello");
    assert_eq!(served.get("/a.css").text(), "body {}");
    served.stop();
}

#[test]
fn a_chunked_upload_comes_back_byte_for_byte() {
    let served = serve(&[], "echo");
    let body: Vec<u8> =
        (0..200_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let mut request =
        b"POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(30_001) {
        request.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()).chain(*b"\r\n"));
    }
    request.extend(b"0\r\n\r\n");
    let answer = served.send(&request);
    assert!(answer.status == 200 && answer.body == body, "{}, {} bytes", answer.head, answer.body.len());
    served.stop();
}

#[test]
fn a_transcript_tells_each_packet_and_twice_each_byte() {
    for (args, has_hex) in [(&["--transcript"][..], false), (&["--transcript", "--transcript"], true)] {
        let served = serve(args, "hello");
        served.get("/hello?x=1");
        served.says("<- RESP_END");
        let text = served.stop();
        let names = [
            "GET /hello?x=1 HTTP/1.1 from 127.0.0.1:",
            "BEGIN_REQUEST  GET /hello?x=1",
            "env QUERY_STRING=x=1",
            "REQ_RECEIVED",
            "RESP_HEADER  status 200",
            "RESP_END",
        ];
        let places: Vec<_> =
            names.iter().map(|name| text.find(name).unwrap_or_else(|| panic!("{name}\n{text}"))).collect();
        assert!(places.is_sorted(), "{text}");
        assert_eq!(text.contains("0000  4c 53 05 00 08 00 00 00"), has_hex, "{text}");
    }
}

#[test]
fn what_an_application_says_comes_through() {
    let served = serve(&[], "stderr");
    assert_eq!(served.get("/").text(), "ok");
    served.says("on descriptor 2\n");
    served.says("in a packet");
    served.stop();
}

#[test]
fn an_application_that_does_not_serve_is_503_and_the_log_says_why() {
    let app = fixture();
    let app = app.to_str().unwrap();
    let cases: [(&[&str], &str); 3] = [
        (&["python3", app, "die"], "exit code 7"),
        (&["sh", "-c", "sleep 600"], "does it serve"),
        (&["python3", app, "cut-off"], "exit code 3"),
    ];
    for (command, reason) in cases {
        let args = [&["--init-timeout", "0.5", "--"], command].concat();
        let served = Served::start(StdCommand::new(exe()), &args);
        let answer = served.get("/");
        served.says(reason);
        if command.contains(&"cut-off") {
            // Half of the response had gone out.
            assert_eq!((answer.status, answer.text()), (200, "halfhalfhalf"), "{}", answer.head);
            assert!(!answer.is_whole);
        } else {
            assert_eq!(answer.status, 503, "{}", answer.head);
        }
        served.stop();
    }
}

#[test]
fn the_environment_is_what_is_typed_and_the_callers_lsapi_variables() {
    let mut program = StdCommand::new(exe());
    program.env("LSAPI_CHILDREN", "2").env("LSAPI_MAX_IDLE", "7").env("SECRET", "1");
    let script = "tr '\\0' '\\n' < /proc/$$/environ >&2; sleep 600";
    let served = Served::start(
        program,
        &["--env", "LSAPI_MAX_IDLE=9", "--env", "MINE=1", "--max-conns", "8", "--", "sh", "-c", script],
    );
    assert!(served.ready.contains("(2 connections)"), "{}", served.ready);
    served.says("WSGI_ROOT=");
    served.says("PATH=");
    let text = served.stop();
    for line in ["LSAPI_CHILDREN=2\n", "LSAPI_MAX_IDLE=9\n", "MINE=1\n"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("SECRET") && !text.contains("LSAPI_MAX_IDLE=7"), "{text}");
}

#[test]
fn without_a_wsgi_context_and_children_each_connection_has_a_process() {
    let served = serve(&["--lsapi-context", "/app/"], "pid");
    let pid = served.get("/app/x").text().to_owned();
    assert_eq!(served.get("/app/y").text(), pid, "the connection is used again");
    assert_eq!(served.get("/other").status, 404);
    assert!(served.processes().iter().any(|process| process.pid.to_string() == pid));
    served.stop();
}

#[test]
fn faults_happen_to_each_connection_whoever_makes_it() {
    for more in [&["--env", "LSAPI_CHILDREN=1"][..], &["--lsapi-context", "/"]] {
        let served =
            serve(&[&["--fault", "server:latency=300ms", "--fault", "app:slice=9"], more].concat(), "hello");
        for _ in 0..2 {
            let begun = std::time::Instant::now();
            assert_eq!(served.get("/").text(), "hello, world\n", "{}", served.stderr());
            assert!(begun.elapsed() >= std::time::Duration::from_millis(300));
        }
        served.stop();
    }
    // The first send of each connection fails, and so do the other two.
    let served = serve(&["--fault", "server:cut=5"], "hello");
    assert_eq!(served.get("/").status, 503);
    assert!(served.stop().contains("503 after 3 attempts"));
}

#[test]
fn an_application_that_runs_is_connected_to_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::unix(&folder.path().join("app.sock"), 5).unwrap();
    let mut app = StdCommand::new("python3");
    app.arg(fixture()).arg("hello").stdin(listener.share().unwrap());
    let mut app = Ended(app.spawn().unwrap());
    let served = Served::start(StdCommand::new(exe()), &["--connect", &listener.address().to_string()]);
    assert_eq!(served.get("/").text(), "hello, world\n");
    served.stop();
    assert!(app.0.try_wait().unwrap().is_none(), "it was not started here, so it is not ended here");
}

/// Ends and reaps a process also when a test fails.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_configuration_file_is_served_and_its_remarks_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.toml");
    let app = fixture();
    let text = format!(
        "[[extProcessor]]\nname = \"hello\"\npath = \"/usr/bin/env python3 '{}' hello\"\npersistConn = 0\n\
         [[context]]\nuri = \"/hello/\"\ntype = \"lsapi\"\nhandler = \"hello\"\n",
        app.display()
    );
    fs::write(&path, text).unwrap();
    let served = Served::start(StdCommand::new(exe()), &["--config", path.to_str().unwrap()]);
    assert!(served.ready.contains(" serves hello (5 connections)"), "{}", served.ready);
    assert_eq!(served.get("/hello/").text(), "hello, world\n");
    let log = served.stop();
    assert!(log.contains("warning: extProcessor 'hello': persistConn has no effect"), "{log}");
}

#[test]
fn each_mistake_has_its_exit_code_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let none = folder.path().join("none").to_str().unwrap().to_owned();
    let wrong = file("server.toml", "docRoot = \"html\"\n\n[[extProcesor]]\nname = \"a\"\n");
    let apache = file("site.conf", "<Location /a>\nWSGICallableObject app\n");
    let nothing = file("empty.conf", "ServerName example.com\n");
    let short = file("short", "15 bytes of it.");
    fs::set_permissions(&short, fs::Permissions::from_mode(0o600)).unwrap();
    let open = file("open", "0123456789abcdef");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let daemon = |secret| ["--suexec", "daemon", "--suexec-secret", secret, "--", "sh"];
    let cases: [(&[&str], u8, &[&str]); 22] = [
        (&["--", "no-such-program-anywhere"], exit_code::NOT_STARTED, &["not found on PATH"]),
        (&["--", &none], exit_code::NOT_STARTED, &["cannot be executed", &none]),
        (&["--http", &taken, "--", "sh"], exit_code::NOT_CONNECTED, &["cannot listen on", &taken]),
        (&["--http", "nowhere", "--", "sh"], exit_code::USAGE, &["127.0.0.1:8080"]),
        (&["--config", &none], exit_code::FILES, &["cannot be read", &none]),
        (&["--config", &wrong], exit_code::CONFIG, &["server.toml:3:", "did you mean", "extProcessor"]),
        (&["--apache-conf", &apache, "--", "sh"], exit_code::CONFIG, &["site.conf:1:", "not closed"]),
        (&["--apache-conf", &nothing, "--", "sh"], exit_code::USAGE, &["no URL leads to COMMAND"]),
        (&["--access-log", "/no/such/log", "--", "sh"], exit_code::FILES, &["/no/such/log"]),
        (&["--max-conns", "0", "--", "sh"], exit_code::USAGE, &["--max-conns"]),
        (&["--max-cons", "1", "--", "sh"], exit_code::USAGE, &["--max-conns"]),
        (&["--wsgi-context", "app", "--", "sh"], exit_code::USAGE, &["`/app/`"]),
        (&["--real-cwd", "--", "sh"], exit_code::USAGE, &["absolute path"]),
        (&["--fault", "app:none=1", "--", "sh"], exit_code::USAGE, &["there is no fault `none`"]),
        (&["--fault", "app:slice=1", "--fault", "app:slice=2", "--", "sh"], exit_code::USAGE, &["already"]),
        (
            &["--keep-detached", "/proc/no", "--", "sh"],
            exit_code::NOT_STARTED,
            &["/proc/no", "cannot be made"],
        ),
        (&daemon(&short), exit_code::NOT_STARTED, &[&short, "it has 15 bytes, and 16 are needed"]),
        (&daemon(&open), exit_code::NOT_STARTED, &[&open, "it has mode 0644", "chmod 600"]),
        (&daemon(&none), exit_code::NOT_STARTED, &[&none, "it cannot be read"]),
        (&["--suexec", "daemon", "--", "sh"], exit_code::USAGE, &["--suexec-secret"]),
        (&["--suexec", "account", "--connect", "/run/a.sock"], exit_code::USAGE, &["--connect"]),
        (&[], exit_code::USAGE, &["COMMAND"]),
    ];
    for (args, code, messages) in cases {
        let assert = Command::new(exe())
            .arg("serve")
            .args(if args.contains(&"--http") { &[][..] } else { &["--http", "127.0.0.1:0"] })
            .args(args)
            .timeout(2 * LONG)
            .assert()
            .code(i32::from(code))
            .stdout("");
        for message in messages {
            let text = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
            assert!(text.contains(message), "{args:?}: {message}: {text}");
        }
    }
}

#[test]
fn a_standard_output_nobody_reads_ends_it() {
    let temporary = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = StdCommand::new(exe())
        .args(["serve", "--http", "127.0.0.1:0", "--", "sh", "-c", "sleep 600"])
        .env("TMPDIR", temporary.path())
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    // The end of its standard error is also the end of the application, which shares it.
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(i32::from(exit_code::FILES)), "{text}");
    assert!(text.contains("cannot be printed"), "{text}");
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn help_teaches_with_examples() {
    Command::new(exe())
        .args(["serve", "--help"])
        .assert()
        .success()
        .stdout(contains("Examples:").and(contains("Exit codes:")).and(contains("--max-conns")));
}
