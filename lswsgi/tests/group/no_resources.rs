//! What is left when the operating system refuses something: processes, descriptors.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::group::{Group, application, below};
use crate::pool::{Pool, tended};
use crate::processes;

const SOURCE: &str = "import os, time\n\
    def application(environ, start_response):\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'%d' % os.getpid()]\n";

/// Makes one connection after the other, each of which the client keeps, and then uses all of them again.
fn connect_often(group: &Group, count: usize) {
    let pools: Vec<Pool> = (0..count).map(|_| Pool::new(group.socket().to_owned())).collect();
    tended(&pools, || {
        for pool in pools.iter().chain(&pools) {
            let response = pool.get("/").unwrap_or_else(|lost| panic!("{lost}\n{}", group.said()));
            assert_eq!(response.status, 200, "{}", group.said());
        }
    });
}

/// A group of a user nobody else is, who may read the interpreter wherever it is. The limit leaves room for the manager, the
/// template and two workers, but not for the process between template and worker while a third is forked. `None` if one
/// cannot be such a user.
fn with_few_processes(source: &str) -> Option<Group> {
    if !rustix::process::geteuid().is_root() {
        eprintln!(
            "skipped: the limit of processes counts all of a user's, so this needs a user of its own, and root for that"
        );
        return None;
    }
    let user = format!("--reuid={}", 100_000 + std::process::id());
    let read = "+dac_read_search,+dac_override";
    let (inherit, ambient) = (format!("--inh-caps={read}"), format!("--ambient-caps={read}"));
    let program = ["setpriv", &user, "--clear-groups", &inherit, &ambient, "prlimit", "--nproc=5"];
    Some(Group::start(below(application(source, 8), &program)))
}

#[test]
fn without_processes_to_spare_those_that_are_there_serve_on() {
    let Some(group) = with_few_processes(SOURCE) else { return };
    // More than can be: an idle connection is given up for each.
    connect_often(&group, 20);
    group.log("cannot fork");
    assert!(group.workers().len() <= 4, "{}", group.said());
    assert!(group.said().matches("cannot fork").count() < 20, "{}", group.said());
}

#[test]
fn a_reload_without_processes_to_spare_fails_and_is_tried_again_later() {
    // Threads count as well, and go with the worker.
    let all = "import threading\n\
        def application(environ, start_response):\n\
        \x20   if environ['PATH_INFO'] == '/all':\n\
        \x20       try:\n\
        \x20           while True: threading.Thread(target=threading.Event().wait, daemon=True).start()\n\
        \x20       except RuntimeError: pass\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return []\n";
    let Some(group) = with_few_processes(all) else { return };
    assert_eq!(group.connect().get("/all").status, 200, "{}", group.said());
    group.signal(Signal::HUP);
    let line = group.log("reload failed: cannot start a template: ");
    assert!(line.contains("the old code goes on serving; next try in 1 s"), "{line}");
    let begun = Instant::now();
    let mut answered: u32 = 0;
    while begun.elapsed() < Duration::from_millis(1500) {
        assert_eq!(group.connect().get("/").status, 200, "{}", group.said());
        answered += 1;
    }
    // Each connection wakes the manager, which is no reason for another attempt.
    assert!(group.said().matches("reload failed").count() <= 3, "{answered}\n{}", group.said());
}

#[test]
fn without_descriptors_to_spare_those_workers_that_are_there_serve_on() {
    let group = Group::start(below(application(SOURCE, 32), &["prlimit", "--nofile=20"]));
    connect_often(&group, 40);
    assert!(processes::descriptors(group.pid()) <= 20);
    // And when there are descriptors again, all is as before.
    for _ in 0..40 {
        assert_eq!(group.connect().get("/").status, 200, "{}", group.said());
    }
}

#[test]
fn the_soft_limit_of_descriptors_holds_for_the_application_and_not_for_the_manager() {
    let source = "import resource\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'%d %d' % resource.getrlimit(resource.RLIMIT_NOFILE)]\n";
    let start = application(source, 30).env("LSAPI_MAX_IDLE_CHILDREN", "30");
    let group = Group::start(below(start, &["prlimit", "--nofile=24:500"]));
    let mut connections: Vec<_> = (0..30).map(|_| group.connect()).collect();
    for connection in &mut connections {
        assert_eq!(connection.get("/").text(), "24 500", "{}", group.said());
    }
    assert_eq!(group.workers().len(), 30, "{}", group.said());
    assert!(!group.said().contains("Too many open files"), "{}", group.said());
}
