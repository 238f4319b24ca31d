//! What the manager does about processes that end when they should begin.

use std::time::{Duration, Instant};

use lsapi::RequestBuilder;
use rustix::process::Signal;

use crate::group::{Group, application, eventually, send};
use crate::processes;

const SERVES: &str = "import os, threading\n\
    def application(environ, start_response):\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'%d' % os.getpid()]\n";

/// A request is answered with 500 after a few tries, and further ones at once; nothing is forked over and over.
fn is_given_up(source: &str, load: &str, complaint: &str) {
    let mut group = Group::start_only(application(source, 4).arg("--load").arg(load));
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(group.connect().get("/").status, 500, "{}", group.said());
        assert!(begun.elapsed() < Duration::from_secs(5), "{}", group.said());
    }
    let line = group.log("next try in 1 s");
    assert!(line.contains(complaint), "{line}");
    // The second failure in a row: it is not tried more often, whatever comes.
    let asked = Instant::now();
    while !group.said().contains("next try in 2 s") && asked.elapsed() < Duration::from_secs(10) {
        assert_eq!(group.connect().get("/").status, 500, "{}", group.said());
    }
    let said = group.said();
    let started =
        said.lines().filter(|line| line.contains(" started (slot") && line.contains("worker")).count();
    assert!(said.contains("next try in 2 s") && started <= 8, "{started} workers:\n{said}");
    std::fs::write(group.dir().join("app.py"), SERVES).unwrap();
    eventually(&group, "mended", || (group.connect().get("/").status == 200).then_some(()));
    group.signal(Signal::TERM);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
}

#[test]
fn an_import_that_crashes_in_each_worker_is_given_up() {
    is_given_up("import os\nos.abort()\n", "lazy", "3 workers in a row ended before they were ready");
}

#[test]
fn a_fork_callback_that_ends_each_worker_is_given_up() {
    let source = format!("{SERVES}os.register_at_fork(after_in_child=lambda: os._exit(9))\n");
    is_given_up(&source, "preload", "exit code 9");
}

#[test]
fn a_worker_that_ends_before_the_template_has_told_of_it_counts_as_any_other() {
    let source = format!(
        "{SERVES}import time\n\
        os.register_at_fork(after_in_child=lambda: os._exit(9), after_in_parent=lambda: time.sleep(.1))\n"
    );
    is_given_up(&source, "preload", "exit code 9");
}

#[test]
fn an_import_that_ends_each_worker_without_a_complaint_is_given_up() {
    is_given_up("import os\nos._exit(0)\n", "lazy", "exit code 0");
}

#[test]
fn a_fork_callback_that_ends_the_template_is_given_up() {
    let source = format!("{SERVES}os.register_at_fork(before=lambda: os._exit(9))\n");
    is_given_up(&source, "preload", "before there was a worker");
}

/// A group whose first template stops where it would fork.
fn hesitating() -> Group {
    let source = format!(
        "{SERVES}import pathlib\nmark = pathlib.Path('first')\n\
        def before():\n\
        \x20   if not mark.exists():\n\
        \x20       mark.touch()\n\
        \x20       print('forking', flush=True)\n\
        \x20       threading.Event().wait()\n\
        os.register_at_fork(before=before)\n"
    );
    Group::start(application(&source, 4).arg("--load").arg("preload"))
}

#[test]
fn a_connection_for_which_a_template_was_to_fork_gets_a_worker_of_the_next() {
    let group = hesitating();
    let mut connections: Vec<_> = (0..3).map(|_| group.connect()).collect();
    group.log("forking");
    let template = eventually(&group, "a template", || group.template());
    send(template, Signal::KILL);
    for connection in &mut connections {
        assert_eq!(connection.get("/").status, 200, "{}", group.said());
    }
    let zombies =
        || processes::children(group.pid()).into_iter().any(|pid| processes::state(pid) == Some('Z'));
    eventually(&group, "nobody left behind", || (!zombies()).then_some(()));
}

#[test]
fn a_connection_that_was_accepted_before_a_stop_waits_for_the_next_template() {
    let mut group = hesitating();
    let mut connection = group.connect();
    connection.send(&RequestBuilder::get("/").encode());
    group.log("forking");
    group.signal(Signal::TERM);
    group.log("stopping: SIGTERM");
    send(eventually(&group, "a template", || group.template()), Signal::KILL);
    let response = connection.response();
    assert_eq!(response.status, 200, "{response:?}\n{}", group.said());
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
}

#[test]
fn a_manager_whose_time_without_workers_is_over_does_not_spin_while_a_connection_waits() {
    let source = format!("import time\ntime.sleep(2.5)\n{SERVES}");
    let group = Group::start(application(&source, 2).env("LSAPI_PGRP_MAX_IDLE", "1"));
    assert_eq!(group.connect().get("/").status, 200, "{}", group.said());
    let waits = processes::waits(group.pid());
    // It may look for a worker a hundred times a second.
    assert!(waits < 1000, "{waits}");
}

#[test]
fn a_second_interrupt_ends_all_processes_at_once() {
    let source = "import threading\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   yield b'begun'\n\
        \x20   threading.Event().wait()\n";
    let mut group = Group::start(application(source, 2));
    let mut connection = group.connect();
    connection.send(&RequestBuilder::get("/").encode());
    eventually(&group, "a worker", || group.workers().first().copied());
    group.signal(Signal::INT);
    group.log("stopping: SIGINT");
    group.signal(Signal::INT);
    assert_eq!(group.wait().code(), Some(130), "{}", group.said());
    group.wait_gone(Duration::from_secs(2));
}
