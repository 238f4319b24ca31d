//! What is left when the operating system refuses something: processes, descriptors.

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

#[test]
fn without_processes_to_spare_those_that_are_there_serve_on() {
    if !rustix::process::geteuid().is_root() {
        eprintln!(
            "skipped: the limit of processes counts all of a user's, so this needs a user of its own, and root for that"
        );
        return;
    }
    // A user nobody else is, who may read the interpreter wherever it is. The limit leaves room for the manager, the
    // template and two workers, but not for the process between template and worker while a third is forked.
    let user = format!("--reuid={}", 100_000 + std::process::id());
    let read = "+dac_read_search,+dac_override";
    let (inherit, ambient) = (format!("--inh-caps={read}"), format!("--ambient-caps={read}"));
    let program = ["setpriv", &user, "--clear-groups", &inherit, &ambient, "prlimit", "--nproc=5"];
    let group = Group::start(below(application(SOURCE, 8), &program));
    // More than can be: an idle connection is given up for each.
    connect_often(&group, 20);
    group.log("cannot fork");
    assert!(group.workers().len() <= 4, "{}", group.said());
    assert!(group.said().matches("cannot fork").count() < 20, "{}", group.said());
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
