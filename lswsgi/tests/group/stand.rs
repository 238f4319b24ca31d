//! A group stands: it serves, is seen, and stops.

use rustix::process::Signal;

use crate::group::{Group, application, eventually};
use crate::pool::Pool;
use crate::processes;

const PID: &str = "import os\n\
    def application(environ, start_response):\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'%d' % os.getpid()]\n";

#[test]
fn a_group_is_a_manager_a_template_and_workers_and_stops_as_one() {
    let mut group = Group::start(application(PID, 4));
    let response = group.connect().get("/");
    assert_eq!(response.notice.map(|pid| pid.to_string()).as_deref(), Some(response.text()));
    let worker = response.text().parse().unwrap();
    let template = group.template().expect("a template");
    assert_eq!(group.workers(), [worker]);
    let mut children = processes::children(group.pid());
    children.sort_unstable();
    let mut expected = vec![template, worker];
    expected.sort_unstable();
    assert_eq!(children, expected);
    assert!(processes::title(group.pid()).starts_with("lswsgi: manager"), "{}", group.said());
    assert_eq!(group.dir().join("server.sock"), group.socket());
    group.signal(Signal::TERM);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
}

#[test]
fn a_worker_that_was_killed_is_replaced_when_it_is_needed() {
    let group = Group::start(application(PID, 2));
    let pool = Pool::new(group.socket().to_owned());
    let first: u32 = pool.get("/").unwrap().text().parse().unwrap();
    crate::group::send(first, Signal::KILL);
    group.log(&format!("worker {first} was killed by SIGKILL"));
    eventually(&group, "reaped", || processes::state(first).is_none().then_some(()));
    let second: u32 = pool.get("/").unwrap().text().parse().unwrap();
    assert_ne!(first, second);
}
