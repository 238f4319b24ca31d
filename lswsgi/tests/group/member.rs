//! A worker's side of the group: how it greets its connections, and when it gives them up.

use lsapi::RequestBuilder;
use rustix::process::Signal;

use crate::group::{self, Group, application, eventually};
use crate::processes;
use crate::support::{Connection, Event, Response};

/// Answers with its pid; leaves a line for each request it runs.
const PID: &str = "import os\n\
    def application(environ, start_response):\n\
    \x20   print('running', environ['PATH_INFO'], flush=True)\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'%d' % os.getpid()]\n";

/// The packets of an answer but for those that bring it.
fn said(response: &Response) -> Vec<&'static str> {
    let brings = |name: &&str| !matches!(*name, "RESP_HEADER" | "RESP_STREAM");
    response.names().into_iter().filter(brings).collect()
}

/// What comes on a connection on which nothing has been sent.
fn greeting(connection: &mut Connection) -> Response {
    let mut response = Response::default();
    assert!(matches!(connection.next(&mut response), Event::Packet(_)));
    response
}

#[test]
fn a_worker_greets_its_first_connection_with_its_pid_and_acknowledges_requests_afterwards() {
    let group = Group::start(application(PID, 2));
    let mut first = group.connect();
    // Before there is any request.
    let notice = greeting(&mut first).notice.expect("a notice");
    let response = first.get("/");
    assert_eq!((said(&response), response.text()), (vec!["RESP_END"], &*notice.to_string()));
    assert_eq!(said(&first.get("/")), ["REQ_RECEIVED", "RESP_END"]);
    drop(first);
    let mut second = group.connect();
    for _ in 0..2 {
        let response = second.get("/");
        assert_eq!(said(&response), ["REQ_RECEIVED", "RESP_END"]);
        assert_eq!((response.notice, response.text()), (None, &*notice.to_string()), "the same worker");
    }
}

#[test]
fn connections_are_acknowledged_instead_of_requests_if_that_is_asked_for() {
    let group = Group::start(application(PID, 2).env("LSAPI_ACCEPT_NOTIFY", "1"));
    let mut first = group.connect();
    assert!(greeting(&mut first).notice.is_some());
    assert_eq!(said(&first.get("/")), ["RESP_END"]);
    assert_eq!(said(&first.get("/")), ["RESP_END"]);
    drop(first);
    let mut second = group.connect();
    assert_eq!(greeting(&mut second).names(), ["REQ_RECEIVED"]);
    assert_eq!(said(&second.get("/")), ["RESP_END"]);
}

#[test]
fn a_connection_is_given_up_after_a_request_when_too_many_workers_have_one() {
    let start = application(PID, 4).env("LSAPI_MAX_BUSY_WORKER", "2");
    let group = Group::start(start);
    let mut first = group.connect();
    assert_eq!(first.get("/").names().last_chunk(), Some(&["RESP_STREAM", "RESP_END"]));
    let mut second = group.connect();
    let response = second.get("/");
    assert_eq!(response.names().last_chunk(), Some(&["CONN_CLOSE", "RESP_END"]), "{}", group.said());
    second.expect_end();
    // There is one again, and the worker of the other still serves.
    let third = group.connect().get("/");
    assert_eq!(third.text(), response.text());
}

#[test]
fn a_connection_its_server_has_given_up_is_dropped_and_its_request_not_run() {
    let group = Group::start(application(PID, 2));
    let mut first = group.connect();
    let worker: u32 = first.get("/first").text().parse().unwrap();
    let descriptors = processes::descriptors(worker);
    drop(first);
    eventually(&group, "idle", || {
        (processes::descriptors(worker) < descriptors && processes::state(worker) == Some('S')).then_some(())
    });
    group::send(worker, Signal::STOP);
    eventually(&group, "stopped", || (processes::state(worker) == Some('T')).then_some(()));
    // Nobody serves it before it is closed: the manager sees that, or the worker when it goes on.
    let mut given_up = group.connect();
    given_up.send(&RequestBuilder::get("/given-up").encode());
    drop(given_up);
    group::send(worker, Signal::CONT);
    assert_eq!(group.connect().get("/last").status, 200);
    group.log("dropping a connection its peer has closed");
    assert!(!group.said().contains("running /given-up"), "{}", group.said());
}

#[test]
fn a_worker_that_ends_loses_no_connection_it_has_not_taken() {
    let group = Group::start(application(PID, 2));
    let mut worker: u32 = group.connect().get("/").text().parse().unwrap();
    for round in 0..200 {
        // It has no connection by then, mostly. The manager may hand it the next one before it knows of its end.
        std::thread::sleep(std::time::Duration::from_micros(fastrand::u64(..3000)));
        group::send(worker, if round % 2 == 0 { Signal::TERM } else { Signal::KILL });
        let response = group.connect().get("/");
        assert_eq!(response.status, 200, "round {round}: {response:?}\n{}", group.said());
        worker = response.text().parse().unwrap();
    }
}

