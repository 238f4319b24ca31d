//! The access log of a group: many workers, one file.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lsapi::RequestBuilder;
use rustix::process::Signal;
use serde_json::Value;

use crate::control::{ask, controlled, socket};
use crate::group::{Group, application, below, eventually};
use crate::processes;
use crate::support::Start;
use crate::traffic::{CONNECTIONS, noting, send};

const REQUESTS: u64 = 4000;

fn logging(source: &str) -> Start {
    let mut start = application(source, 8).arg("--access-log=access.log").arg("--access-format=json");
    start.command.current_dir(start.dir.path());
    start
}

fn read(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("there is a log");
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).collect()
}

/// The lines in these files, when there are `count` of them: a line is written after its response.
fn wait_lines(group: &Group, names: &[String], count: usize) -> Vec<Value> {
    eventually(group, "as many lines as requests", || {
        let read = |name| read(&group.dir().join(name));
        let lines: Vec<Value> = names.iter().flat_map(read).collect();
        (lines.len() >= count).then_some(lines)
    })
}

/// Each of the requests has one line, with its worker in it.
fn expect_each_once(lines: &[Value], outcome: &crate::traffic::Outcome) {
    assert_eq!(lines.len() as u64, outcome.sent);
    let mut ids = HashSet::new();
    for line in lines {
        let id: u64 = line["url"].as_str().unwrap().strip_prefix("/?").unwrap().parse().unwrap();
        assert!(ids.insert(id), "{id} twice");
        let worker = outcome.ran[&id][0];
        assert_eq!((&line["pid"], &line["status"]), (&worker.into(), &200.into()), "{line}");
        assert_eq!(line["bytes"], worker.to_string().len(), "{line}");
    }
}

#[test]
fn each_request_of_eight_connections_has_a_whole_line() {
    let mut group = Group::start(logging(&noting("0")));
    let outcome = send(&group, |id| id < REQUESTS);
    outcome.expect_all();
    let lines = wait_lines(&group, &["access.log".into()], outcome.sent as usize);
    expect_each_once(&lines, &outcome);
    group.signal(Signal::TERM);
    group.wait();
}

#[test]
fn long_and_hostile_requests_of_several_workers_make_one_line_each() {
    let group = Group::start(logging(&noting("0")));
    std::thread::scope(|scope| {
        for number in 0..CONNECTIONS {
            let group = &group;
            scope.spawn(move || {
                let mut connection = group.connect();
                for length in 0..50 {
                    let target = format!("/{number}?{}", "u".repeat(length * 100));
                    let agent = format!("\n{}\"\\\u{1}", "\u{ff}".repeat(length * 50));
                    connection.send(&RequestBuilder::get(&target).header("User-Agent", agent).encode());
                    assert_eq!(connection.response().status, 200);
                }
            });
        }
    });
    let lines = wait_lines(&group, &["access.log".into()], 50 * CONNECTIONS);
    assert_eq!(lines.len(), 50 * CONNECTIONS);
    for line in &lines {
        assert!(line["user_agent"].as_str().unwrap().starts_with('\n'), "{line}");
    }
    let text = std::fs::read_to_string(group.dir().join("access.log")).unwrap();
    assert!(text.lines().any(|line| line.contains("uuu...\"")), "nothing was cut");
    assert!(text.lines().all(|line| line.len() < 4096));
}

#[test]
fn nothing_is_lost_or_torn_when_the_file_is_rotated_under_load() {
    const ROTATIONS: usize = 5;
    let group = Group::start(logging(&noting("0")));
    let (current, over) = (group.dir().join("access.log"), AtomicBool::new(false));
    let mut sizes = Vec::new();
    let outcome = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| send(&group, |_| !over.load(Ordering::Relaxed)));
        for number in 1..=ROTATIONS {
            eventually(&group, "something in the file", || {
                current.metadata().is_ok_and(|metadata| metadata.len() > 1000).then_some(())
            });
            let old = group.dir().join(format!("old.{number}"));
            std::fs::rename(&current, &old).unwrap();
            group.signal(Signal::USR2);
            group.logs(number, "SIGUSR2 from process ");
            sizes.push((std::fs::read_to_string(&old).unwrap().lines().count(), old));
        }
        over.store(true, Ordering::Relaxed);
        traffic.join().expect("no request fails")
    });
    outcome.expect_all();
    let names: Vec<String> =
        (1..=ROTATIONS).map(|number| format!("old.{number}")).chain(["access.log".into()]).collect();
    let lines = wait_lines(&group, &names, outcome.sent as usize);
    expect_each_once(&lines, &outcome);
    // Once it has been answered, only lines come that were being written.
    for (then, old) in sizes {
        let now = read(&old).len();
        assert!(now <= then + CONNECTIONS, "{}: {then} lines, later {now}", old.display());
    }
}

#[test]
fn idle_workers_and_new_ones_go_on_in_the_new_file() {
    let source = noting("0");
    let group = Group::start(logging(&source));
    let mut connection = group.connect();
    let first = connection.get("/?0").text().to_owned();
    wait_lines(&group, &["access.log".into()], 1);
    std::fs::rename(group.dir().join("access.log"), group.dir().join("old")).unwrap();
    group.signal(Signal::USR2);
    // The worker lets go of the old one although no request comes.
    eventually(&group, "let go", || {
        let holds = |entry: std::fs::DirEntry| {
            std::fs::read_link(entry.path())
                .is_ok_and(|to| to == group.dir().canonicalize().unwrap().join("old"))
        };
        let open = std::fs::read_dir(format!("/proc/{first}/fd")).unwrap().flatten();
        (!open.into_iter().any(holds)).then_some(())
    });
    let mut other = group.connect();
    let second = other.get("/?1").text().to_owned();
    assert_ne!(first, second, "the first has a connection");
    connection.get("/?2");
    let lines = wait_lines(&group, &["access.log".into()], 2);
    let workers: HashSet<String> = lines.iter().map(|line| line["pid"].to_string()).collect();
    assert_eq!(workers, HashSet::from([first, second]));
    assert_eq!(read(&group.dir().join("old")).len(), 1);
}

