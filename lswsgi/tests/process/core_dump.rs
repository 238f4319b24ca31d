//! Core files of a worker without a group: none unless LSAPI_ALLOW_CORE_DUMP is set, and then in the application's folder.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use crate::support::Start;

const SOURCE: &str = "import os\n\
    def application(environ, start_response):\n\
    \x20   if environ['PATH_INFO'] == '/abort': os.abort()\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [os.getcwd().encode()]\n";

/// Whether a crash leaves its core file in the working directory here: no program takes it, and no other folder.
fn files_are_seen() -> bool {
    !fs::read_to_string("/proc/sys/kernel/core_pattern").expect("/proc is mounted").contains(['/', '|'])
}

/// Soft and hard limit of core files.
fn limits(pid: &str) -> [String; 2] {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("the process is there");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
    let mut words = line.expect("every process has it").split_whitespace().map(str::to_owned);
    [(); 2].map(|()| words.next().expect("soft and hard"))
}

/// Crashes in a request. Returns whether a core file was written, or could have been.
fn crash(start: Start) -> bool {
    let (mut worker, mut connection) = start.connected();
    assert_eq!(connection.get("/").text(), worker.dir.path().to_str().expect("a plain name"));
    let [soft, hard] = limits(&worker.pid().to_string());
    let response = connection.get("/abort");
    assert_eq!((response.status, response.names().last()), (500, Some(&"RESP_END")));
    let status = worker.wait();
    assert_eq!(status.signal(), Some(6));
    if !files_are_seen() {
        eprintln!("checked on the limit: core files do not go to the working directory here");
        assert_eq!(soft, hard);
        return soft != "0";
    }
    eprintln!("checked on the file");
    let files = fs::read_dir(worker.dir.path()).expect("the folder is ours").flatten();
    let has_core = files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("core"));
    assert_eq!(status.core_dumped(), has_core);
    has_core
}

#[test]
fn a_crash_leaves_no_core_file_by_default() {
    assert!(!crash(Start::application(SOURCE)));
}

#[test]
fn a_crash_leaves_a_core_file_where_the_operator_wants_it() {
    if limits("self")[1] == "0" {
        eprintln!("nothing to check: no process here may raise its limit of core files");
        return;
    }
    assert!(crash(Start::application(SOURCE).env("LSAPI_ALLOW_CORE_DUMP", "")));
}
