//! What is left when the operating system refuses something: processes, descriptors.

use crate::group::{Group, application, below};
use crate::processes;

const SOURCE: &str = "import os, time\n\
    def application(environ, start_response):\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'%d' % os.getpid()]\n";

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
    let mut connections: Vec<_> = (0..2).map(|_| group.connect()).collect();
    connections.iter_mut().for_each(|connection| assert_eq!(connection.get("/").status, 200));
    let before = group.workers();
    // More than can be: an idle connection is given up for each.
    for _ in 0..20 {
        let mut connection = group.connect();
        assert_eq!(connection.get("/").status, 200, "{}", group.said());
        connections.push(connection);
    }
    group.log("cannot fork");
    assert!(group.workers().len() <= 4, "{before:?}: {}", group.said());
    assert!(group.said().matches("cannot fork").count() < 20, "{}", group.said());
}

#[test]
fn without_descriptors_to_spare_those_workers_that_are_there_serve_on() {
    let group = Group::start(below(application(SOURCE, 32), &["prlimit", "--nofile=20"]));
    let mut connections: Vec<_> = (0..6).map(|_| group.connect()).collect();
    connections.iter_mut().for_each(|connection| assert_eq!(connection.get("/").status, 200));
    for _ in 0..40 {
        let mut connection = group.connect();
        assert_eq!(connection.get("/").status, 200, "{}", group.said());
        connections.push(connection);
    }
    assert!(processes::descriptors(group.pid()) <= 20);
    drop(connections);
    // And when there are descriptors again, all is as before.
    for _ in 0..40 {
        assert_eq!(group.connect().get("/").status, 200, "{}", group.said());
    }
}
