//! Templates that end before they are ready: the application cannot be imported, or its import crashes or never ends.

use std::time::{Duration, Instant};

use lsapi::{PacketType, RequestBuilder};
use rustix::process::Signal;

use crate::group::{Group, application, eventually, send};
use crate::support::{Event, Response};

const GOOD: &str = "def application(environ, start_response):\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'mended']\n";

/// Requests are answered at once, the log says when it is tried again, and a mended file is tried at once.
fn is_answered_until_mended(source: &str, complaint: &str) {
    let mut group = Group::start_only(application(source, 2));
    for _ in 0..3 {
        let begun = Instant::now();
        let response = group.connect().get("/");
        assert_eq!(response.status, 500, "{}", group.said());
        assert!(begun.elapsed() < Duration::from_secs(3), "{}", group.said());
    }
    group.log(complaint);
    // Each further try is later than the one before.
    let tries = group.logs(2, "next try");
    for (seconds, line) in ["1", "2"].into_iter().zip(&tries) {
        assert!(line.contains(&format!("next try in {seconds} s")), "{line}");
    }
    std::fs::write(group.dir().join("app.py"), GOOD).unwrap();
    eventually(&group, "mended", || {
        let response = group.connect().get("/");
        (response.status == 200).then(|| assert_eq!(response.text(), "mended"))
    });
    group.signal(Signal::TERM);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
}

#[test]
fn an_import_that_fails_is_answered_with_500_until_it_is_mended() {
    is_answered_until_mended("import no_such_module\n", "no_such_module");
}

#[test]
fn an_import_that_crashes_is_answered_with_500_until_it_is_mended() {
    is_answered_until_mended("import os\nos.abort()\n", "SIGABRT");
}

#[test]
fn an_import_that_ends_the_process_is_answered_with_500_until_it_is_mended() {
    is_answered_until_mended("import os\nos._exit(3)\n", "template");
}

#[test]
fn a_syntax_error_is_answered_with_500_until_it_is_mended() {
    is_answered_until_mended("def application(:\n", "SyntaxError");
}

#[test]
fn a_template_that_is_killed_while_it_imports_is_replaced_before_anybody_is_refused() {
    let wait = "import os, time\nopen('importing', 'a').write('x')\n\
        while not os.path.exists('go'): time.sleep(0.01)\n";
    let group = Group::start_only(application(&format!("{wait}{GOOD}"), 2));
    let imports = || std::fs::read_to_string(group.dir().join("importing")).unwrap_or_default().len();
    eventually(&group, "importing", || (imports() == 1).then_some(()));
    let mut waiting = group.connect();
    waiting.send(&RequestBuilder::get("/").encode());
    send(group.template().unwrap(), Signal::KILL);
    eventually(&group, "importing again", || (imports() == 2).then_some(()));
    std::fs::write(group.dir().join("go"), "").unwrap();
    assert_eq!(waiting.response().text(), "mended", "{}", group.said());
    group.log("was killed by SIGKILL, not by lswsgi before it was ready; starting another");
}

#[test]
fn a_template_that_is_killed_again_and_again_is_a_failure() {
    // As the kernel does where memory is short.
    let group =
        Group::start_only(application("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", 2));
    assert_eq!(group.connect().get("/").status, 500);
    group.log("next try in 1 s");
    assert_eq!(group.said().matches("; starting another").count(), 1, "{}", group.said());
}

#[test]
fn a_group_whose_import_hangs_can_be_stopped() {
    let source = "import threading\nprint('importing', flush=True)\nthreading.Event().wait()\n";
    let mut group = Group::start_only(application(source, 2));
    group.log("importing");
    group.signal(Signal::TERM);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
}

#[test]
fn what_answers_meanwhile_leaves_when_an_import_succeeds_by_itself() {
    // Nothing in the application's folder changes: the next try finds it.
    let source =
        format!("import os\nif not os.path.exists('data/there'): raise OSError('not there yet')\n{GOOD}");
    let start = application(&source, 2);
    std::fs::create_dir(start.dir().join("data")).unwrap();
    let group = Group::start_only(start);
    let mut kept = group.connect();
    assert_eq!(kept.get("/").status, 500);
    std::fs::write(group.dir().join("data/there"), "").unwrap();
    group.log("template ready: application imported");
    // Told on the connection it has.
    let mut told = Response::default();
    assert_eq!(kept.next(&mut told), Event::Packet(PacketType::ConnClose), "{}", group.said());
    drop(kept);
    eventually(&group, "served", || (group.connect().get("/").status == 200).then_some(()));
}

/// A stand-in begins as a copy of the manager, whose handlers do not know it yet: an order that comes then would end it.
#[test]
fn an_order_to_a_stand_in_that_has_just_been_forked_waits() {
    let group = Group::start(application("raise ValueError\n", 2));
    let status = std::fs::read_to_string(format!("/proc/{}/status", group.pid())).unwrap();
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
    let blocked = u64::from_str_radix(blocked, 16).unwrap();
    // 64 is the last one there is.
    let order_signal = 64 - 2;
    assert_ne!(blocked & 1 << (order_signal - 1), 0, "{blocked:#x}");
}
