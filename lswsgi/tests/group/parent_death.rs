//! The process that started the group dies: the web server was killed, and nobody will stop the group.

use std::time::Duration;

use lsapi::RequestBuilder;
use rustix::process::Signal;

use crate::group::{self, Group, application, below, eventually};
use crate::processes;
use crate::support::{Connection, Event, Response, Start};

/// How long a process may take to notice.
const NOTICE: Duration = Duration::from_secs(2);

const SOURCE: &str = "import os, time\n\
    def application(environ, start_response):\n\
    \x20   while environ['PATH_INFO'] == '/wait' and not os.path.exists('go'): time.sleep(.005)\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'%d' % os.getpid()]\n";

/// A shell that starts lswsgi and waits for it, and can be killed without it.
fn below_a_shell(start: Start) -> Group {
    Group::start(below(start, &["sh", "-c", "\"$@\"; exit $?", "sh"]))
}

/// A worker that is asked for its pid; the connection to it stays open.
fn worker(group: &Group) -> (Connection, u32) {
    let mut connection = group.connect();
    let pid = connection.get("/").text().parse().expect("a pid");
    (connection, pid)
}

#[test]
fn an_idle_group_is_gone_within_two_seconds() {
    let group = below_a_shell(application(SOURCE, 4));
    let _idle = [worker(&group), worker(&group)];
    assert_eq!(group.workers().len(), 2);
    group.signal(Signal::KILL);
    group.wait_gone(NOTICE);
}

#[test]
fn a_group_that_has_never_served_is_gone_as_well() {
    let group = below_a_shell(application(SOURCE, 4));
    group.signal(Signal::KILL);
    group.wait_gone(NOTICE);
}

#[test]
fn a_request_that_runs_is_answered_and_then_the_group_is_gone() {
    let group = below_a_shell(application(SOURCE, 4));
    let mut busy = group.connect();
    busy.send(&RequestBuilder::get("/wait").encode());
    let mut response = Response::default();
    assert!(matches!(busy.next(&mut response), Event::Packet(_)));
    let (mut idle, idle_worker) = worker(&group);
    group.signal(Signal::KILL);
    // The other one leaves, and takes nothing more.
    let mut rest = Response::default();
    assert_eq!(idle.next(&mut rest), Event::Packet(lsapi::PacketType::ConnClose));
    drop(idle);
    eventually(&group, "left", || {
        processes::state(idle_worker).is_none_or(|state| state == 'Z').then_some(())
    });
    std::fs::write(group.dir().join("go"), "").unwrap();
    let rest = busy.response();
    assert_eq!(rest.status, 200);
    assert!(rest.names().ends_with(&["CONN_CLOSE", "RESP_END"]), "{rest:?}");
    drop(busy);
    group.wait_gone(NOTICE);
}

#[test]
fn a_group_that_is_told_not_to_look_serves_on_and_stops_when_it_is_asked_to() {
    let group = below_a_shell(application(SOURCE, 4).env("LSAPI_PPID_NO_CHECK", "1"));
    let (mut connection, _) = worker(&group);
    let [manager] = processes::children(group.pid())[..] else { panic!("one child:\n{}", group.said()) };
    group.signal(Signal::KILL);
    eventually(&group, "reparented", || (!processes::children(group.pid()).contains(&manager)).then_some(()));
    // Longer than it may take to notice.
    std::thread::sleep(NOTICE);
    assert_eq!(connection.get("/").status, 200);
    assert_eq!(worker(&group).0.get("/").status, 200);
    group::send(manager, Signal::TERM);
    group.wait_gone(Duration::from_secs(10));
    assert!(!group.said().contains("error"), "{}", group.said());
}

#[test]
fn workers_and_template_do_not_outlive_their_manager() {
    let group = Group::start(application(SOURCE, 4));
    let mut busy = group.connect();
    busy.send(&RequestBuilder::get("/wait").encode());
    let mut response = Response::default();
    assert!(matches!(busy.next(&mut response), Event::Packet(_)));
    let _idle = worker(&group);
    group.signal(Signal::KILL);
    eventually(&group, "only the busy worker left", || (group.workers().len() == 1).then_some(()));
    std::fs::write(group.dir().join("go"), "").unwrap();
    assert!(busy.response().names().ends_with(&["CONN_CLOSE", "RESP_END"]));
    group.wait_gone(NOTICE);
}
