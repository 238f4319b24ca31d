//! Templates that end before they are ready: the application cannot be imported, or its import crashes or never ends.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::group::{Group, application, eventually};

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
    group.logs(2, "next try");
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
fn a_group_whose_import_hangs_can_be_stopped() {
    let source = "import threading\nprint('importing', flush=True)\nthreading.Event().wait()\n";
    let mut group = Group::start_only(application(source, 2));
    group.log("importing");
    group.signal(Signal::TERM);
    assert_eq!(group.wait().code(), Some(0), "{}", group.said());
}
