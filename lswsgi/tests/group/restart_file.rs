//! `tmp/restart.txt`: whoever touches it asks for new code.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use lsapi::RequestBuilder;
use rustix::process::Signal;

use crate::group::{Group, application, eventually};
use crate::processes;
use crate::support::Response;
use crate::traffic::{self, noting};

const SOURCE: &str = "def application(environ, start_response):\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'ok']\n";

/// Makes it, or touches it. One change, however busy the machine is.
fn touch(dir: &Path) {
    let path = dir.join("tmp/restart.txt");
    if fs::File::create_new(&path).is_err() {
        // Not by the clock, which has ticks.
        let before = path.metadata().unwrap().modified().unwrap();
        fs::File::open(&path).unwrap().set_modified(before + Duration::from_secs(1)).unwrap();
    }
}

#[test]
fn each_change_of_restart_txt_asks_for_one_reload() {
    let start = application(SOURCE, 2);
    fs::create_dir(start.dir().join("tmp")).unwrap();
    let group = Group::start(start);
    group.log("template ready");
    for count in 1..=3 {
        touch(group.dir());
        group.logs(count, "tmp/restart.txt has changed");
    }
    assert_eq!(group.connect().get("/").text(), "ok");
    assert_eq!(group.said().matches("tmp/restart.txt has changed").count(), 3, "{}", group.said());
}

#[test]
fn a_stop_that_follows_as_the_server_sends_it_ends_the_group_after_its_requests() {
    let source = "import os, time\n\
        def application(environ, start_response):\n\
        \x20   print('running', flush=True)\n\
        \x20   while not os.path.exists('go'): time.sleep(.005)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let start = application(source, 2);
    fs::create_dir(start.dir().join("tmp")).unwrap();
    let mut group = Group::start(start);
    let mut connection = group.connect();
    connection.send(&RequestBuilder::get("/").encode());
    group.log("running");
    touch(group.dir());
    group.log("tmp/restart.txt has changed");
    group.signal(Signal::TERM);
    group.log("stopping: SIGTERM");
    touch(group.dir());
    fs::write(group.dir().join("go"), "").unwrap();
    assert_eq!(connection.response().text(), "ok");
    drop(connection);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
    assert_eq!(group.said().matches("has changed").count(), 1, "{}", group.said());
}

/// How often the manager wakes while nothing happens for some looks' time.
fn wakes(group: &Group) -> u64 {
    group.log("template ready");
    let count = || processes::waits(group.pid());
    // Whatever it still has to do.
    std::thread::sleep(Duration::from_millis(300));
    let before = count();
    std::thread::sleep(Duration::from_millis(2500));
    count() - before
}

#[test]
fn an_idle_manager_wakes_only_where_it_has_to_look() {
    let (with, without) = (application(SOURCE, 2), application(SOURCE, 2));
    fs::create_dir(with.dir().join("tmp")).unwrap();
    let (with, without) = (Group::start(with), Group::start(without));
    assert_eq!(wakes(&with), 0, "events tell");
    let count = wakes(&without);
    assert!((1..=4).contains(&count), "once a second, not {count} times");
    // Time that is set by hand may be in the past as well.
    fs::create_dir(without.dir().join("tmp")).unwrap();
    let path = without.dir().join("tmp/restart.txt");
    fs::File::create_new(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    without.log("tmp/restart.txt has changed");
}

#[test]
fn new_code_is_there_within_a_second_and_under_load_no_request_is_lost() {
    const VERSIONS: usize = 4;
    let source = noting("0.002").replace("b'%d' % os.getpid()", "version");
    let start = application(&format!("version = open('version', 'rb').read()\n{source}"), 8);
    let start = start.env("LSAPI_MAX_IDLE_CHILDREN", "8");
    fs::create_dir(start.dir().join("tmp")).unwrap();
    let write = |dir: &Path, version: usize| {
        fs::write(dir.join("version.new"), version.to_string()).unwrap();
        fs::rename(dir.join("version.new"), dir.join("version")).unwrap();
    };
    write(start.dir(), 0);
    let group = Group::start(start);
    // When each version has answered first, and last.
    let answers = Mutex::new([None::<(Instant, Instant)>; VERSIONS]);
    let see = |version: usize| {
        let now = Instant::now();
        let mut answers = answers.lock().unwrap();
        answers[version] = Some((answers[version].map_or(now, |(first, _)| first), now));
    };
    let answered = |version: usize| {
        eventually(&group, "new code", || answers.lock().unwrap()[version]);
    };
    let mut asked = Vec::new();
    let see = |response: &Response| see(response.text().parse().expect("a version"));
    let outcome = traffic::meanwhile(&group, see, |_| {
        answered(0);
        for version in 1..VERSIONS {
            write(group.dir(), version);
            asked.push(Instant::now());
            touch(group.dir());
            answered(version);
        }
        // Whoever still has old code has the time to show it.
        std::thread::sleep(Duration::from_millis(500));
    });
    outcome.expect_all();
    let answers = answers.into_inner().unwrap();
    let mut waited: Vec<Duration> = Vec::new();
    for (version, asked) in asked.into_iter().enumerate() {
        let (_, last_old) = answers[version].expect("it has answered");
        let (first_new, _) = answers[version + 1].expect("it has answered");
        waited.push(first_new.max(last_old) - asked);
    }
    waited.sort_unstable();
    // Other tests run at the same time, and one import may have to wait for them.
    let limits = [Duration::from_secs(1), Duration::from_secs(1), Duration::from_secs(3)];
    assert!(waited.iter().zip(limits).all(|(waited, limit)| *waited < limit), "{waited:?}\n{}", group.said());
}
