//! The control socket: where it is, who is let in, and what nobody can do by it.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde_json::Value;

use crate::group::{Group, application, eventually};
use crate::processes;
use crate::support::{PATIENCE, Start};

/// Answers with its pid, once there is a file with the name that is the query.
pub(crate) const SOURCE: &str = "import os, time\n\
    def application(environ, start_response):\n\
    \x20   name = environ['QUERY_STRING']\n\
    \x20   while name and not os.path.exists(name): time.sleep(.01)\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'%d' % os.getpid()]\n";

/// lswsgi whose application's folder has a tmp.
pub(crate) fn controlled(source: &str, children: u32) -> Start {
    let start = application(source, children);
    std::fs::create_dir(start.dir().join("tmp")).unwrap();
    start
}

/// Where the control socket of a group is.
pub(crate) fn socket(group: &Group) -> PathBuf {
    group.dir().join("tmp/lswsgi.sock")
}

/// A group, when its control socket is there.
pub(crate) fn started(start: Start) -> Group {
    let group = Group::start(start);
    group.log("info: control socket /");
    group
}

/// Sends a line, and reads one.
pub(crate) fn ask(path: &Path, line: &str) -> Value {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(line.as_bytes()).unwrap();
    answer(&stream)
}

fn answer(stream: &UnixStream) -> Value {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

/// What the group tells of itself.
pub(crate) fn status(group: &Group) -> Value {
    ask(&socket(group), STATUS)["ok"].take()
}

fn is_status(answer: &Value) -> bool {
    answer["ok"]["state"].is_string()
}

const STATUS: &str = "{\"command\": \"status\"}\n";

#[test]
fn the_socket_is_the_users_alone_and_goes_with_the_group() {
    let mut group = started(controlled(SOURCE, 2));
    let path = socket(&group);
    let there = path.symlink_metadata().unwrap();
    assert_eq!(there.permissions().mode() & 0o7777, 0o600);
    assert_eq!(there.uid(), rustix::process::geteuid().as_raw());
    assert!(is_status(&ask(&path, STATUS)));
    // Nobody but the manager has it.
    group.connect().get("/");
    let mine = |pid: u32| {
        let links = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let links = links.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
    };
    // Its channel, and no more.
    assert_eq!(mine(group.template().unwrap()), 1);
    group.signal(rustix::process::Signal::TERM);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
    assert!(!path.exists());
}

#[test]
fn a_stale_socket_is_replaced() {
    let start = controlled(SOURCE, 2);
    let path = start.dir().join("tmp/lswsgi.sock");
    drop(UnixListener::bind(&path).unwrap());
    let group = started(start);
    assert!(is_status(&ask(&socket(&group), STATUS)));
}

#[test]
fn a_live_one_is_left_alone_and_taken_over_when_its_group_has_gone() {
    let start = controlled(SOURCE, 2);
    let path = start.dir().join("tmp/lswsgi.sock");
    let other = UnixListener::bind(&path).unwrap();
    let group = Group::start(start);
    group.log("another group answers there");
    assert!(path.exists());
    drop(other);
    group.log("info: control socket /");
    assert!(is_status(&ask(&path, STATUS)));
    assert_eq!(group.said().matches("another group answers there").count(), 1);
}

#[test]
fn a_file_in_the_way_is_left_alone_and_told_of() {
    let start = controlled(SOURCE, 2);
    std::fs::write(start.dir().join("tmp/lswsgi.sock"), "keep").unwrap();
    let group = Group::start(start);
    assert!(group.log("a file that is not a socket is in the way").contains(" error: no control socket /"));
    assert_eq!(group.connect().get("/").status, 200);
    assert_eq!(std::fs::read(socket(&group)).unwrap(), b"keep");
}

#[test]
fn one_that_was_removed_comes_again() {
    let group = started(controlled(SOURCE, 2));
    std::fs::remove_file(socket(&group)).unwrap();
    // It is looked after when the manager is awake anyway.
    eventually(&group, "again", || {
        assert_eq!(group.connect().get("/").status, 200);
        // It is there a moment before somebody listens on it.
        UnixStream::connect(socket(&group)).ok()
    });
    assert!(is_status(&ask(&socket(&group), STATUS)));
}

#[test]
fn without_a_place_there_is_none_and_the_log_says_why() {
    let group = Group::start(application(SOURCE, 2));
    assert!(group.log("no control socket: there is no folder").contains("/tmp; lswsgi ctl needs one"));
    let long = format!("/tmp/{}", "a".repeat(103));
    let group = Group::start(application(SOURCE, 2).arg("--control").arg(&long));
    group.log("error: no control socket: ");
    group.log("is longer than the 107 bytes");
    let group = Group::start(controlled(SOURCE, 2).arg("--control").arg("off"));
    assert_eq!(group.connect().get("/").status, 200);
    assert!(!group.said().contains("control socket") && !socket(&group).exists(), "{}", group.said());
    let start = application(SOURCE, 2);
    let named = start.dir().join("c.sock");
    let group = Group::start(start.arg("--control").arg(named.to_str().unwrap()));
    group.log("info: control socket /");
    assert!(is_status(&ask(&named, STATUS)));
}

#[test]
fn what_is_no_request_is_refused() {
    let group = started(controlled(SOURCE, 2));
    let path = socket(&group);
    let long = format!("{}\n", "x".repeat(5000));
    for wrong in ["hello\n", "{}\n", "{\"command\": \"dance\"}\n", "\n", &long, "\u{0}\u{1}\u{2}\n"] {
        let answer = ask(&path, wrong);
        assert_eq!(answer["error"]["kind"], "request", "{wrong:?}: {answer}");
    }
    // Without the end of a line, but with that of the stream.
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(STATUS.trim_end().as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(is_status(&answer(&stream)));
}

#[test]
fn a_hundred_that_say_nothing_hold_nobody_up_and_are_dropped() {
    let group = started(controlled(SOURCE, 2));
    let path = socket(&group);
    let mut silent: Vec<_> = (0..100).map(|_| UnixStream::connect(&path).unwrap()).collect();
    silent.iter_mut().for_each(|stream| stream.write_all(b"{\"comm").unwrap_or(()));
    let begun = Instant::now();
    assert!(is_status(&ask(&path, STATUS)));
    assert_eq!(group.connect().get("/").status, 200);
    // They would have five seconds.
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    for stream in &mut silent {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // An end, or a reset where something was left unread.
        assert!(matches!(stream.read(&mut [0; 10]), Ok(0) | Err(_)));
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_manager_that_could_not_accept_sleeps_again_when_its_socket_has_been_made_anew() {
    let group = started(controlled(SOURCE, 2));
    let path = socket(&group);
    let manager = Pid::from_raw(group.pid().cast_signed());
    let limits = getrlimit(Resource::Nofile);
    // None beyond those it has.
    prlimit(manager, Resource::Nofile, Rlimit { current: Some(3), ..limits }).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    group.log("cannot accept a control connection");
    prlimit(manager, Resource::Nofile, limits).unwrap();
    drop(client);
    std::fs::remove_file(&path).unwrap();
    group.log("making it again");
    group.logs(2, "info: control socket /");
    let before = processes::waits(group.pid());
    std::thread::sleep(Duration::from_millis(1500));
    let wakes = processes::waits(group.pid()) - before;
    assert!(wakes <= 5, "woken {wakes} times: {}", group.said());
    assert!(is_status(&ask(&path, STATUS)));
}

#[test]
fn an_application_whose_path_is_no_utf_8_has_a_status() {
    let mut start = Start::scripts().env("LSAPI_CHILDREN", "2");
    let folder = start.dir().join(OsStr::from_bytes(b"caf\xe9"));
    std::os::unix::fs::symlink(start.dir(), &folder).unwrap();
    std::fs::create_dir(folder.join("tmp")).unwrap();
    std::fs::write(folder.join("app.py"), SOURCE).unwrap();
    start.command.arg("-m").arg(folder.join("app.py"));
    let group = started(start);
    let status = ask(&socket(&group), STATUS);
    assert!(
        status["ok"]["application"].as_str().is_some_and(|path| path.contains("caf\u{fffd}/")),
        "{status}"
    );
}

#[test]
fn another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can be another user");
        return;
    }
    let group = started(controlled(SOURCE, 2));
    let path = socket(&group);
    // What an administrator may have done.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    std::fs::set_permissions(group.dir(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let client = "import socket, sys\n\
        s = socket.socket(socket.AF_UNIX)\n\
        s.connect(sys.argv[1])\n\
try: s.sendall(b'{\"command\": \"stop\"}\\n')\n\
        except BrokenPipeError: pass\n\
        print(s.makefile().readline())";
    let output = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c", client])
        .arg(&path)
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(answer["error"]["kind"], "peer", "{answer}");
    group.log("user 65534 may not do that: only root and user 0 may");
    assert!(is_status(&ask(&path, STATUS)));
    assert!(!group.said().contains("stopping"), "{}", group.said());
}
