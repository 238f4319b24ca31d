//! What happens to requests that do not end, and what the log shows of a process that is asked what it does.

use std::time::{Duration, Instant};

use lsapi::{PacketType, RequestBuilder};

use crate::support::{Connection, ENDLESS, Event, Response, Start, Worker};

/// What a request may take in these tests.
const LIMIT: Duration = Duration::from_secs(1);

/// For what others do at the same time.
const SLACK: Duration = Duration::from_secs(2);

const RUNAWAY: Option<i32> = Some(10);

const APPLICATION: &str = "
import threading

def wait():
    print('running')
    while not os.path.exists('go'): time.sleep(.005)

class Late(list):
    def close(self):
        print('closing')
        rest()

def begin(headers=()):
    yield b'part'
    rest()

def flood():
    while True: yield bytes(1000000)

def application(environ, start_response):
    name = environ['PATH_INFO'][1:]
    start_response('200 OK', [('Content-Length', '9')] if name == 'declared' else [])
    if name in ('begin', 'declared'): return begin()
    if name == 'flood': return flood()
    if name == 'late': return Late([b'ok'])
    if name == 'nap': time.sleep(.6)
    elif name: globals()[name]()
    return [b'ok']
";

const ANSWERED: [&str; 5] = ["REQ_RECEIVED", "RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"];

fn start() -> Start {
    Start::application(&[ENDLESS, APPLICATION].concat()).env("LSAPI_MAX_PROCESS_TIME", "1")
}

fn is_answered(function: &str) {
    let (mut worker, mut connection) = start().connected();
    assert_eq!(connection.get("/").text(), "ok");
    let begun = Instant::now();
    let response = connection.get(&format!("/{function}"));
    let waited = begun.elapsed();
    assert_eq!((response.status, response.names()), (504, ANSWERED.to_vec()), "{}", worker.log());
    assert!(waited > LIMIT - Duration::from_millis(50) && waited < LIMIT + SLACK, "{waited:?}");
    connection.expect_end();
    assert_eq!(worker.wait().code(), RUNAWAY, "{}", worker.log());
    let log = worker.log();
    assert!(log.contains(&format!("GET /{function} has been running for 1.")), "{log}");
    assert!(log.contains("longer than 1 s (LSAPI_MAX_PROCESS_TIME): answered 504"), "{log}");
    assert!(log.contains(&format!("in {function}")), "no stack: {log}");
}

#[test]
fn a_loop_that_never_ends_is_answered_with_504() {
    is_answered("spin");
}

#[test]
fn a_sleep_that_never_ends_is_answered_with_504() {
    is_answered("rest");
}

#[test]
fn an_application_that_ignores_every_signal_is_answered_for_with_504() {
    is_answered("deaf");
}

#[test]
fn a_call_that_never_lets_the_interpreter_go_is_answered_with_504() {
    is_answered("hold");
}

#[test]
fn the_limit_is_for_each_request_by_itself() {
    let (_worker, mut connection) = start().connected();
    for _ in 0..3 {
        assert_eq!(connection.get("/nap").text(), "ok");
    }
}

/// Everything up to the end of the connection.
fn rest(connection: &mut Connection) -> Response {
    let mut response = Response::default();
    while connection.next(&mut response) != Event::End {}
    response
}

#[test]
fn a_response_that_was_begun_is_ended() {
    for (path, option) in [("/begin", "end"), ("/declared", "end"), ("/declared", "abort")] {
        let (mut worker, mut connection) = start().arg("--late-error").arg(option).connected();
        connection.send(&RequestBuilder::get(path).encode());
        let response = rest(&mut connection);
        assert_eq!((response.text(), response.names()), ("part", ANSWERED.to_vec()), "{path} {option}");
        assert_eq!(worker.wait().code(), RUNAWAY);
        assert!(worker.log().contains("its response is ended early"), "{}", worker.log());
    }
}

