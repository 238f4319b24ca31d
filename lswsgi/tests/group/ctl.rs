//! `lswsgi ctl` from outside, as people and programs run it.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::chown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use lsapi::RequestBuilder;
use prometheus_parse::{Scrape, Value as Metric};
use rustix::process::Signal;
use serde_json::Value;

use crate::control::{self, SOURCE, controlled, started};
use crate::group::{Group, below, eventually, send};
use crate::pool::Pool;
use crate::support::{Connection, PATIENCE};

/// `lswsgi ctl` for the group whose application is in `folder`.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lswsgi"));
    command.env_clear().arg("ctl").args(arguments).arg("--control").arg(folder).stdin(Stdio::null());
    command
}

fn ctl(group: &Group, arguments: &[&str]) -> Output {
    command(group.dir(), arguments).output().unwrap()
}

/// What it prints, if all is well.
fn said(group: &Group, arguments: &[&str]) -> String {
    let output = ctl(group, arguments);
    assert!(output.status.success(), "{output:?}\n{}", group.said());
    String::from_utf8(output.stdout).unwrap()
}

fn status(group: &Group) -> Value {
    serde_json::from_str(&said(group, &["status", "--json"])).unwrap()
}

/// The values of the metrics, by name and labels as they are written.
fn metrics(group: &Group) -> (Scrape, HashMap<String, f64>) {
    let text = said(group, &["status", "--prometheus"]);
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
    // The parser leaves out what it does not understand, and takes the buckets of a histogram together.
    let parsed: usize = scrape
        .samples
        .iter()
        .map(|sample| if let Metric::Histogram(buckets) = &sample.value { buckets.len() } else { 1 })
        .sum();
    assert_eq!(parsed, samples.len(), "{text}");
    let number = |line: &&str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    (scrape, samples.iter().map(number).collect())
}

/// Lets requests end that wait for the file `go`.
fn finish(group: &Group) {
    std::fs::write(group.dir().join("go"), "").unwrap();
}

#[test]
fn as_many_requests_are_told_of_as_were_sent() {
    // Workers come and go meanwhile.
    let start = controlled(SOURCE, 4).env("LSAPI_MAX_REQS", "7");
    let group = started(start);
    let pool = Pool::new(group.socket().to_owned());
    for _ in 0..100 {
        assert_eq!(pool.get("/").unwrap().status, 200);
    }
    let mut connections: Vec<Connection> = (0..3).map(|_| group.connect()).collect();
    for connection in &mut connections {
        assert_eq!(connection.get("/").status, 200);
    }
    let (scrape, values) = metrics(&group);
    assert_eq!(values["lswsgi_requests_total"], 103.0, "{values:?}\n{}", group.said());
    assert!(values["lswsgi_workers_ended_total{reason=\"max-requests\"}"] >= 13.0, "{values:?}");
    assert!(values["lswsgi_workers_started_total"] >= 14.0, "{values:?}");
    assert_eq!(values["lswsgi_state{state=\"serving\"}"], 1.0);
    assert!(values["lswsgi_resident_memory_bytes{role=\"manager\"}"] > 1e6);
    assert!(scrape.docs.contains_key("lswsgi_request_duration_seconds"), "{:?}", scrape.docs);
    // A request is over a moment after its client has read the answer.
    eventually(&group, "all counted", || {
        let (_, values) = metrics(&group);
        let counted = ["_count", "_bucket{le=\"+Inf\"}"]
            .map(|end| values[&format!("lswsgi_request_duration_seconds{end}")]);
        (counted == [103.0, 103.0]).then_some(())
    });
    assert_eq!(status(&group)["requests"], 103);
}

