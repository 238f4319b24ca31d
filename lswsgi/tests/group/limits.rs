//! Limits of a group: idle workers, an idle group, one connection a worker; and what must not become of those who have left.

use std::time::{Duration, Instant};

use lsapi::RequestBuilder;
use rustix::process::Signal;

use crate::group::{self, Group, application, eventually};
use crate::processes;
use crate::traffic::{self, noting};

const SOURCE: &str = "import os\n\
    def application(environ, start_response):\n\
    \x20   if environ['PATH_INFO'] == '/orphan':\n\
    \x20       if (child := os.fork()) == 0:\n\
    \x20           if os.fork() == 0: os.execv('/bin/sleep', ['sleep', '0.2'])\n\
    \x20           os._exit(0)\n\
    \x20       os.waitpid(child, 0)\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'%d' % os.getpid()]\n";

/// Starts `count` workers by as many connections at the same time, which then end.
fn occupy(group: &Group, count: usize) -> Vec<u32> {
    let mut connections: Vec<_> = (0..count).map(|_| group.connect()).collect();
    // All at once: whoever waits for the others' answers may be idle for so long that it is surplus.
    connections.iter_mut().for_each(|connection| connection.send(&RequestBuilder::get("/").encode()));
    connections.iter_mut().map(|connection| connection.response().text().parse().expect("a pid")).collect()
}

#[test]
fn surplus_workers_leave_at_once_and_as_many_as_are_allowed_stay() {
    let group = Group::start(application(SOURCE, 8).env("LSAPI_MAX_IDLE_CHILDREN", "3"));
    assert_eq!(occupy(&group, 8).len(), 8);
    let begun = Instant::now();
    let left = group.logs(5, "left: surplus (LSAPI_MAX_IDLE_CHILDREN)");
    // A worker counts as idle after a second, and leaves within another.
    let waited = begun.elapsed();
    assert!(waited > Duration::from_millis(900) && waited < Duration::from_secs(4), "{waited:?}");
    assert_eq!((left.len(), group.workers().len()), (5, 3), "{}", group.said());
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(group.workers().len(), 3, "{}", group.said());
}

#[test]
fn workers_that_are_idle_on_a_kept_connection_are_surplus_as_well() {
    let group = Group::start(application(SOURCE, 4).env("LSAPI_MAX_IDLE_CHILDREN", "1"));
    let mut connections: Vec<_> = (0..4).map(|_| group.connect()).collect();
    connections.iter_mut().for_each(|connection| assert_eq!(connection.get("/").status, 200));
    group.logs(3, "left: surplus (LSAPI_MAX_IDLE_CHILDREN)");
    assert_eq!(group.workers().len(), 1, "{}", group.said());
}

#[test]
fn a_manager_leaves_when_it_has_had_no_worker_for_a_while_and_not_before() {
    let start = application(SOURCE, 2).env("LSAPI_MAX_IDLE", "2").env("LSAPI_PGRP_MAX_IDLE", "1");
    let mut group = Group::start(start);
    occupy(&group, 1);
    let begun = Instant::now();
    group.log("left: idle (LSAPI_MAX_IDLE)");
    assert!(begun.elapsed() > Duration::from_millis(1900), "{:?}", begun.elapsed());
    let childless = Instant::now();
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
    let waited = childless.elapsed();
    assert!(waited > Duration::from_millis(900) && waited < Duration::from_secs(4), "{waited:?}");
    assert!(group.said().contains("LSAPI_PGRP_MAX_IDLE"), "{}", group.said());
}

#[test]
fn a_worker_of_one_connection_leaves_with_it() {
    let group = Group::start(application(SOURCE, 2).env("LSAPI_KEEP_LISTEN", "0"));
    let first = occupy(&group, 1);
    group.log(&format!("worker {} left: its connection ended (LSAPI_KEEP_LISTEN)", first[0]));
    let second = occupy(&group, 1);
    assert_ne!(first, second);
}

