//! Core files: none unless LSAPI_ALLOW_CORE_DUMP is set, and then one in the application's working directory.

use std::fs;

use crate::group::{Group, application};
use crate::support::Start;

const SOURCE: &str = "import os\n\
    def application(environ, start_response):\n\
    \x20   if environ['PATH_INFO'] == '/abort': os.abort()\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'%d' % os.getpid()]\n";

/// Whether a crash would leave its core file in the working directory: no program takes it, and no other folder.
fn files_are_seen() -> bool {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("/proc is mounted");
    !pattern.contains(['/', '|'])
}

/// The limit of core files, as `/proc` shows it: soft and hard.
fn limit(pid: &str) -> (String, String) {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("the process is there");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
    let mut words = line.expect("every process has it").split_whitespace().map(str::to_owned);
    let mut word = || words.next().expect("soft and hard");
    (word(), word())
}

/// Lets a worker crash; returns whether it has left a core file, or would be allowed to.
fn crash(start: Start) -> bool {
    let group = Group::start(start);
    let pid = group.connect().get("/").text().to_owned();
    let (soft, hard) = limit(&pid);
    let template = group.template().expect("a template").to_string();
    for other in [&template, &group.pid().to_string()] {
        assert_eq!(limit(other), (soft.clone(), hard.clone()), "the same in all roles");
    }
    let response = group.connect().get("/abort");
    assert_eq!(response.status, 500);
    let line = group.log("was killed by SIGABRT");
    if !files_are_seen() {
        eprintln!("core files do not go to the working directory here: the limit is checked, and no file");
        return soft != "0";
    }
    eprintln!("the core file itself is checked; the limit was {soft} of {hard}");
    let names = fs::read_dir(group.dir()).expect("the folder is ours").flatten().map(|file| file.file_name());
    let has_core = names.into_iter().any(|name| name.to_string_lossy().starts_with("core"));
    assert_eq!(line.contains("core dumped"), has_core, "{line}");
    has_core
}

#[test]
fn a_crash_leaves_no_core_file() {
    assert!(!crash(application(SOURCE, 2)));
}

#[test]
fn a_crash_leaves_a_core_file_where_they_are_allowed() {
    if limit("self").1 == "0" {
        eprintln!("skipped: no process here may raise its limit of core files");
        return;
    }
    assert!(crash(application(SOURCE, 2).env("LSAPI_ALLOW_CORE_DUMP", "1")));
}