#[test]
fn it_works_while_all_workers_are_busy() {
    let group = started(controlled(SOURCE, 2).env("LSAPI_EXTRA_CHILDREN", "0"));
    let mut connections: Vec<Connection> = (0..3).map(|_| group.connect()).collect();
    for (connection, path) in connections.iter_mut().zip(["/first?go", "/second?go", "/third?go"]) {
        connection.send(&RequestBuilder::get(path).encode());
    }
    let status = eventually(&group, "all busy", || {
        let status = status(&group);
        let workers = status["workers"].as_array().unwrap();
        let busy = workers.iter().filter(|worker| worker["state"] == "busy").count();
        (busy == 2 && status["saturation"]["now"] == true).then_some(status)
    });
    let workers = status["workers"].as_array().unwrap();
    assert_eq!(workers.len(), 2, "{status:#}");
    let mut requests: Vec<&str> = workers.iter().map(|worker| worker["request"].as_str().unwrap()).collect();
    requests.sort_unstable();
    assert_eq!(requests, ["GET /first?go", "GET /second?go"]);
    for worker in workers {
        assert_eq!(worker["state"], "busy", "{status:#}");
        assert_eq!(worker["requests"], 1);
        assert!(worker["rss_bytes"].as_u64().unwrap() > 1 << 20, "{status:#}");
        assert!(worker["request_seconds"].is_f64() && worker["age_seconds"].is_f64());
        let pid = u32::try_from(worker["pid"].as_u64().unwrap()).unwrap();
        assert!(group.workers().contains(&pid));
    }
    assert_eq!(status["connections"]["held"], 2);
    assert!(status["connections"]["waiting"].as_u64().unwrap() >= 1, "{status:#}");
    // Perhaps also before the second worker was ready.
    assert!(status["saturation"]["times"].as_u64().unwrap() >= 1, "{status:#}");
    assert_eq!(status["limits"]["workers"], 2);
    assert_eq!(status["template"]["pid"], group.template().unwrap());
    let table = said(&group, &["status"]);
    assert!(table.contains("all workers are busy now") && table.contains("GET /first?go ("), "{table}");
    assert!(!table.contains('\u{1b}'), "{table}");
    // What they do, in the log.
    assert_eq!(said(&group, &["dump-stacks"]), "stacks of 2 workers go to the standard error of the group\n");
    group.logs(2, "in application");
    finish(&group);
    for connection in &mut connections {
        assert_eq!(connection.response().status, 200, "{}", group.said());
    }
    let status = self::status(&group);
    assert_eq!((&status["saturation"]["now"], &status["requests"]), (&false.into(), &3.into()));
    assert!(status["saturation"]["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn it_works_by_exec_when_its_user_may_start_no_more_processes() {
    let start = controlled(SOURCE, 2);
    // Limits do not hold for root, nor for what has its rights.
    let mut group_as = vec![];
    let user = 200_000 + std::process::id();
    let (reuid, read) = (format!("--reuid={user}"), "+dac_read_search,+dac_override");
    let (inherit, ambient) = (format!("--inh-caps={read}"), format!("--ambient-caps={read}"));
    if rustix::process::geteuid().is_root() {
        chown(start.dir().join("tmp"), Some(user), None).unwrap();
        group_as.extend(["setpriv", &*reuid, "--clear-groups", &*inherit, &*ambient]);
    }
    let start = if group_as.is_empty() { start } else { below(start, &group_as) };
    let group = started(start);
    assert_eq!(group.connect().get("/").status, 200);
    // It is there before, as the shell of somebody who logs in when it is too late.
    let shell = "import os, resource, sys\n\
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))\n\
        try: os.fork()\n\
        except BlockingIOError: os.execv(sys.argv[1], sys.argv[1:])\n\
        sys.exit('a process could be started')";
    for arguments in [&["status"][..], &["status", "--json"], &["dump-stacks"], &["stop"]] {
        let ctl = command(group.dir(), arguments);
        let mut words = group_as.clone();
        words.extend(["/usr/bin/python3", "-c", shell]);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(ctl.get_program()).args(ctl.get_args()).env_clear();
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}\n{}", group.said());
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn a_stop_ends_the_request_under_way_and_waits_for_the_end() {
    let mut group = started(controlled(SOURCE, 2));
    let mut connection = group.connect();
    connection.send(&RequestBuilder::get("/?go").encode());
    eventually(&group, "begun", || (status(&group)["workers"][0]["state"] == "busy").then_some(()));
    let output = ctl(&group, &["stop", "--timeout", "0.2"]);
    assert_eq!(output.status.code(), Some(13), "{output:?}");
    // It goes on meanwhile, and can be looked at.
    let status = status(&group);
    assert_eq!((&status["state"], &status["workers"][0]["state"]), (&"stopping".into(), &"leaving".into()));
    let output = ctl(&group, &["reload"]);
    assert_eq!(output.status.code(), Some(14), "{output:?}");
    // As `lswsgi ctl stop` waits: for the end of the connection, which is that of the group.
    let mut waiting = UnixStream::connect(control::socket(&group)).unwrap();
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    waiting.write_all(b"{\"command\": \"stop\"}\n").unwrap();
    let mut lines = BufReader::new(waiting).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "{\"ok\":{\"workers\":1}}");
    finish(&group);
    assert!(lines.next().is_none());
    assert!(!control::socket(&group).exists());
    assert_eq!(connection.response().status, 200);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
    assert_eq!(group.said().matches("stopping: lswsgi ctl").count(), 1);
}

#[test]
fn where_no_group_is_it_says_so_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let fails = |code: i32, text: &str| {
        let output = command(dir.path(), &["status"]).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && error.contains(text), "{output:?}");
        assert!(error.starts_with("lswsgi ctl: error: ") && error.lines().count() == 1, "{error}");
    };
    fails(11, "there is no control socket");
    std::fs::create_dir(dir.path().join("tmp")).unwrap();
    let listener = UnixListener::bind(dir.path().join("tmp/lswsgi.sock")).unwrap();
    drop(listener);
    fails(11, "no group is running");
    let output = command(dir.path(), &["status"]).env("LSWSGI_CONTROL", "off").output().unwrap();
    assert_eq!(output.status.code(), Some(11), "the option wins: {output:?}");
    let off = Command::new(env!("CARGO_BIN_EXE_lswsgi"))
        .args(["ctl", "status"])
        .env("LSWSGI_CONTROL", "off")
        .output();
    assert_eq!(off.unwrap().status.code(), Some(2));
}

