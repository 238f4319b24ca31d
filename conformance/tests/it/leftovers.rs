//! A run leaves nothing behind, whether its cases pass or fail.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};
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
        assert_eq!(processes_with(self.temporary.path()), Vec::<String>::new());
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

const QUICK: &str = "[[step]]\nrequest = {}\nexpect = { status = 200 }\n";
const ENDLESS: &str = "[[step]]\nrequest = { path = \"/?ms=60000\" }\nexpect = { within = \"60s\" }\n";

fn endless() -> Copy {
    let quick = scenario("worker", "sleep", QUICK);
    Copy::new(&[
        ("endless", &scenario("worker", "sleep", ENDLESS)),
        ("endless-listening", &scenario("listen", "sleep", ENDLESS)),
        ("quick", &quick),
        ("quick-too", &quick),
        ("quick-as-well", &quick),
    ])
}

fn send(signal: Signal, run: &Child) {
    rustix::process::kill_process(Pid::from_child(run), signal).unwrap();
}

#[test]
fn an_interrupted_run_ends_its_reports_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let copy = endless();
        let report = copy.cases.path().join("report.json");
        let mut command = copy.command();
        command.arg(format!("--report=json={}", report.display()));
        let mut run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // When the quick case is reported the run is in the middle of the others.
        let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().starts_with("pass case/quick ")));
        send(signal, &run);
        let last = lines.last().unwrap().unwrap();
        assert_eq!(run.wait().unwrap().code(), Some(130));
        copy.assert_nothing_is_left();

        assert!(last.contains(" 0 failed, 0 skipped, ") && last.contains(" not run ("), "{last}");
        let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        let outcomes: Vec<_> = report["cases"].as_array().unwrap().iter().collect();
        assert_eq!(outcomes.len(), 5, "{report}");
        assert_eq!(outcomes[0]["verdict"]["reason"], "the run was interrupted");
        assert_eq!(report["summary"]["exit_code"], 130);
        assert!(report["summary"]["error"].as_str().unwrap().starts_with("interrupted"), "{report}");
    }
}

/// SIGINT, or SIGTERM where whoever started this process has it ignored, as shells do for what they run in the background:
/// a run inherits that, and heeds the signal only from the moment it waits for one.
fn interrupt() -> Signal {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    if ignored & (1 << (Signal::INT.as_raw() - 1)) == 0 { Signal::INT } else { Signal::TERM }
}

/// Twenty runs, each stopped at another moment: before the first process is there, while processes come and go, and in the
/// middle of everything.
#[test]
fn a_run_stopped_at_any_moment_leaves_nothing() {
    let stop = |number: u64| {
        let copy = endless();
        let mut run = copy.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let moment = fastrand::Rng::with_seed(number).u64(0..80 * (number + 1));
        thread::sleep(Duration::from_millis(moment));
        send([interrupt(), Signal::TERM, Signal::KILL][number as usize % 3], &run);
        let status = run.wait().unwrap();
        // A signal that comes before anybody waits for one ends the program on the spot, as SIGKILL does: then its helpers
        // tidy up. They have its standard error too, so its end is the end of the last of them.
        let mut rest = String::new();
        run.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
        assert!(
            matches!(status.code(), None | Some(130)),
            "run {number}, after {moment} ms: {status}, {rest}"
        );
        copy.assert_nothing_is_left();
    };
    // Four at a time: each has its own folders and processes to look at.
    thread::scope(|scope| {
        for first in 0..4 {
            scope.spawn(move || (first..20).step_by(4).for_each(stop));
        }
    });
}
