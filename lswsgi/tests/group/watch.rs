//! `--watch`: a reload when a file the application has imported changes.

use std::fs;
use std::path::Path;

use lsapi::PacketType;

use crate::group::{Group, application, eventually};
use crate::support::{Connection, Event, Response, Start};

/// Imports one module at start, and another when it is first asked.
const SOURCE: &str = "import early, json\n\
    def application(environ, start_response):\n\
    \x20   import late\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [f'{early.VALUE} {late.VALUE}'.encode()]\n";

fn write(dir: &Path, name: &str, value: &str) {
    // As editors do it.
    let new = dir.join("new");
    fs::write(&new, format!("VALUE = {value}\n")).unwrap();
    fs::rename(&new, dir.join(name)).unwrap();
}

fn watching(source: &str) -> Start {
    let start = application(source, 2).arg("--watch");
    write(start.dir(), "early.py", "1");
    write(start.dir(), "late.py", "1");
    start
}

/// Changes a module that has been imported, and waits until that has had this effect on the answers.
fn expect_reload(group: &Group, name: &str, value: &str, answer: &str) {
    write(group.dir(), name, value);
    group.log(&format!("{name} has changed"));
    eventually(group, answer, || (group.connect().get("/").text() == answer).then_some(()));
}

#[test]
fn what_is_imported_at_start_or_for_a_request_is_watched() {
    for load in ["auto", "lazy"] {
        let start = watching(SOURCE).arg("--load").arg(load);
        fs::write(start.dir().join("unused.py"), "").unwrap();
        let group = Group::start(start);
        assert_eq!(group.connect().get("/").text(), "1 1", "{load}");
        write(group.dir(), "unused.py", "1");
        expect_reload(&group, "late.py", "2", "1 2");
        expect_reload(&group, "early.py", "2", "2 2");
        // Of the same size, and within the second perhaps.
        expect_reload(&group, "early.py", "3", "3 2");
        assert!(!group.said().contains("unused.py"), "{load}: {}", group.said());
    }
}

#[test]
fn what_an_import_has_failed_in_is_watched() {
    for load in ["auto", "lazy"] {
        let start = watching(SOURCE).arg("--load").arg(load);
        write(start.dir(), "early.py", "(");
        let group = Group::start(start);
        assert_eq!(group.connect().get("/").status, 500);
        expect_reload(&group, "early.py", "1", "1 1");
        // The old code serves on.
        write(group.dir(), "early.py", "undefined");
        group.log("reload failed: importing");
        assert_eq!(group.connect().get("/").text(), "1 1");
        expect_reload(&group, "early.py", "2", "2 1");
    }
}

#[test]
fn hundreds_of_modules_are_watched() {
    let start = watching(&SOURCE.replace("import early", "import package.last, early"));
    let package = start.dir().join("package");
    fs::create_dir(&package).unwrap();
    let names: Vec<String> =
        (0..500).map(|number| format!("module_with_a_name_of_some_length_{number}")).collect();
    for name in &names {
        fs::write(package.join(format!("{name}.py")), "").unwrap();
    }
    fs::write(package.join("last.py"), format!("from . import {}\n", names.join(", "))).unwrap();
    let group = Group::start(start);
    assert_eq!(group.connect().get("/").text(), "1 1");
    for name in [&names[499], &names[0]] {
        expect_reload(&group, &format!("package/{name}.py"), "2", "1 1");
    }
}

#[test]
fn one_worker_by_hand_is_a_group_that_can_reload() {
    let start = Start::application(SOURCE).arg("--watch");
    write(start.dir(), "early.py", "1");
    write(start.dir(), "late.py", "1");
    let (mut worker, path) = start.listening();
    assert!(worker.log().contains("with up to 1 workers"), "{}", worker.log());
    let mut connection = Connection::to(&path);
    assert_eq!(connection.get("/").text(), "1 1");
    write(worker.dir.path(), "early.py", "2");
    assert_eq!(connection.next(&mut Response::default()), Event::Packet(PacketType::ConnClose));
    assert_eq!(Connection::to(&path).get("/").text(), "2 1");
    worker.signal("TERM");
    assert_eq!(worker.wait().code(), Some(0), "{}", worker.log());
}