#[test]
fn stand_ins_log_too_and_follow_a_rotation() {
    // Not in the application's folder: a new file there is a reason to try the application again.
    let logs = tempfile::tempdir().unwrap();
    let (current, old) = (logs.path().join("access.log"), logs.path().join("old"));
    let start = application("import no_such_module\n", 8).arg("--access-format=json");
    let group = Group::start_only(start.arg("--access-log").arg(current.to_str().unwrap()));
    let mut connection = group.connect();
    let wait = || {
        eventually(&group, "a line", || {
            let lines = if current.exists() { read(&current) } else { vec![] };
            (!lines.is_empty()).then_some(lines)
        })
    };
    assert_eq!(connection.get("/?0").status, 500);
    assert_eq!((&wait()[0]["url"], &wait()[0]["status"]), (&"/?0".into(), &500.into()));
    std::fs::rename(&current, &old).unwrap();
    group.signal(Signal::USR2);
    group.log("opening log files anew");
    // Another stand-in may answer by now: each is there until the next attempt.
    assert_eq!(group.connect().get("/?1").status, 500);
    let lines = wait();
    assert_eq!((lines.len(), &lines[0]["url"]), (1, &"/?1".into()));
    assert_eq!(read(&old).len(), 1);
}

#[test]
fn in_a_group_standard_error_can_be_the_access_log() {
    let mut group =
        Group::start(application(&noting("0"), 8).arg("--access-log=-").arg("--access-format=common"));
    let outcome = send(&group, |id| id < 400);
    outcome.expect_all();
    let lines = group.logs_within(Duration::from_secs(20), 400, "HTTP/1.1\" 200 ");
    for line in &lines {
        let mut words = line.rsplit(' ');
        let (_micros, pid) = (words.next().unwrap(), words.next().unwrap());
        let (_, url) = line.split_once("\"GET /?").unwrap();
        let id: u64 = url.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(outcome.ran[&id][0].to_string(), pid, "{line}");
    }
    group.signal(Signal::TERM);
    group.wait();
}

/// With its standard error in `app.log`. `None` if one cannot be anybody who may have that.
fn diverted(start: Start) -> Option<Start> {
    let mut start = start.env("LSAPI_STDERR_LOG", "app.log");
    let dir = start.dir().to_owned();
    if rustix::process::geteuid().is_root() {
        // Root has no such log. Who is root outside of a user namespace may be somebody else in one.
        let program = ["unshare", "--user", "--map-user=1000", "--"];
        let mut unshare = std::process::Command::new(program[0]);
        if !unshare.args(&program[1..]).arg("true").status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: root, and no user namespace to be had");
            return None;
        }
        start = below(start, &program);
    }
    start.command.current_dir(dir);
    Some(start)
}

#[test]
fn a_line_after_a_rotation_is_in_the_new_file_also_when_that_is_standard_error() {
    let start = controlled(&noting("0"), 2).arg("--access-log=-").arg("--access-format=common");
    let Some(start) = diverted(start) else { return };
    let group = Group::start_only(start);
    let current = group.dir().canonicalize().unwrap().join("app.log");
    let mut connection = group.connect();
    for number in 0..30 {
        assert_eq!(connection.get(&format!("/?{}", 2 * number)).status, 200);
        std::fs::rename(&current, current.with_extension(number.to_string())).unwrap();
        let told = ask(&socket(&group), "{\"command\": \"reopen\"}\n");
        assert!(told["ok"].is_object(), "{told}");
        let asked = format!("/?{}", 2 * number + 1);
        assert_eq!(connection.get(&asked).status, 200);
        eventually(&group, "a line in the new file", || {
            let lines = std::fs::read_to_string(&current).unwrap_or_default();
            lines.contains(&format!("\"GET {asked} ")).then_some(())
        });
    }
}

#[test]
fn what_goes_to_standard_error_follows_a_rotation_in_every_process() {
    let source = "import sys\nprint('import', file=sys.stderr)\n\
        def application(environ, start_response):\n\
        \x20   print('request', environ['QUERY_STRING'], file=sys.stderr, flush=True)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let Some(start) = diverted(application(source, 8)) else { return };
    let mut group = Group::start_only(start);
    let current = group.dir().canonicalize().unwrap().join("app.log");
    let wait = |path: &Path, text: &str| {
        eventually(&group, "a line", || {
            let all = std::fs::read_to_string(path).unwrap_or_default();
            all.contains(text).then_some(all)
        })
    };
    let mut first = group.connect();
    assert_eq!(first.get("/?1").text(), "ok");
    wait(&current, "request 1\n");
    let old = current.with_file_name("old.log");
    std::fs::rename(&current, &old).unwrap();
    let members = processes::writers(old.to_str().unwrap());
    assert!(members.contains(&group.pid()) && members.len() == 3, "{members:?}");
    group.signal(Signal::USR2);
    wait(&current, "opening log files anew");
    eventually(&group, "let go by all", || {
        processes::writers(old.to_str().unwrap()).is_empty().then_some(())
    });
    assert_eq!(first.get("/?2").text(), "ok");
    // Of a new worker, which the template has forked.
    assert_eq!(group.connect().get("/?3").text(), "ok");
    let text = wait(&current, "request 3\n");
    assert!(text.contains("request 2\n"), "{text}");
    assert!(!std::fs::read_to_string(&old).unwrap().contains("request 2"));
    group.signal(Signal::TERM);
    group.wait();
}
