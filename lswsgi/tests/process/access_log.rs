//! The access log of a process by itself: its lines, where they go, and what becomes of requests that do not end well.

use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use lsapi::RequestBuilder;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;

use crate::support::{Connection, ENDLESS, Event, PATIENCE, Response, Start, Worker};

const APPLICATION: &str = "
import os

def late(length):
    yield b'part'
    raise ValueError('late')

def application(environ, start_response):
    name = environ['PATH_INFO'][1:]
    if name == 'raise': raise ValueError('early')
    headers = [('Content-Length', '9')] if name == 'declared' else []
    start_response('404 Not Found' if name == 'not' else '200 OK', headers)
    if name in ('late', 'declared'): return late(headers)
    if name == 'begin': return begin()
    if name == 'rest': rest()
    if name == 'large': return [bytes(50_000_000)]
    if name == 'child':
        child = os.fork()
        if not child:
            names = [os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}')]
            os._exit(any('access' in name for name in names))
        return [b'%d' % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]
    if name == 'own':
        return [b'%d' % any('access' in os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}'))]
    return [b'ok']

def begin():
    yield b'part'
    rest()
";

fn start() -> Start {
    Start::application(&[ENDLESS, APPLICATION].concat()).arg("--access-log").arg("access.log")
}

/// The same in the JSON format, with the log in the folder of the application.
fn start_json(start: Start) -> Start {
    let mut start = start.arg("--access-format").arg("json");
    start.command.current_dir(start.dir.path());
    start
}

fn lines(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("access.log")).expect("there is a log");
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(str::to_owned).collect()
}

fn objects(dir: &Path) -> Vec<Value> {
    let parse = |line: &String| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    lines(dir).iter().map(parse).collect()
}

