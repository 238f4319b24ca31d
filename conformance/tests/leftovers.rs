//! A run leaves nothing behind, whether its cases pass or fail.

mod support;

use std::fs;
use std::path::Path;

use support::{finished, folder, scenario};

/// The processes whose command line or environment names `marker`.
fn processes_with(marker: &Path) -> Vec<String> {
    let marker = marker.to_str().unwrap();
    let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    pids.filter(|pid| {
        ["cmdline", "environ"].iter().any(|file| {
            // Processes of others cannot be read, and those that have just ended neither.
            fs::read(format!("/proc/{pid}/{file}")).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(marker))
        })
    })
    .collect()
}

#[test]
fn no_process_and_no_file_outlives_a_run() {
    let busy = "[[step]]\nrequest = { path = \"/?ms=60000\" }\nexpect = { within = \"300ms\" }\n";
    let orphaned = format!("[[step]]\nsignal = {{ name = \"KILL\", to = \"parent\" }}\n{busy}");
    let cases = folder(&[
        ("busy", &scenario("worker", "sleep", busy)),
        ("busy-listening", &scenario("listen", "sleep", busy)),
        ("orphaned", &scenario("worker", "sleep", &orphaned)),
        ("passes", &scenario("listen", "sleep", "[[step]]\nrequest = {}\nexpect = { status = 200 }\n")),
    ]);
    // A copy of the application, so that its processes can be told from everybody else's.
    let apps = tempfile::tempdir().unwrap();
    let script = apps.path().join("sleep.wsgi");
    fs::copy(support::scenarios().join("apps/sleep.wsgi"), &script).unwrap();
    let subject = apps.path().join("subject.toml");
    let text = "name = \"copy\"\nbinary = \"/bin/true\"\ncommand = [\"{binary}\", \"-m\", \"{script}\"]\n[roles]\nsleep = \"sleep.wsgi\"\n";
    fs::write(&subject, text).unwrap();
    let temporary = tempfile::tempdir().unwrap();

    let run = finished(
        support::program()
            .args(["run", "--scenarios", cases.path().to_str().unwrap(), "--subject", subject.to_str().unwrap()])
            .args(["--binary", support::lswsgi().to_str().unwrap()])
            .env("TMPDIR", temporary.path())
            .output()
            .unwrap(),
    );
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.last_line().starts_with("1 passed, 3 failed, 0 skipped ("), "{}", run.stdout);
    assert_eq!(processes_with(apps.path()), Vec::<String>::new());
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "temporary files are left");
}