#[test]
fn a_manager_that_is_stopped_is_not_waited_for_for_ever() {
    let group = started(controlled(SOURCE, 2));
    send(group.pid(), Signal::STOP);
    let begun = Instant::now();
    let output = ctl(&group, &["reload", "--timeout", "1"]);
    send(group.pid(), Signal::CONT);
    assert_eq!(output.status.code(), Some(13), "{output:?}");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(status(&group)["state"], "serving");
}

#[test]
fn an_application_that_cannot_be_used_is_told_of_with_the_reason() {
    let group = Group::start_only(controlled("raise ValueError('of its own')\n", 2));
    group.log("next try in");
    let told = eventually(&group, "failing", || {
        let status = status(&group);
        (status["state"] == "failing").then_some(status)
    });
    assert!(told["reason"].as_str().unwrap().contains("ValueError: of its own"), "{told:#}");
    let table = said(&group, &["status"]);
    assert!(table.contains("failing: ") && table.contains("ValueError: of its own"), "{table}");
    assert_eq!(group.connect().get("/").status, 500);
    assert_eq!(status(&group)["workers"][0]["stand_in"], true);
}

#[test]
fn what_a_url_holds_does_not_steer_a_terminal() {
    let group = started(controlled(SOURCE, 2));
    let mut connection = group.connect();
    connection.send(&RequestBuilder::get("/\u{1b}[31mred?go").encode());
    eventually(&group, "begun", || (status(&group)["workers"][0]["state"] == "busy").then_some(()));
    let table = said(&group, &["status"]);
    assert!(table.contains("GET / [31mred?go (") && !table.contains('\u{1b}'), "{table}");
}

fn deploy(group: &Group, source: &str) {
    std::fs::write(group.dir().join("new"), source).unwrap();
    std::fs::rename(group.dir().join("new"), group.dir().join("app.py")).unwrap();
}

/// An application that answers with this text, once there is a file with the name that is the query.
fn saying(text: &str) -> String {
    SOURCE.replace("b'%d' % os.getpid()", &format!("b'{text}'"))
}

