//! A worker without a group and its connections: what it says on them, and what it leaves after.

use std::time::{Duration, Instant};

use crate::support::{Connection, Event, Response, Start};

const OK: &str = "def application(environ, start_response):\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'ok']\n";

#[test]
fn accepted_connections_are_acknowledged_instead_of_requests_if_that_is_asked_for() {
    let (_worker, path) = Start::application(OK).env("LSAPI_ACCEPT_NOTIFY", "1").listening();
    for _ in 0..2 {
        let mut connection = Connection::to(&path);
        let mut greeting = Response::default();
        assert!(matches!(connection.next(&mut greeting), Event::Packet(_)));
        assert_eq!(greeting.names(), ["REQ_RECEIVED"]);
        for _ in 0..2 {
            assert_eq!(connection.get("/").names(), ["RESP_HEADER", "RESP_STREAM", "RESP_END"]);
        }
    }
    // One that was accepted by somebody else has been acknowledged by them (lsapi 1.7).
    let (_worker, mut connection) = Start::application(OK).env("LSAPI_ACCEPT_NOTIFY", "1").connected();
    assert_eq!(connection.get("/").names(), ["RESP_HEADER", "RESP_STREAM", "RESP_END"]);
}

#[test]
fn a_worker_that_is_not_to_listen_on_leaves_with_its_first_connection() {
    let (mut worker, path) = Start::application(OK).env("LSAPI_KEEP_LISTEN", "0").listening();
    let mut connection = Connection::to(&path);
    for _ in 0..3 {
        assert_eq!(connection.get("/").text(), "ok");
    }
    drop(connection);
    assert_eq!(worker.wait().code(), Some(0));
    assert!(worker.log().contains("leaving: the connection ended"), "{}", worker.log());
}

#[test]
fn a_slow_request_is_logged_with_its_url_and_a_fast_one_is_not() {
    let source = "import time\n\
        def application(environ, start_response):\n\
        \x20   time.sleep(float(environ['QUERY_STRING']))\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let (mut worker, mut connection) =
        Start::application(source).env("LSAPI_SLOW_REQ_MSECS", "300").connected();
    connection.get("/fast?0");
    connection.get("/slow?0.4");
    drop(connection);
    worker.wait();
    let log = worker.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("LSAPI_SLOW_REQ_MSECS")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("warning: slow request: GET /slow"), "{log}");
    let took = lines[0].split("took ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
    assert!(took.is_some_and(|took| (0.4..10.0).contains(&took)), "{log}");
}

#[test]
fn a_worker_may_leave_some_requests_before_it_must() {
    let start = Start::application(OK).env("LSAPI_MAX_REQS", "100").arg("--max-requests-jitter").arg("98");
    let (mut worker, mut connection) = start.connected();
    let mut served = 0;
    loop {
        served += 1;
        if connection.get("/").names().contains(&"CONN_CLOSE") {
            break;
        }
    }
    connection.expect_end();
    assert!((2..=100).contains(&served), "{served}");
    worker.wait();
    assert!(worker.log().contains(&format!("leaving: {served} requests served")), "{}", worker.log());
}

#[test]
fn the_idle_limit_starts_anew_with_each_connection() {
    let (mut worker, path) = Start::application(OK).env("LSAPI_MAX_IDLE", "2").listening();
    std::thread::sleep(Duration::from_millis(1200));
    let mut connection = Connection::to(&path);
    let begun = Instant::now();
    // Nothing is sent on it.
    let mut nothing = Response::default();
    while connection.next(&mut nothing) != Event::End {}
    let waited = begun.elapsed();
    assert_eq!(nothing.names(), ["CONN_CLOSE"]);
    assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(5), "{waited:?}");
    assert_eq!(worker.wait().code(), Some(0));
    assert!(worker.log().contains("LSAPI_MAX_IDLE"), "{}", worker.log());
}

#[test]
fn a_program_the_application_starts_has_no_socket_of_ours() {
    let source = "import subprocess\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [subprocess.check_output(['ls', '-l', '/proc/self/fd'], close_fds=False)]\n";
    // Where the connection is accepted, and where it was given.
    let (_listening, socket) = Start::application(source).listening();
    let (_connected, connection) = Start::application(source).connected();
    for mut connection in [Connection::to(&socket), connection] {
        let response = connection.get("/");
        let text = response.text();
        assert!(text.contains(" 2 -> ") && !text.contains("socket:") && !text.contains("eventfd"), "{text}");
    }
}
