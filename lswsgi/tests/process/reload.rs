//! A worker without a group makes way for new code: it leaves, and the server starts another.

use std::fs;

use lsapi::{PacketType, RequestBuilder};

use crate::support::{Connection, Event, Response, Start, Worker};

/// Answers at once, or when there is a file `go`.
const APPLICATION: &str = "import os, time\n\
    def application(environ, start_response):\n\
    \x20   if environ['PATH_INFO'] == '/wait':\n\
    \x20       print('running')\n\
    \x20       while not os.path.exists('go'): time.sleep(.005)\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'ok']\n";

const LAST: [&str; 5] = ["REQ_RECEIVED", "RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"];

/// Asks a worker to make way.
type Ask = fn(&Worker);

/// Ways to do that, and what the log calls them.
const WAYS: [(&str, Ask); 2] =
    [("SIGHUP", |worker| worker.signal("HUP")), ("tmp/restart.txt has changed", touch)];

fn with_tmp(source: &str) -> Start {
    let start = Start::application(source);
    fs::create_dir(start.dir().join("tmp")).unwrap();
    start
}

fn touch(worker: &Worker) {
    fs::write(worker.dir.path().join("tmp/restart.txt"), "").unwrap();
}

fn expect_close(connection: &mut Connection) {
    assert_eq!(connection.next(&mut Response::default()), Event::Packet(PacketType::ConnClose));
    connection.finish();
    connection.expect_end();
}

#[test]
fn an_idle_worker_announces_its_end_and_leaves() {
    for (why, ask) in WAYS {
        let (mut worker, mut connection) = with_tmp(APPLICATION).connected();
        assert_eq!(connection.get("/").text(), "ok");
        ask(&worker);
        expect_close(&mut connection);
        assert_eq!(worker.wait().code(), Some(0));
        assert!(worker.log().contains(&format!("{why}: leaving")), "{}", worker.log());
        assert!(worker.log().contains("leaving: reload"), "{}", worker.log());
    }
}

#[test]
fn a_request_under_way_takes_as_long_as_it_takes() {
    for (why, ask) in WAYS {
        let start = with_tmp(APPLICATION).arg("--graceful-timeout").arg("0.1");
        let (mut worker, mut connection) = start.connected();
        connection.send(&RequestBuilder::get("/wait").encode());
        worker.wait_log("running");
        ask(&worker);
        worker.wait_log(&format!("{why}: leaving"));
        // Three times what a stop would leave it.
        std::thread::sleep(std::time::Duration::from_millis(300));
        fs::write(worker.dir.path().join("go"), "").unwrap();
        assert_eq!(connection.response().names(), LAST, "{why}");
        connection.expect_end();
        assert_eq!(worker.wait().code(), Some(0));
    }
}

#[test]
fn a_stop_that_follows_as_the_server_sends_it_changes_nothing() {
    let (mut worker, mut connection) = with_tmp(APPLICATION).connected();
    connection.send(&RequestBuilder::get("/wait").encode());
    worker.wait_log("running");
    touch(&worker);
    worker.wait_log("has changed");
    worker.signal("TERM");
    worker.signal("HUP");
    touch(&worker);
    fs::write(worker.dir.path().join("go"), "").unwrap();
    assert_eq!(connection.response().names(), LAST);
    connection.expect_end();
    assert_eq!(worker.wait().code(), Some(0));
    assert_eq!(worker.log().matches("leaving; the server").count(), 1, "{}", worker.log());
}

#[test]
fn no_watch_leaves_the_file_to_others() {
    let (mut worker, mut connection) = with_tmp(APPLICATION).arg("--no-watch").connected();
    // Tells when it would have happened.
    let (mut other, mut others) = with_tmp(APPLICATION).connected();
    assert_eq!((connection.get("/").text(), others.get("/").text()), ("ok", "ok"));
    touch(&worker);
    touch(&other);
    other.wait();
    assert_eq!(connection.get("/").text(), "ok");
    worker.signal("HUP");
    expect_close(&mut connection);
    assert_eq!(worker.wait().code(), Some(0));
    assert!(!worker.log().contains("restart.txt"), "{}", worker.log());
}

#[test]
fn an_import_under_way_is_not_waited_for() {
    let source = "print('importing', flush=True)\n\
        __import__('threading').Event().wait()\n";
    for (why, ask) in WAYS {
        let (mut worker, mut connection) = with_tmp(source).connected();
        worker.wait_log("importing");
        ask(&worker);
        connection.expect_end();
        assert_eq!(worker.wait().code(), Some(0));
        assert!(worker.log().contains(&format!("{why} during the import")), "{}", worker.log());
    }
}

#[test]
fn one_that_nobody_would_replace_stays_and_says_why() {
    for (why, ask) in WAYS {
        let (worker, path) = with_tmp(APPLICATION).listening();
        ask(&worker);
        let line = worker.wait_log(why);
        assert!(line.contains("nobody would start another") && line.contains("--children 2"), "{line}");
        assert_eq!(Connection::to(&path).get("/").text(), "ok");
    }
}

#[test]
fn watching_imports_takes_a_group() {
    let (worker, mut connection) = Start::application(APPLICATION).arg("--watch").connected();
    let line = worker.wait_log("--watch");
    assert!(line.contains(" warning: ") && line.contains("takes a listening socket"), "{line}");
    assert_eq!(connection.get("/").text(), "ok");
}

#[test]
fn an_application_that_could_not_be_imported_makes_way_as_well() {
    let (mut worker, mut connection) = with_tmp("raise ValueError").connected();
    assert_eq!(connection.get("/").status, 500);
    touch(&worker);
    expect_close(&mut connection);
    assert_eq!(worker.wait().code(), Some(7));
}
