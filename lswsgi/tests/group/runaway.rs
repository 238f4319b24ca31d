//! Requests that never end, and workers that cannot be asked to: LSAPI_MAX_PROCESS_TIME.

use std::time::{Duration, Instant};

use lsapi::RequestBuilder;
use rustix::process::Signal;

use crate::group::{self, Group, application};
use crate::processes;
use crate::support::{Connection, ENDLESS, Event, Response, Start};

/// What a request may take, and what a process may outlive the signal that should end it.
const LIMIT: Duration = Duration::from_secs(1);
const KILL_AFTER: Duration = Duration::from_secs(1);

/// For what others do at the same time.
const SLACK: Duration = Duration::from_secs(2);

const SOURCE: &str = "
def begin():
    yield b'part'
    rest()

def application(environ, start_response):
    start_response('200 OK', [])
    name = environ['PATH_INFO'][1:]
    return begin() if name == 'begin' else [(globals()[name]() if name else 'ok').encode()]
";

fn start() -> Start {
    application(&[ENDLESS, SOURCE].concat(), 2)
        .env("LSAPI_MAX_PROCESS_TIME", "1")
        .arg("--kill-after")
        .arg("1")
}

/// Sends `path` and waits for what comes of it, while another worker serves others. Returns also when its worker had it.
fn run(group: &Group, path: &str) -> (Connection, Response, u32, Instant) {
    let mut others = group.connect();
    assert_eq!(others.get("/").text(), "ok");
    let mut connection = group.connect();
    connection.send(&RequestBuilder::get(path).encode());
    let mut response = Response::default();
    assert!(matches!(connection.next(&mut response), Event::Packet(_)));
    let worker = response.notice.and_then(|pid| pid.try_into().ok()).expect("the worker's first request");
    let begun = Instant::now();
    while begun.elapsed() < LIMIT / 2 {
        let asked = Instant::now();
        assert_eq!(others.get("/").text(), "ok");
        assert!(asked.elapsed() < LIMIT, "others wait:\n{}", group.said());
        // Without a pause this comes to LSAPI_MAX_REQS.
        std::thread::sleep(Duration::from_millis(5));
    }
    (connection, response, worker, begun)
}

/// The worker must leave with a word about the request, in which `function` did not come to its end.
fn expect_left(group: &Group, worker: u32, path: &str, function: Option<&str>) {
    group.log(&format!("worker {worker} left: runaway (LSAPI_MAX_PROCESS_TIME)"));
    expect_mended(group, worker, path, function);
}

fn expect_mended(group: &Group, worker: u32, path: &str, function: Option<&str>) {
    let said = group.said();
    assert!(said.contains(&format!("GET {path}")), "{said}");
    if let Some(function) = function {
        assert!(said.contains(&format!("in {function}")), "no stack: {said}");
    }
    assert!(!processes::children(group.pid()).contains(&worker), "{said}");
    assert_eq!(group.connect().get("/").text(), "ok");
}

fn is_answered(path: &str, function: Option<&str>) {
    let group = Group::start(start());
    let (mut connection, mut response, worker, begun) = run(&group, path);
    let rest = connection.response();
    let waited = begun.elapsed();
    connection.expect_end();
    response.packets.extend(rest.packets);
    assert_eq!(rest.status, 504, "{}", group.said());
    assert_eq!(
        response.names(),
        ["STDERR_STREAM", "RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"],
        "{}",
        group.said()
    );
    assert!(waited > LIMIT - Duration::from_millis(50) && waited < LIMIT + SLACK, "{waited:?}");
    expect_left(&group, worker, path, function);
}

#[test]
fn a_loop_that_never_ends_is_answered_with_504() {
    is_answered("/spin", Some("spin"));
}

#[test]
fn a_sleep_that_never_ends_is_answered_with_504() {
    is_answered("/rest", Some("rest"));
}

#[test]
fn a_request_that_ignores_sigterm_is_answered_with_504() {
    is_answered("/deaf", Some("deaf"));
}

#[test]
fn a_call_that_holds_the_gil_is_answered_with_504() {
    is_answered("/hold", None);
}

#[test]
fn a_response_that_has_begun_is_ended() {
    let group = Group::start(start());
    let (mut connection, _, worker, _) = run(&group, "/begin");
    let rest = connection.response();
    connection.expect_end();
    assert_eq!(rest.names(), ["RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"]);
    assert_eq!((rest.status, rest.text()), (200, "part"));
    expect_left(&group, worker, "/begin", Some("rest"));
}

#[test]
fn a_stopped_worker_is_gone_within_the_limit_and_the_time_to_kill() {
    let group = Group::start(start());
    let (mut connection, mut response, worker, begun) = run(&group, "/rest");
    group::send(worker, Signal::STOP);
    while connection.next(&mut response) != Event::End {}
    let waited = begun.elapsed();
    assert!(waited < LIMIT + KILL_AFTER + SLACK, "{waited:?}:\n{}", group.said());
    group.log(&format!("worker {worker} was killed by SIGKILL"));
    expect_mended(&group, worker, "/rest", None);
}