#[test]
fn a_response_is_broken_off_where_the_operator_says_so_unless_it_must_not_be_asked_for_again() {
    let begun = &ANSWERED[..3];
    for (method, expected) in [("GET", begun), ("POST", &ANSWERED)] {
        let (mut worker, mut connection) = start().arg("--late-error=abort").connected();
        connection.send(&RequestBuilder::new(method, "/begin").encode());
        assert_eq!(rest(&mut connection).names(), expected, "{method}");
        assert_eq!(worker.wait().code(), RUNAWAY);
    }
}

#[test]
fn an_answer_is_not_lost_over_a_body_nobody_reads() {
    let (mut worker, mut connection) = start().connected();
    connection.send(&RequestBuilder::new("POST", "/rest").body_len(300_000).encode());
    connection.send(&[0; 100_000]);
    assert_eq!(connection.next(&mut Response::default()), Event::Packet(PacketType::ReqReceived));
    worker.wait_log("answered 504");
    // On its way when the process decided to end.
    connection.send_until_closed(&[0; 100_000]);
    let response = rest(&mut connection);
    assert_eq!((response.status, response.names()), (504, ANSWERED[1..].to_vec()));
    connection.finish();
    assert_eq!(worker.wait().code(), RUNAWAY);
}

#[test]
fn a_peer_that_does_not_read_is_not_waited_for() {
    let (mut worker, mut connection) = start().connected();
    connection.send(&RequestBuilder::get("/flood").encode());
    let begun = Instant::now();
    assert_eq!(worker.wait().code(), RUNAWAY);
    assert!(begun.elapsed() < LIMIT + Duration::from_secs(1) + SLACK, "{:?}", begun.elapsed());
    assert!(worker.log().contains("closed in the middle of a write"), "{}", worker.log());
}

#[test]
fn work_after_the_response_has_its_time_too() {
    let (mut worker, mut connection) = start().connected();
    assert_eq!(connection.get("/late").text(), "ok");
    connection.expect_end();
    assert_eq!(worker.wait().code(), RUNAWAY);
    assert!(worker.log().contains("its response was complete"), "{}", worker.log());
}

#[test]
fn a_graceful_stop_has_an_end() {
    let (mut worker, path) =
        Start::application(&[ENDLESS, APPLICATION].concat()).arg("--graceful-timeout").arg("1").listening();
    let mut connection = Connection::to(&path);
    connection.send(&RequestBuilder::get("/wait").encode());
    worker.wait_log("running");
    let begun = Instant::now();
    worker.signal("TERM");
    let response = connection.response();
    let waited = begun.elapsed();
    assert_eq!((response.status, response.names()), (503, ANSWERED.to_vec()));
    assert!(waited > LIMIT - Duration::from_millis(50) && waited < LIMIT + SLACK, "{waited:?}");
    connection.expect_end();
    assert_eq!(worker.wait().code(), Some(0));
    let log = worker.log();
    assert!(log.contains("1 s after the stop (--graceful-timeout): answered 503"), "{log}");
    assert!(log.contains("GET /wait has been running") && log.contains("in wait"), "{log}");
    assert!(!path.exists());
}

#[test]
fn a_request_that_crosses_the_stop_has_no_more_time_than_others() {
    let (mut worker, mut connection) =
        Start::application(&[ENDLESS, APPLICATION].concat()).arg("--graceful-timeout").arg("1").connected();
    connection.get("/");
    worker.signal("TERM");
    let mut rest = Response::default();
    assert_eq!(connection.next(&mut rest), Event::Packet(PacketType::ConnClose));
    // The stop has been noted, and no request is under way.
    let begun = Instant::now();
    assert_eq!(connection.get("/rest").status, 503, "{}", worker.log());
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}: {}", begun.elapsed(), worker.log());
    assert_eq!(worker.wait().code(), Some(0), "{}", worker.log());
}