#[test]
fn a_reload_is_over_when_new_code_serves_and_says_why_if_it_does_not() {
    let group = started(controlled(&saying("one"), 2));
    let mut slow = group.connect();
    assert_eq!(slow.get("/").text(), "one");
    slow.send(&RequestBuilder::get("/?go").encode());
    eventually(&group, "begun", || (status(&group)["workers"][0]["state"] == "busy").then_some(()));
    deploy(&group, &saying("two"));
    assert!(said(&group, &["reload"]).starts_with("reloaded in "), "{}", group.said());
    assert_eq!(group.connect().get("/").text(), "two");
    // What is left of the old code is seen as that.
    let told = status(&group);
    let old: Vec<&Value> =
        told["workers"].as_array().unwrap().iter().filter(|worker| worker["old_code"] == true).collect();
    assert_eq!(old.len(), 1, "{told:#}");
    assert_eq!((&old[0]["state"], &old[0]["request"]), (&"leaving".into(), &"GET /?go".into()));
    assert!(said(&group, &["status"]).contains("  leaving, old  "), "{told:#}");
    finish(&group);
    assert_eq!(slow.response().text(), "one");
    // One that cannot be used.
    deploy(&group, "raise ValueError('of the third')\n");
    let output = ctl(&group, &["reload"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(14), "{output:?}");
    assert!(
        error.contains("the old code serves on") && error.contains("ValueError: of the third"),
        "{error}"
    );
    assert_eq!(group.connect().get("/").text(), "two");
    let told = status(&group);
    assert_eq!(
        (&told["state"], &told["reloads"]["completed"], &told["reloads"]["failed"]),
        (&"serving".into(), &1.into(), &1.into())
    );
    assert!(told["reloads"]["last"]["error"].as_str().unwrap().contains("of the third"), "{told:#}");
    let table = said(&group, &["status"]);
    assert!(table.contains("serving the old code: the last reload failed"), "{table}");
    assert!(table.contains("1 completed, 1 failed; the last, "), "{table}");
    // Mended, it comes without being asked for.
    deploy(&group, &saying("four"));
    eventually(&group, "four", || (group.connect().get("/").text() == "four").then_some(()));
    let table = said(&group, &["status"]);
    assert!(table.contains("state       serving\n"), "{table}");
    assert!(said(&group, &["reload", "--no-wait"]).starts_with("reload asked for"));
    eventually(&group, "reloaded", || (status(&group)["reloads"]["completed"] == 3).then_some(()));
}

#[test]
fn a_reload_that_takes_too_long_for_who_asked_goes_on() {
    let group = started(controlled(&saying("one"), 2));
    assert_eq!(group.connect().get("/").text(), "one");
    deploy(&group, &format!("import time\ntime.sleep(2)\n{}", saying("two")));
    let output = ctl(&group, &["reload", "--timeout", "0.5"]);
    assert_eq!(output.status.code(), Some(13), "{output:?}");
    let told = status(&group);
    assert_eq!(told["reloads"]["in_progress"], true);
    assert!(told["next_template"]["pid"].is_number(), "{told:#}");
    assert!(said(&group, &["status"]).contains("\nnew code    pid "));
    // Who asks now waits for one more.
    assert!(said(&group, &["reload"]).starts_with("reloaded in "));
    assert_eq!(status(&group)["reloads"]["completed"], 2, "{}", group.said());
    assert_eq!(group.connect().get("/").text(), "two");
}

#[test]
fn no_reload_waits_for_a_worker_of_old_code_that_is_stopped_or_runs_exit_handlers() {
    let slow = format!("import atexit, time\natexit.register(time.sleep, 60)\n{}", saying("one"));
    let group = started(controlled(&slow, 2));
    let mut connections = [group.connect(), group.connect()];
    for connection in &mut connections {
        assert_eq!(connection.get("/").text(), "one");
    }
    let stopped = group.workers()[0];
    send(stopped, Signal::STOP);
    eventually(&group, "stopped", || {
        let workers = status(&group)["workers"].clone();
        let found = workers.as_array()?.iter().find(|worker| worker["pid"] == stopped)?["state"] == "stopped";
        found.then_some(())
    });
    deploy(&group, &saying("two"));
    // Both are still there.
    assert!(said(&group, &["reload", "--timeout", "15"]).starts_with("reloaded in "));
    let status = status(&group);
    let states: Vec<_> =
        status["workers"].as_array().unwrap().iter().map(|worker| &worker["state"]).collect();
    assert!(states.contains(&&"stopped".into()) && states.contains(&&"exiting".into()), "{status:#}");
    assert_eq!(group.connect().get("/").text(), "two");
}

#[test]
fn on_a_terminal_there_are_colours_and_no_line_is_wider_than_it() {
    let group = started(controlled(SOURCE, 2));
    let mut connection = group.connect();
    connection.send(&RequestBuilder::get(&format!("/{}?go", "long/".repeat(40))).encode());
    eventually(&group, "begun", || (status(&group)["workers"][0]["state"] == "busy").then_some(()));
    let terminal = "import fcntl, os, pty, struct, sys, termios\n\
        pid, fd = pty.fork()\n\
        if not pid:\n\
        \x20   fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 90, 0, 0))\n\
        \x20   os.execv(sys.argv[1], sys.argv[1:])\n\
        output = b''\n\
        try:\n\
        \x20   while piece := os.read(fd, 4096): output += piece\n\
        except OSError: pass\n\
        os.waitpid(pid, 0)\n\
        sys.stdout.buffer.write(output)";
    let ctl = command(group.dir(), &["status"]);
    let mut python = Command::new("/usr/bin/python3");
    python
        .args(["-c", terminal])
        .arg(ctl.get_program())
        .args(ctl.get_args())
        .env_clear()
        .env("TERM", "xterm");
    let text = String::from_utf8(python.output().unwrap().stdout).unwrap();
    assert!(text.contains("\u{1b}[32mserving\u{1b}[0m"), "{text:?}");
    let plain = text.split('\u{1b}').enumerate().map(|(index, part)| {
        if index == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) }
    });
    let plain: String = plain.collect();
    let widest = plain.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest == 90 && plain.contains("long/") && plain.contains("... ("), "{widest}:\n{plain}");
}
