//! A run leaves nothing behind, whether its cases pass or fail.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::{self, finished, folder, scenario};

/// The processes whose command line or environment names `marker`.
fn processes_with(marker: &Path) -> Vec<String> {
    let marker = marker.to_str().unwrap();
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    pids.filter(|pid| {
        ["cmdline", "environ"].iter().any(|file| {
            // Processes of others cannot be read, and those that have just ended neither.
            fs::read(format!("/proc/{pid}/{file}"))
                .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(marker))
        })
    })
    .collect()
}

/// A run against a copy of the application, so that its processes can be told from everybody else's.
struct Copy {
    cases: TempDir,
    apps: TempDir,
    temporary: TempDir,
}

impl Copy {
    fn new(cases: &[(&str, &str)]) -> Self {
        let apps = tempfile::tempdir().unwrap();
        let script = support::scenarios().join("apps/sleep.wsgi");
        fs::copy(script, apps.path().join("sleep.wsgi")).unwrap();
        let text = "name = \"copy\"\nuser = \"self\"\nbinary = \"/bin/true\"\ncommand = [\"{binary}\", \"-m\", \"{script}\"]\n[roles]\n\
                    sleep = \"sleep.wsgi\"\n";
        fs::write(apps.path().join("subject.toml"), text).unwrap();
        Self { cases: folder(cases), apps, temporary: tempfile::tempdir().unwrap() }
    }

    fn command(&self) -> Command {
        let mut command = support::program();
        command
            .arg("run")
            .arg("--scenarios")
            .arg(self.cases.path())
            .arg("--subject")
            .arg(self.apps.path().join("subject.toml"))
            .arg("--binary")
            .arg(support::lswsgi())
            .env("TMPDIR", self.temporary.path());
        command
    }

    fn assert_nothing_is_left(&self) {
        assert_eq!(processes_with(self.apps.path()), Vec::<String>::new());
        assert_eq!(fs::read_dir(self.temporary.path()).unwrap().count(), 0, "temporary files are left");
    }
}

const BUSY: &str = "[[step]]\nrequest = { path = \"/?ms=60000\" }\nexpect = { within = \"300ms\" }\n";

#[test]
fn no_process_and_no_file_outlives_a_run() {
    let orphaned = format!("[[step]]\nsignal = {{ name = \"KILL\", to = \"parent\" }}\n{BUSY}");
    let copy = Copy::new(&[
        ("busy", &scenario("worker", "sleep", BUSY)),
        ("busy-listening", &scenario("listen", "sleep", BUSY)),
        ("orphaned", &scenario("worker", "sleep", &orphaned)),
        ("passes", &scenario("listen", "sleep", "[[step]]\nrequest = {}\nexpect = { status = 200 }\n")),
    ]);
    let run = finished(copy.command().output().unwrap());
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.last_line().starts_with("1 passed, 3 failed, 0 skipped ("), "{}", run.stdout);
    copy.assert_nothing_is_left();
}

#[test]
fn an_interrupted_run_leaves_nothing_either() {
    let quick = "[[step]]\nrequest = {}\nexpect = { status = 200 }\n";
    let endless = "[[step]]\nrequest = { path = \"/?ms=60000\" }\nexpect = { within = \"60s\" }\n";
    let copy = Copy::new(&[
        ("endless", &scenario("worker", "sleep", endless)),
        ("endless-listening", &scenario("listen", "sleep", endless)),
        ("quick", &scenario("worker", "sleep", quick)),
    ]);
    let mut run = copy.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // When the quick case is reported the run is in the middle of the others.
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("pass case/quick")));
    let pid = rustix::process::Pid::from_child(&run);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = run.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    copy.assert_nothing_is_left();
}
