//! What `ps` shows: a title over the memory of arguments and variables, which stay what they are for everybody else.

use crate::support::{PATIENCE, Start, Worker};

/// Answers with the title it sees of itself, its arguments and variables, and those of a child.
const APPLICATION: &str = r"
import json, os, subprocess, sys

def application(environ, start_response):
    with open('/proc/self/cmdline') as file:
        title = file.read().rstrip('\0')
    child = subprocess.run(['env'], capture_output=True, text=True, check=True).stdout.splitlines()
    start_response('200 OK', [])
    seen = {'title': title, 'argv': sys.argv, 'environ': dict(os.environ), 'child': child}
    return [json.dumps(seen).encode()]
";

fn title(pid: u32) -> String {
    let text = std::fs::read(format!("/proc/{pid}/cmdline")).expect("the child is ours");
    String::from_utf8(text).expect("it is text").trim_end_matches('\0').to_owned()
}

/// Waits for a title: it changes just after the response has left.
fn wait_title(worker: &Worker, expected: &str) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while title(worker.pid()) != expected {
        assert!(std::time::Instant::now() < deadline, "{} is not {expected}", title(worker.pid()));
        std::thread::yield_now();
    }
}

#[test]
fn a_worker_says_whether_it_is_busy_and_with_what_but_not_which_url() {
    let start = Start::application(APPLICATION);
    let path = start.dir().join("app.py");
    let (worker, mut connection) = start.connected();
    let seen: serde_json::Value = serde_json::from_slice(&connection.get("/secret?token=1").body).unwrap();
    assert_eq!(seen["title"], format!("lswsgi: worker busy {}", path.display()));
    wait_title(&worker, &format!("lswsgi: worker idle {}", path.display()));
    let comm = std::fs::read_to_string(format!("/proc/{}/comm", worker.pid())).unwrap();
    assert_eq!(comm, "lswsgi\n");
}

#[test]
fn arguments_and_variables_are_still_what_they_were() {
    let long = "x".repeat(5000);
    let start = Start::application(APPLICATION).env("FIRST", "1").env("LONG", &long).env("LAST", "ü");
    let (_worker, mut connection) = start.connected();
    let seen: serde_json::Value = serde_json::from_slice(&connection.get("/").body).unwrap();
    assert_eq!(seen["argv"], serde_json::json!(["lswsgi"]));
    for (name, value) in [("PATH", "/bin:/usr/bin"), ("FIRST", "1"), ("LONG", &long), ("LAST", "ü")] {
        assert!(seen["environ"][name] == value, "{name} is {}", seen["environ"][name]);
        let line = format!("{name}={value}");
        assert!(seen["child"].as_array().unwrap().iter().any(|seen| *seen == line), "no {line}");
    }
}

#[test]
fn a_title_is_cut_where_there_is_no_more_room_unless_the_server_has_made_some() {
    let (worker, _connection) = Start::scripts().named("lswsgi-for-tests").connected();
    wait_title(&worker, "lswsgi: worker i");
    let start = Start::scripts().named("lswsgi-for-tests").env("LSAPI_PADDING", &"x".repeat(200));
    let (worker, _connection) = start.connected();
    wait_title(&worker, "lswsgi: worker idle");
}

#[test]
fn without_any_room_there_is_no_title_and_the_worker_serves() {
    let (_worker, mut connection) = Start::scripts().named("x").connected();
    assert_eq!(connection.get("/").status, 500, "no script is named");
}
