//! Point 29: detached applications that outlive their server, and are found by the next one.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use mock_lsws::ProcessInfo;
use rustix::process::Signal;

use crate::served::Served;
use crate::stand::{Answered, answered, pid_file, runs, signal, site};
use crate::support::{lswsgi, serve};

fn served(folder: &Path, args: &[&str]) -> Served {
    let all = [&["--max-conns", "2", "--env", "LSAPI_CHILDREN=2"], args, &["--", lswsgi(), "-m", "app.wsgi"]];
    serve(folder, &all.concat())
}

fn asked(served: &Served) -> Answered {
    let answer = served.get("/");
    answered(&answer).unwrap_or_else(|| panic!("{answer:?}: {}", served.stderr()))
}

/// Stops the server as Ctrl-C does; what stays is not its affair.
fn stop(mut served: Served) -> String {
    served.signal(Signal::INT);
    let status = served.ended(&[]);
    assert!(status.success(), "{status}: {}", served.stderr());
    served.stderr()
}

fn eventually(what: &str, seen: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !seen() {
        assert!(Instant::now() < limit, "never came: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends what a test has left behind when it fails.
struct Guard<'a>(&'a Path);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let pid = fs::read(pid_file(self.0))
            .ok()
            .and_then(|bytes| Some(i32::from_ne_bytes(*bytes[16..].first_chunk()?)));
        if let Some(pid) = pid.filter(|pid| *pid > 0 && runs(*pid)).and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

#[test]
fn point_29_a_detached_application_outlives_its_server_and_is_found_by_the_next() {
    let site = site();
    let (run, socket) = (["--keep-detached", "run"], site.path().join("run/wsgi:_.sock"));
    let _guard = Guard(&socket);
    let first = served(site.path(), &run);
    let answered = asked(&first);
    let parent = ProcessInfo::of(answered.started).expect("it runs").ppid;
    let log = stop(first);
    assert!(runs(answered.started) && socket.exists() && pid_file(&socket).exists(), "{log}");
    assert_eq!(fs::metadata(pid_file(&socket)).expect("a file").len(), 32);
    let orphan = ProcessInfo::of(answered.started).expect("it runs");
    assert!(orphan.ppid != parent && orphan.sid == orphan.pid, "{orphan}");

    // One that is killed leaves it too.
    let second = served(site.path(), &run);
    assert_eq!(asked(&second).started, answered.started);
    assert!(second.stderr().contains("was found running"), "{}", second.stderr());
    second.kill();
    assert!(runs(answered.started) && socket.exists());

    // One that does not keep what it finds ends it.
    let address = socket.to_str().expect("a path in UTF-8");
    let third = served(site.path(), &["--address", address]);
    assert_eq!(asked(&third).started, answered.started);
    stop(third);
    eventually("the end of its processes", || !runs(answered.started) && !runs(answered.by));
    assert!(!socket.exists() && !pid_file(&socket).exists());
}

#[test]
fn point_29_one_that_died_meanwhile_is_started_anew() {
    let site = site();
    let socket = site.path().join("run/wsgi:_.sock");
    let _guard = Guard(&socket);
    let run = ["--keep-detached", "run"];
    let first = served(site.path(), &run);
    let before = asked(&first);
    stop(first);
    signal(before.started, Signal::KILL);
    eventually("the end of its processes", || !runs(before.started) && !runs(before.by));
    let second = served(site.path(), &run);
    let after = asked(&second);
    assert_ne!(after.started, before.started);
    // While it serves, too: its socket is made again.
    signal(after.started, Signal::KILL);
    eventually("its end", || !runs(after.started));
    let last = asked(&second);
    assert_ne!(last.started, after.started);
    stop(second);
    let third = served(site.path(), &run);
    assert_eq!(asked(&third).started, last.started, "the file names the last one");
    stop(third);
    signal(last.started, Signal::TERM);
    eventually("the end of its processes", || !runs(last.started) && !runs(last.by));
}

#[test]
fn point_29_one_that_is_there_is_not_started_twice() {
    let site = site();
    let socket = site.path().join("run/wsgi:_.sock");
    let _guard = Guard(&socket);
    let run = ["--keep-detached", "run"];
    // Two servers that want the same application: the second finds what the first has started.
    let first = served(site.path(), &run);
    let second = served(site.path(), &run);
    assert_eq!(asked(&first).started, asked(&second).started);
    let before = asked(&first);
    // The one that needs it first starts it again, and the other finds that.
    signal(before.started, Signal::KILL);
    eventually("the end of its processes", || !runs(before.started) && !runs(before.by));
    let started = asked(&first);
    assert_ne!(started.started, before.started);
    assert_eq!(asked(&second).started, started.started);
    stop(first);
    assert_eq!(asked(&second).started, started.started);
    stop(second);
    signal(started.started, Signal::TERM);
    eventually("the end of its processes", || !runs(started.started) && !runs(started.by));
}