#[test]
fn a_worker_says_with_its_last_response_that_it_leaves_and_is_replaced() {
    let group = Group::start(application(PID, 2).env("LSAPI_MAX_REQS", "3"));
    let mut connection = group.connect();
    let first = connection.get("/");
    assert_eq!(said(&connection.get("/")), ["REQ_RECEIVED", "RESP_END"]);
    assert_eq!(said(&connection.get("/")), ["REQ_RECEIVED", "CONN_CLOSE", "RESP_END"]);
    connection.expect_end();
    group.log(&format!("worker {} left: 3 requests served (LSAPI_MAX_REQS)", first.text()));
    assert_ne!(group.connect().get("/").text(), first.text());
}

#[test]
fn one_worker_of_a_group_at_a_time_leaves_before_it_must() {
    let source = "import os, time\n\
        def wait():\n\
        \x20   while os.path.exists('wait'): time.sleep(.01)\n\
        os.register_at_fork(after_in_child=wait)\n\
        def application(environ, start_response):\n\
        \x20   if environ['PATH_INFO'] == '/held':\n\
        \x20       print('held', flush=True)\n\
        \x20       wait()\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let start = application(source, 2).env("LSAPI_MAX_REQS", "6").arg("--max-requests-jitter").arg("4");
    let group = Group::start(start);
    let (mut first, mut second) = (group.connect(), group.connect());
    assert_eq!((first.get("/").status, second.get("/").status), (200, 200));
    // Both may leave after their second request. The one whose request comes first does, and as long as it is not replaced
    // the other stays, until it must go: the replacement is forked at once, and ready only when this test is done.
    std::fs::write(group.dir().join("wait"), "").unwrap();
    first.send(&RequestBuilder::get("/held").encode());
    let mut received = Response::default();
    first.next(&mut received);
    assert_eq!(received.names(), ["REQ_RECEIVED"]);
    // It is acknowledged before it is known to be the last.
    group.log("held");
    for _ in 2..6 {
        assert_eq!(said(&second.get("/")), ["REQ_RECEIVED", "RESP_END"], "{}", group.said());
    }
    assert_eq!(said(&second.get("/")), ["REQ_RECEIVED", "CONN_CLOSE", "RESP_END"]);
    std::fs::remove_file(group.dir().join("wait")).unwrap();
    assert_eq!(said(&first.response()), ["CONN_CLOSE", "RESP_END"]);
    group.log("left: 2 requests served (LSAPI_MAX_REQS)");
    group.log("left: 6 requests served (LSAPI_MAX_REQS)");
}

#[test]
fn a_worker_told_to_stop_by_anybody_finishes_its_request_and_is_replaced() {
    let source = "import os, time\n\
        def application(environ, start_response):\n\
        \x20   if environ['PATH_INFO'] == '/slow':\n\
        \x20       print('running', flush=True)\n\
        \x20       while not os.path.exists('go'): time.sleep(.01)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'%d' % os.getpid()]\n";
    let group = Group::start(application(source, 2));
    let mut connection = group.connect();
    let worker = connection.get("/").text().to_owned();
    connection.send(&RequestBuilder::get("/slow").encode());
    group.log("running");
    group::send(worker.parse().unwrap(), Signal::TERM);
    std::fs::write(group.dir().join("go"), "").unwrap();
    let response = connection.response();
    assert_eq!(
        (response.text(), said(&response)),
        (&*worker, vec!["REQ_RECEIVED", "CONN_CLOSE", "RESP_END"])
    );
    connection.expect_end();
    group.log(&format!("worker {worker} left: stop"));
    assert_ne!(group.connect().get("/").text(), worker);
}

#[test]
fn a_worker_has_no_descriptor_of_the_manager_or_of_another_worker() {
    let source = "import os\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   links = [os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if int(fd) > 2 and os.path.exists(f'/proc/self/fd/{fd}')]\n\
        \x20   return ['\\n'.join(links).encode()]\n";
    let group = Group::start(application(source, 4));
    let mut connections = [group.connect(), group.connect(), group.connect()];
    let all = connections.each_mut().map(|connection| connection.get("/").text().to_owned());
    for links in &all {
        let sockets: Vec<_> = links.lines().filter(|link| link.starts_with("socket:")).collect();
        // The connection and the channel to the manager.
        assert_eq!(sockets.len(), 2, "{links}");
        for socket in sockets {
            let holders = all.iter().filter(|links| links.contains(socket)).count();
            assert_eq!(holders, 1, "{socket} is in {all:?}");
        }
    }
}

#[test]
fn a_program_a_worker_starts_has_no_descriptor_of_it() {
    let source = "import subprocess\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [subprocess.check_output(['ls', '-l', '/proc/self/fd'], close_fds=False)]\n";
    let group = Group::start(application(source, 2));
    let response = group.connect().get("/");
    assert!(
        response.text().contains(" 2 -> ") && !response.text().contains("socket:"),
        "{}",
        response.text()
    );
    assert!(!response.text().contains("eventfd"), "{}", response.text());
}