#[test]
fn nobody_who_has_left_stays_behind_as_a_zombie() {
    let group = Group::start(application(SOURCE, 4));
    let workers = occupy(&group, 4);
    // Orphans of an application become the manager's children, which it did not start.
    for _ in 0..4 {
        assert_eq!(group.connect().get("/orphan").status, 200);
    }
    let alive = eventually(&group, "orphans gone", || {
        let children = processes::children(group.pid());
        (children.len() == 5).then_some(children)
    });
    assert!(workers.iter().all(|worker| alive.contains(worker)), "{}", group.said());
    workers.iter().for_each(|&worker| group::send(worker, Signal::KILL));
    group.logs(4, "was killed by SIGKILL");
    eventually(&group, "only the template left", || {
        (processes::children(group.pid()).len() == 1).then_some(())
    });
    assert_eq!(occupy(&group, 2).len(), 2);
}

#[test]
fn a_group_that_comes_and_goes_keeps_no_descriptors() {
    let group = Group::start(application(SOURCE, 4).env("LSAPI_MAX_REQS", "2"));
    let rounds = |count: usize| {
        for _ in 0..count {
            occupy(&group, 4);
        }
        // Channels of those who have left are closed when they are reaped.
        eventually(&group, "settled", || (group.said().matches(" left: ").count() >= count).then_some(()));
        let template = group.template().expect("a template");
        let count = |pid| {
            let mut seen: Vec<usize> = Vec::new();
            eventually(&group, "quiet", || {
                std::thread::sleep(Duration::from_millis(20));
                seen.push(processes::descriptors(pid));
                seen.ends_with(&[seen[seen.len() - 1]; 5]).then(|| seen[seen.len() - 1])
            })
        };
        (count(group.pid()), count(template))
    };
    let before = rounds(5);
    let after = rounds(50);
    // The manager has a channel to each worker that is there.
    assert!(after.0 <= before.0 + 4 && after.1 == before.1, "{before:?}, then {after:?}");
}

#[test]
fn a_worker_is_idle_from_the_end_of_its_connection_on() {
    let source = "import time\n\
        def application(environ, start_response):\n\
        \x20   time.sleep(1.2)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'']\n";
    let group = Group::start(application(source, 2).env("LSAPI_MAX_IDLE", "1"));
    assert_eq!(group.connect().get("/").status, 200);
    let ended = Instant::now();
    group.log("left: idle (LSAPI_MAX_IDLE)");
    assert!(ended.elapsed() > Duration::from_millis(800), "{:?}:\n{}", ended.elapsed(), group.said());
}

#[test]
fn extra_workers_leave_when_they_are_not_needed_any_more() {
    let source = "import os, time\n\
        def application(environ, start_response):\n\
        \x20   while not os.path.exists('go'): time.sleep(.01)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'']\n";
    let start = application(source, 2).env("LSAPI_EXTRA_CHILDREN", "2");
    let group = Group::start(start.env("LSAPI_MAX_IDLE_CHILDREN", "8"));
    std::thread::scope(|scope| {
        let ask = || assert_eq!(group.connect().get("/").status, 200, "{}", group.said());
        (0..4).for_each(|_| drop(scope.spawn(ask)));
        eventually(&group, "four workers", || (group.workers().len() == 4).then_some(()));
        std::fs::write(group.dir().join("go"), "").unwrap();
    });
    group.logs(2, "left: surplus (LSAPI_MAX_IDLE_CHILDREN)");
    assert_eq!(group.workers().len(), 2, "{}", group.said());
}

#[test]
fn workers_that_have_grown_too_large_are_replaced_and_no_request_is_lost() {
    let source = noting("0").replace("    os.write", "    grown.append(b'x' * 4_000_000)\n    os.write");
    let source = format!("grown = []\n{source}");
    let start = application(&source, 8).arg("--max-rss").arg("80M").env("LSAPI_MAX_IDLE_CHILDREN", "8");
    let group = Group::start(start);
    let outcome = traffic::send(&group, |id| id < 500);
    outcome.expect_all();
    let left = group.logs(8, "left: ").join("\n");
    assert!(left.lines().all(|line| line.ends_with(" MiB of memory used (--max-rss)")), "{left}");
    // One at a time has a few megabytes more than it may, and at most one request that was under way then.
    let most = outcome.per_worker().into_values().max();
    assert!(most.is_some_and(|most| most <= 22), "{most:?}");
}