/// Waits until there are `count` lines.
fn wait_lines(worker: &Worker, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let objects = objects(worker.dir.path());
        if objects.len() >= count {
            return objects;
        }
        assert!(Instant::now() < deadline, "{count} lines? {objects:#?}\n{}", worker.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn each_request_has_a_line_with_what_it_was_and_what_came_of_it() {
    let mut start = start();
    // The name is relative to where the process was started, not to the folder of the application.
    let elsewhere = tempfile::tempdir().unwrap();
    start.command.current_dir(elsewhere.path());
    let (mut worker, mut connection) = start.connected();
    let request = RequestBuilder::get("/a?b=c").env("REMOTE_USER", "ann").header("Referer", "http://r/");
    connection.send(&request.header("User-Agent", "x \"y\"\n").encode());
    assert_eq!(connection.response().text(), "ok");
    assert_eq!(connection.get("/not").status, 404);
    connection.send(&RequestBuilder::new("HEAD", "/").encode());
    connection.response();
    drop(connection);
    worker.wait();
    let lines = lines(elsewhere.path());
    assert_eq!(lines.len(), 3, "{lines:?}");
    let pid = worker.pid();
    let (before, after) = lines[0].split_once('[').unwrap();
    assert!(before.ends_with(" - ann "), "{lines:?}");
    let (time, after) = after.split_once("] ").unwrap();
    assert!(time.len() == "03/Feb/2026:01:05:06 -0300".len(), "{time}");
    let micros = after.rsplit(' ').next().unwrap();
    assert!(micros.parse::<u64>().unwrap() < 20_000_000, "{after}");
    let expected = format!("\"GET /a?b=c HTTP/1.1\" 200 2 \"http://r/\" \"x \\\"y\\\"\\n\" {pid} {micros}");
    assert_eq!(after, expected);
    assert!(lines[1].contains("\"GET /not HTTP/1.1\" 404 2 \"-\" "), "{lines:?}");
    assert!(lines[2].contains("\"HEAD / HTTP/1.1\" 200 - \"-\" "), "{lines:?}");
}

#[test]
fn the_end_of_what_did_not_end_well_is_told() {
    let (mut worker, mut connection) = start_json(start()).env("LSWSGI_LATE_ERROR", "abort").connected();
    assert_eq!(connection.get("/raise").status, 500);
    connection.get("/declared");
    connection.send(&RequestBuilder::get("/late").encode());
    let mut response = Response::default();
    while connection.next(&mut response) != Event::End {}
    drop(connection);
    worker.wait();
    let objects = objects(worker.dir.path());
    let told: Vec<_> = objects
        .iter()
        .map(|line| (line["url"].as_str(), line["status"].as_u64(), line["end"].as_str(), &line["request"]))
        .collect();
    assert_eq!(
        told,
        [
            (Some("/raise"), Some(500), None, &Value::from(1)),
            (Some("/declared"), Some(200), Some("early"), &Value::from(2)),
            (Some("/late"), Some(200), Some("aborted"), &Value::from(3)),
        ]
    );
    assert!(objects.iter().all(|line| line["pid"] == worker.pid()), "{objects:?}");
    assert_eq!(objects[2]["bytes"], 4);
}

#[test]
fn a_request_whose_client_is_gone_has_a_line() {
    let (mut worker, mut connection) = start_json(start()).connected();
    connection.send(&RequestBuilder::get("/large").encode());
    connection.next(&mut Response::default());
    drop(connection);
    worker.wait();
    let objects = objects(worker.dir.path());
    assert_eq!((objects.len(), objects[0]["end"].as_str()), (1, Some("gone")), "{objects:?}");
}

#[test]
fn a_request_that_takes_too_long_has_a_line() {
    for (url, status, bytes) in [("/rest", 504, 51), ("/begin", 200, 4)] {
        let (mut worker, mut connection) = start_json(start()).env("LSAPI_MAX_PROCESS_TIME", "1").connected();
        let response = connection.get(url);
        assert_eq!((response.status, response.body.len()), (status, bytes), "{}", worker.log());
        worker.wait();
        let objects = objects(worker.dir.path());
        assert_eq!(objects.len(), 1, "{objects:?}");
        let line = &objects[0];
        let seen = (line["status"].as_i64(), line["bytes"].as_u64(), line["end"].as_str());
        assert_eq!(seen, (Some(status.into()), Some(bytes as u64), Some("timeout")), "{line}");
        assert!(line["micros"].as_u64() >= Some(900_000), "{line}");
    }
}

#[test]
fn what_is_answered_without_the_application_has_a_line() {
    let start = Start::application("import no_such_module\n").arg("--access-log").arg("access.log");
    let (mut worker, mut connection) = start_json(start).connected();
    assert_eq!(connection.get("/broken").status, 500);
    drop(connection);
    worker.wait();
    let objects = objects(worker.dir.path());
    assert_eq!(objects[0]["status"], 500, "{objects:?}");
}

#[test]
fn a_child_the_application_forks_has_no_access_log() {
    let (mut worker, mut connection) = start_json(start()).connected();
    assert_eq!(connection.get("/own").text(), "1");
    assert_eq!(connection.get("/child").text(), "0");
    drop(connection);
    worker.wait();
    assert_eq!(lines(worker.dir.path()).len(), 2);
}

#[test]
fn a_file_that_cannot_be_opened_is_told_and_requests_are_served() {
    for path in ["/nowhere/access.log", "/etc/lswsgi-test.log"] {
        let start = Start::application(APPLICATION).arg("--access-log").arg(path);
        let (mut worker, mut connection) = start.connected();
        assert_eq!(connection.get("/").text(), "ok");
        drop(connection);
        worker.wait();
        let log = worker.log();
        assert!(log.contains(&format!("error: the access log {path} cannot be opened: ")), "{log}");
        assert!(!Path::new(path).exists());
    }
}

#[test]
fn root_does_not_write_through_what_others_may_have_put_there() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: not root");
        return;
    }
    let symlink = |to: &Path, link: &Path| std::os::unix::fs::symlink(to, link);
    let hard_link = |to: &Path, link: &Path| std::fs::hard_link(to, link);
    for make in [&symlink as &dyn Fn(&Path, &Path) -> std::io::Result<()>, &hard_link] {
        let start = start_json(start());
        let target = start.dir().join("target");
        std::fs::write(&target, "precious").unwrap();
        make(&target, &start.dir().join("access.log")).unwrap();
        let (mut worker, mut connection) = start.connected();
        assert_eq!(connection.get("/").text(), "ok");
        drop(connection);
        worker.wait();
        assert!(worker.log().contains("it is a link or belongs to somebody else"), "{}", worker.log());
        assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    }
}

#[test]
fn after_a_signal_lines_go_to_a_new_file() {
    let (mut worker, path) = start_json(start()).listening();
    let mut connection = Connection::to(&path);
    connection.get("/1");
    wait_lines(&worker, 1);
    let old = worker.dir.path().join("old.log");
    std::fs::rename(worker.dir.path().join("access.log"), &old).unwrap();
    connection.get("/2");
    worker.signal("USR2");
    // Without a request: whoever looks after the process sees to it.
    wait_lines_in_new_file(&worker);
    connection.get("/3");
    let new = wait_lines(&worker, 1);
    assert_eq!(new[0]["url"], "/3", "{new:?}");
    let old = std::fs::read_to_string(old).unwrap();
    assert_eq!(old.lines().count(), 2, "{old}");
    worker.signal("TERM");
    drop(connection);
    worker.wait();
}

