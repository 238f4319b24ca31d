//! Reloads: new code takes over, nothing is lost, and code that cannot be used changes nothing.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use lsapi::{PacketType, RequestBuilder};
use rustix::process::Signal;

use crate::control;
use crate::group::{Group, application, eventually, send};
use crate::pool::is_silent;
use crate::processes;
use crate::support::{Event, Response, Start};
use crate::traffic;

/// An application that says which version it is.
fn version(number: u64) -> String {
    format!(
        "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'version {number}']\n"
    )
}

/// Puts another text in the place of the application, whole.
fn deploy(group: &Group, source: &str) {
    replace(&group.dir().join("app.py"), source);
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// A group of `children` of version 1.
fn first_version(children: u32) -> Group {
    started(application(&version(1), children))
}

fn started(start: Start) -> Group {
    let group = Group::start(start);
    assert_eq!(group.connect().get("/").text(), "version 1", "{}", group.said());
    group
}

/// Waits until a new connection gets this answer; until then only `before` may come.
fn until_answered(group: &Group, before: &str, after: &str) {
    eventually(group, after, || {
        let response = group.connect().get("/");
        assert_eq!(response.status, 200, "{}", group.said());
        let text = response.text();
        assert!(text == before || text == after, "{text}");
        (text == after).then_some(())
    });
}

fn stop(mut group: Group) {
    group.signal(Signal::TERM);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
}

#[test]
fn what_is_sent_after_the_answer_to_a_reload_is_run_by_new_code() {
    let slow = "import os, time\n\
        def application(environ, start_response):\n\
        \x20   if environ['PATH_INFO'] == '/slow':\n\
        \x20       print('running', flush=True)\n\
        \x20       while not os.path.exists('go'): time.sleep(0.01)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'version 1']\n";
    let group = control::started(control::controlled(slow, 9));
    let mut busy = group.connect();
    busy.send(&RequestBuilder::get("/slow").encode());
    group.log("running");
    let mut idle: Vec<_> = (0..8).map(|_| group.connect()).collect();
    for connection in &mut idle {
        assert_eq!(connection.get("/").text(), "version 1", "{}", group.said());
    }
    deploy(&group, &version(2));
    let answer = control::ask(&control::socket(&group), "{\"command\": \"reload\"}\n");
    // Who has a connection without a request has been told that it ends. A request that runs is not waited for.
    let untold = idle.iter().filter(|connection| is_silent(connection)).count();
    assert!(answer["ok"]["seconds"].is_f64(), "{answer}");
    assert_eq!(untold, 0, "{}", group.said());
    assert_eq!(group.connect().get("/").text(), "version 2");
    std::fs::write(group.dir().join("go"), "").unwrap();
    assert_eq!(busy.response().text(), "version 1");
    stop(group);
}

#[test]
fn hup_brings_new_code_and_all_workers_of_the_old_leave() {
    let group = first_version(3);
    let mut connections = [group.connect(), group.connect(), group.connect()];
    for connection in &mut connections {
        assert_eq!(connection.get("/").text(), "version 1");
    }
    let old: HashSet<u32> = group.workers().into_iter().collect();
    let template = group.template().unwrap();
    deploy(&group, &version(2));
    group.signal(Signal::HUP);
    group.log("reloaded: new code serves");
    assert_eq!(group.connect().get("/").text(), "version 2");
    eventually(&group, "gone", || group.workers().iter().all(|pid| !old.contains(pid)).then_some(()));
    eventually(&group, "gone", || (group.template() != Some(template)).then_some(()));
    for pid in old {
        group.log(&format!("worker {pid} left: reload"));
    }
    stop(group);
}

#[test]
fn a_request_of_the_old_code_ends_as_it_began_while_new_code_serves() {
    let source = "import os, time\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   yield b'one '\n\
        \x20   while not os.path.exists('go'): time.sleep(0.01)\n\
        \x20   yield b'version 1'\n";
    let group = Group::start(application(source, 2));
    let mut long = group.connect();
    long.send(&RequestBuilder::get("/").encode());
    let mut old = Response::default();
    while old.body.is_empty() {
        assert_ne!(long.next(&mut old), Event::End, "{}", group.said());
    }
    deploy(&group, &version(2));
    group.signal(Signal::HUP);
    group.log("reloaded: new code serves");
    // As many of the new code as there may be: the one of the old does not count.
    let mut new = [group.connect(), group.connect()];
    for connection in &mut new {
        assert_eq!(connection.get("/").text(), "version 2");
    }
    std::fs::write(group.dir().join("go"), "").unwrap();
    while long.next(&mut old) != Event::End {}
    assert_eq!(old.text(), "one version 1");
    assert_eq!(old.packets[old.packets.len() - 2..], [PacketType::ConnClose, PacketType::RespEnd]);
    drop(new);
    stop(group);
}

/// Asks for a reload to `source`, which is of no use because of `why`; then for nothing, and mends it.
fn is_tried_and_mended(start: Start, source: &str, why: &str) {
    let group = started(start);
    let mut kept = group.connect();
    assert_eq!(kept.get("/").text(), "version 1");
    // Where workers import for themselves, one that is forked later has what is there then.
    assert_eq!(group.connect().get("/").text(), "version 1");
    let before: HashSet<u32> = group.workers().into_iter().collect();
    deploy(&group, source);
    group.signal(Signal::HUP);
    let line = group.log("reload failed");
    assert!(line.contains(why), "{line}");
    assert!(line.contains("the old code goes on serving; next try in 1 s, at once when "), "{line}");
    // The same workers, on the same connections.
    assert_eq!(kept.get("/").text(), "version 1");
    assert_eq!(group.connect().get("/").text(), "version 1");
    assert!(before.iter().all(|&pid| processes::state(pid).is_some()), "{}", group.said());
    deploy(&group, &version(2));
    until_answered(&group, "version 1", "version 2");
    drop(kept);
    stop(group);
}

#[test]
fn code_that_cannot_be_imported_changes_nothing_until_it_is_mended() {
    is_tried_and_mended(application(&version(1), 2), "import no_such_module\n", "no_such_module");
}

#[test]
fn code_that_crashes_at_its_import_changes_nothing_until_it_is_mended() {
    let crash = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n";
    is_tried_and_mended(application(&version(1), 2), crash, "was killed by SIGSEGV");
}

#[test]
fn code_that_hangs_at_its_import_changes_nothing_until_it_is_mended() {
    let hang = "import threading\nthreading.Event().wait()\n";
    let start = application(&version(1), 2).arg("--start-timeout").arg("3");
    is_tried_and_mended(start, hang, "not ready within 3 s (--start-timeout)");
}

#[test]
fn code_without_the_callable_changes_nothing_until_it_is_mended() {
    is_tried_and_mended(application(&version(1), 2), "nothing = 0\n", "application");
}

#[test]
fn code_that_crashes_after_the_fork_changes_nothing_until_it_is_mended() {
    let crash = format!("import os\nos.register_at_fork(after_in_child=os.abort)\n{}", version(3));
    is_tried_and_mended(application(&version(1), 2), &crash, "the first worker was killed by SIGABRT");
}

#[test]
fn workers_that_import_for_themselves_show_it_with_one_of_them() {
    for (source, why) in [
        ("import no_such_module\n", "no_such_module"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "was killed by SIGSEGV"),
    ] {
        let start = application(&version(1), 2).arg("--load").arg("lazy");
        is_tried_and_mended(start, source, why);
    }
}

#[test]
fn an_import_of_a_worker_that_hangs_changes_nothing_until_it_is_mended() {
    let hang = "import threading\nthreading.Event().wait()\n";
    let start = application(&version(1), 2).arg("--load").arg("lazy").arg("--start-timeout").arg("3");
    is_tried_and_mended(start, hang, "the first worker was not ready within 3 s (--start-timeout)");
}

#[test]
fn threads_after_the_import_may_come_and_go_with_the_code() {
    let group = first_version(2);
    let threads = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n";
    deploy(&group, &format!("{threads}{}", version(2)));
    group.signal(Signal::HUP);
    until_answered(&group, "version 1", "version 2");
    group.log("threads run after the import");
    group.logs(1, "template ready: workers import the application");
    deploy(&group, &version(3));
    group.signal(Signal::HUP);
    until_answered(&group, "version 2", "version 3");
    group.logs(2, "template ready: application imported");
    stop(group);
}

#[test]
fn requests_that_come_while_one_is_under_way_are_one_more() {
    let slow = "import time\nopen('imports', 'a').write('x')\ntime.sleep(1)\n";
    let group = first_version(2);
    deploy(&group, &format!("{slow}{}", version(2)));
    group.signal(Signal::HUP);
    eventually(&group, "importing", || group.dir().join("imports").exists().then_some(()));
    // It has read its file by now.
    deploy(&group, &format!("{slow}{}", version(3)));
    for count in 1..=5 {
        group.signal(Signal::HUP);
        group.logs(1 + count, "SIGHUP from process");
    }
    group.logs(2, "reloaded: new code serves");
    assert_eq!(group.connect().get("/").text(), "version 3");
    assert_eq!(std::fs::read_to_string(group.dir().join("imports")).unwrap(), "xx");
    stop(group);
}

#[test]
fn a_request_during_the_first_import_is_one_more() {
    let slow = "import time\nopen('imports', 'a').write('x')\ntime.sleep(1)\n";
    let group = Group::start_only(application(&format!("{slow}{}", version(1)), 2));
    eventually(&group, "importing", || group.dir().join("imports").exists().then_some(()));
    deploy(&group, &version(2));
    group.signal(Signal::HUP);
    group.log("reloaded: new code serves");
    assert_eq!(group.connect().get("/").text(), "version 2");
    stop(group);
}

#[test]
fn an_application_that_never_worked_is_tried_when_asked() {
    let source =
        format!("import os\nif not os.path.exists('data/there'): raise OSError('not yet')\n{}", version(1));
    let start = application(&source, 2);
    std::fs::create_dir(start.dir().join("data")).unwrap();
    let group = Group::start_only(start);
    assert_eq!(group.connect().get("/").status, 500);
    // A wait that is long enough to see who ended it.
    let told = group.log("next try in 8 s");
    // Neither the file nor its folder changes.
    std::fs::write(group.dir().join("data/there"), "").unwrap();
    let begun = Instant::now();
    group.signal(Signal::HUP);
    eventually(&group, "served", || (group.connect().get("/").status == 200).then_some(()));
    assert!(begun.elapsed() < Duration::from_secs(7), "{told}\n{}", group.said());
    group.log("reloaded: new code serves");
    stop(group);
}

#[test]
fn a_stop_ends_a_reload() {
    let group = first_version(2);
    deploy(&group, "print('importing', flush=True)\nimport threading\nthreading.Event().wait()\n");
    group.signal(Signal::HUP);
    group.log("importing");
    stop(group);
}

#[test]
fn without_the_template_that_served_the_next_one_does() {
    let group = first_version(2);
    let template = group.template().unwrap();
    let slow = "import os, time\nopen('importing', 'w')\nwhile not os.path.exists('go'): time.sleep(0.01)\n";
    deploy(&group, &format!("{slow}{}", version(2)));
    group.signal(Signal::HUP);
    eventually(&group, "importing", || group.dir().join("importing").exists().then_some(()));
    send(template, Signal::KILL);
    group.log(&format!("template {template} was killed by SIGKILL, not by lswsgi"));
    assert_eq!(group.connect().get("/").text(), "version 1");
    std::fs::write(group.dir().join("go"), "").unwrap();
    group.log("reloaded: new code serves");
    until_answered(&group, "version 1", "version 2");
    stop(group);
}

#[test]
fn a_killed_template_of_new_code_is_a_reload_that_failed() {
    let group = first_version(2);
    let template = group.template().unwrap();
    deploy(&group, "print('importing', flush=True)\nimport threading\nthreading.Event().wait()\n");
    group.signal(Signal::HUP);
    group.log("importing");
    let next = group.templates().into_iter().find(|&pid| pid != template).unwrap();
    deploy(&group, &version(2));
    send(next, Signal::KILL);
    let line = group.log("reload failed");
    assert!(line.contains("was killed by SIGKILL, not by lswsgi"), "{line}");
    until_answered(&group, "version 1", "version 2");
    stop(group);
}

#[test]
fn a_reload_that_failed_is_made_good_also_when_the_template_that_served_has_died() {
    let group = first_version(2);
    let mut kept = group.connect();
    assert_eq!(kept.get("/").text(), "version 1");
    let old = group.workers();
    let template = group.template().unwrap();
    deploy(&group, "import no_such_module\n");
    group.signal(Signal::HUP);
    // Nothing is under way for a while.
    group.log("the old code goes on serving; next try in 4 s");
    send(template, Signal::KILL);
    group.log("every request is answered with 500");
    assert_eq!(kept.get("/").text(), "version 1");
    deploy(&group, &version(2));
    group.log("reloaded: new code serves");
    let mut told = Response::default();
    assert_eq!(kept.next(&mut told), Event::Packet(PacketType::ConnClose), "{}", group.said());
    drop(kept);
    eventually(&group, "gone", || group.workers().iter().all(|pid| !old.contains(pid)).then_some(()));
    assert_eq!(group.connect().get("/").text(), "version 2");
    stop(group);
}

/// Each piece of an answer says which code it is of. The id is noted down, as `traffic` wants it.
const PIECES: &str = "
import os
log = os.open('ids', os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def application(environ, start_response):
    os.write(log, b'%s %d\\n' % (environ['QUERY_STRING'].encode(), os.getpid()))
    start_response('200 OK', [])
    for _ in range(5):
        yield b'%d ' % VERSION
";

#[test]
fn twenty_thousand_requests_are_answered_once_by_one_version_each_during_twenty_reloads() {
    const REQUESTS: u64 = 20_000;
    const RELOADS: u64 = 20;
    let text = |version: u64| format!("VERSION = {version}\n{PIECES}");
    let group = control::started(control::controlled(&text(1), 8));
    let reloads = || control::status(&group)["reloads"]["completed"].as_u64().unwrap();
    let versions = Mutex::new(HashSet::new());
    let see = |response: &Response| {
        let mut pieces = response.text().split_whitespace();
        let first = pieces.next().unwrap_or_else(|| panic!("{response:?}"));
        assert!(pieces.clone().count() == 4 && pieces.all(|piece| piece == first), "{response:?}");
        versions.lock().unwrap().insert(first.to_owned());
    };
    let outcome = traffic::meanwhile(&group, see, |sent| {
        let mut next = Instant::now();
        let mut version = 1;
        while sent() < REQUESTS || reloads() < RELOADS {
            version += 1;
            deploy(&group, &text(version));
            group.signal(Signal::HUP);
            next += Duration::from_millis(300);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    });
    outcome.expect_all();
    assert!(outcome.sent >= REQUESTS, "{}", outcome.sent);
    assert_eq!(control::status(&group)["requests"], outcome.sent);
    // Versions whose turn was short may have served nobody.
    let versions = versions.into_inner().unwrap();
    assert!(versions.len() as u64 > RELOADS / 2, "{versions:?}");
    stop(group);
}

#[test]
fn nothing_is_lost_when_templates_are_killed_at_any_moment_of_a_reload() {
    const KILLS: u64 = 30;
    let text = |version: u64| format!("VERSION = {version}\n{PIECES}");
    let group = Group::start(application(&text(1), 4));
    let count = |text| group.said().matches(text).count();
    let outcomes = || count("reloaded: ") + count("reload failed: ");
    let outcome = traffic::meanwhile(
        &group,
        |_| (),
        |_| {
            for kill in 1..=KILLS {
                let before = outcomes();
                deploy(&group, &text(1 + kill));
                group.signal(Signal::HUP);
                std::thread::sleep(Duration::from_millis(fastrand::u64(0..150)));
                let templates = group.templates();
                if !templates.is_empty() {
                    send(templates[fastrand::usize(..templates.len())], Signal::KILL);
                }
                // Who kills every template before it is ready leaves nobody who could serve.
                eventually(&group, "an outcome", || (outcomes() > before).then_some(()));
            }
        },
    );
    outcome.expect_all();
    // Whatever has been killed, the next reload works.
    deploy(&group, &version(2));
    group.signal(Signal::HUP);
    eventually(&group, "served", || (group.connect().get("/").text() == "version 2").then_some(()));
    stop(group);
}