#[test]
fn a_request_that_ends_before_the_graceful_timeout_is_not_touched() {
    let (mut worker, mut connection) =
        Start::application(&[ENDLESS, APPLICATION].concat()).arg("--graceful-timeout").arg("5").connected();
    connection.send(&RequestBuilder::get("/wait").encode());
    worker.wait_log("running");
    worker.signal("TERM");
    worker.wait_signals();
    std::fs::write(worker.dir.path().join("go"), "").unwrap();
    assert_eq!(connection.response().text(), "ok");
    assert_eq!(worker.wait().code(), Some(0));
    assert!(!worker.log().contains("has been running"), "{}", worker.log());
}

/// Asks for stacks and waits for one that holds `function`.
fn ask(worker: &Worker, function: &str) {
    worker.signal("QUIT");
    worker.wait_log(&format!("in {function}"));
}

#[test]
fn quit_shows_what_all_threads_are_doing_and_ends_nothing() {
    let source = "import faulthandler, os, threading, time, tempfile\n\
        faulthandler.enable()\n\
        faulthandler.register(64 - 10, file=2)\n\
        def parked():\n\
        \x20   threading.Event().wait()\n\
        threading.Thread(target=parked, daemon=True).start()\n\
        def handle():\n\
        \x20   print('running')\n\
        \x20   while not os.path.exists('go'): sum(range(100))\n\
        def application(environ, start_response):\n\
        \x20   if environ['PATH_INFO'] == '/busy': handle()\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let (mut worker, mut connection) = Start::application(source).connected();
    worker.wait_log("serving");
    ask(&worker, "parked");
    worker.wait_log("SIGQUIT: no request is under way");
    connection.send(&RequestBuilder::get("/busy").encode());
    worker.wait_log("running");
    ask(&worker, "handle");
    worker.wait_log("SIGQUIT: GET /busy has been running for");
    for _ in 0..20 {
        worker.signal("QUIT");
    }
    std::fs::write(worker.dir.path().join("go"), "").unwrap();
    assert_eq!(connection.response().text(), "ok");
    drop(connection);
    assert_eq!(worker.wait().code(), Some(0));
}

#[test]
fn quit_shows_an_import_that_hangs() {
    let source = "import threading\n\
        def connect():\n\
        \x20   print('importing', flush=True)\n\
        \x20   threading.Event().wait()\n\
        connect()\n";
    let (worker, _connection) = Start::application(source).connected();
    worker.wait_log("importing");
    ask(&worker, "connect");
}

#[test]
fn an_application_that_closes_every_descriptor_gets_no_stacks_into_what_it_opens_then() {
    let source = "import os\n\
        def application(environ, start_response):\n\
        \x20   sheets = [fd for fd in os.listdir('/proc/self/fd') if 'stacks' in link(fd)]\n\
        \x20   for fd in sheets: os.close(int(fd))\n\
        \x20   files = [open('taken', 'a') for _ in sheets]\n\
        \x20   print('taken', len(files))\n\
        \x20   while not os.path.exists('go'): pass\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n\
        def link(fd):\n\
        \x20   try: return os.readlink('/proc/self/fd/' + fd)\n\
        \x20   except OSError: return ''\n";
    let (worker, mut connection) = Start::application(source).connected();
    connection.send(&RequestBuilder::get("/").encode());
    worker.wait_log("taken 1");
    worker.signal("QUIT");
    worker.wait_log("no stacks: ");
    assert_eq!(std::fs::read(worker.dir.path().join("taken")).unwrap(), b"");
    std::fs::write(worker.dir.path().join("go"), "").unwrap();
    assert_eq!(connection.response().text(), "ok");
}

#[test]
fn the_system_is_asked_about_threads_and_descriptors_where_the_operator_wants_that() {
    for wanted in [true, false] {
        let start = if wanted { start().env("LSAPI_DUMP_DEBUG_INFO", "1") } else { start() };
        let (mut worker, mut connection) = start.connected();
        assert_eq!(connection.get("/rest").status, 504);
        assert_eq!(worker.wait().code(), RUNAWAY);
        let log = worker.log();
        assert_eq!(log.contains(" 'watchdog': state R, wchan "), wanted, "{log}");
        assert_eq!(log.contains("descriptor 0: /dev/null"), wanted, "{log}");
    }
}