fn wait_lines_in_new_file(worker: &Worker) {
    let deadline = Instant::now() + PATIENCE;
    while !worker.dir.path().join("access.log").exists() {
        assert!(Instant::now() < deadline, "no new file\n{}", worker.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn part_of_a_line_is_not_continued_by_the_next() {
    let limit = |worker: &Worker, bytes| {
        let pid = i32::try_from(worker.pid()).ok().and_then(Pid::from_raw);
        let limit = Rlimit { current: bytes, maximum: None };
        prlimit(pid, Resource::Fsize, limit).unwrap();
    };
    let (mut worker, mut connection) = start_json(start()).connected();
    connection.get("/first");
    wait_lines(&worker, 1);
    // As a disk that is full in the middle of a line, and has room again later.
    let path = worker.dir.path().join("access.log");
    let full = path.metadata().unwrap().len() * 3 / 2;
    limit(&worker, Some(full));
    for _ in 0..20 {
        assert_eq!(connection.get("/middle").text(), "ok");
    }
    limit(&worker, None);
    assert_eq!(connection.get("/last").text(), "ok");
    drop(connection);
    worker.wait();
    let lines = lines(worker.dir.path());
    let whole = |line: &String| serde_json::from_str::<Value>(line).is_ok();
    let whole: Vec<bool> = lines.iter().map(whole).collect();
    // The line of the request before the last may have come late enough.
    assert!(whole[..2] == [true, false] && [&[true][..], &[true; 2]].contains(&&whole[2..]), "{lines:#?}");
    assert!(lines.last().is_some_and(|line| line.contains("\"url\":\"/last\"")), "{lines:#?}");
    assert!(worker.log().contains("lines of the access log lost: 1 ("), "{}", worker.log());
}

#[test]
fn standard_error_can_be_the_access_log() {
    for name in ["-", "/dev/stderr", "/dev/stdout"] {
        let (mut worker, mut connection) =
            Start::application(APPLICATION).arg("--access-log").arg(name).connected();
        connection.get("/");
        drop(connection);
        worker.wait();
        assert!(worker.log().contains("\"GET / HTTP/1.1\" 200 2 \"-\" "), "{name}: {}", worker.log());
    }
}

/// Requests whose lines are more than a pipe holds.
fn many_requests(connection: &mut Connection) {
    for _ in 0..200 {
        let request = RequestBuilder::get("/").header("User-Agent", "a".repeat(1000));
        connection.send(&request.encode());
        assert_eq!(connection.response().text(), "ok");
    }
}

#[test]
fn a_standard_error_that_nobody_reads_holds_no_request_up() {
    let mut start = Start::application(APPLICATION).arg("--access-log=-").arg("--log-level=error");
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a socketpair");
    start.command.stdin(std::os::fd::OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut worker = Reaped(start.command.spawn().expect("lswsgi starts"));
    // Ours, so that the command does not hold the other end.
    drop(std::mem::replace(&mut start.command, std::process::Command::new("true")));
    let mut connection = Connection::new(ours);
    many_requests(&mut connection);
    drop(connection);
    let mut text = String::new();
    worker.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(text.lines().count() > 10 && text.ends_with('\n'), "{text}");
    for line in text.lines() {
        assert!(line.contains(" \"GET / HTTP/1.1\" 200 2 ") && line.contains("aaa\" "), "{line}");
    }
    assert_eq!(worker.0.wait().expect("the child is ours").code(), Some(0));
}

/// Killed and reaped in any case.
struct Reaped(std::process::Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_pipe_that_nobody_reads_holds_no_request_up_and_what_is_lost_is_told() {
    let start = start_json(start());
    let path = start.dir().join("access.log");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut reader = std::fs::File::options().read(true).custom_flags(nonblocking).open(&path).unwrap();
    let (mut worker, mut connection) = start.connected();
    many_requests(&mut connection);
    drop(connection);
    worker.wait();
    let log = worker.log();
    assert!(log.contains("lines of the access log lost: 1 ("), "{log}");
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(text.lines().count() > 10 && text.ends_with('\n'), "{text}");
    let counts = log.split("lines of the access log lost: ").skip(1);
    let lost: usize = counts.map(|rest| rest.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(text.lines().count() + lost, 200, "{log}");
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(value["status"], 200);
    }
}
