//! `lswsgi check`: five outcomes that can be told apart.

use std::path::Path;
use std::process::{Command, Output};

use lswsgi::exit_code;
use serde_json::Value;

fn check(source: &str, args: &[&str]) -> (Output, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("app.py"), source).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lswsgi"));
    command.arg("check").arg("-m").arg(dir.path().join("app.py")).args(args);
    (command.env_clear().env("PATH", "/bin:/usr/bin").output().unwrap(), dir)
}

fn json(source: &str, args: &[&str]) -> (u8, Value, tempfile::TempDir) {
    let (output, dir) = check(source, &[args, &["--json"]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = output.status.code().unwrap();
    assert_eq!(report["exit_code"], code, "{report}");
    (code.try_into().unwrap(), report, dir)
}

const GOOD: &str = "print('not in the report')\n\
    def application(environ, start_response): raise SystemExit('called')\n";

#[test]
fn a_good_application_is_ready_and_the_report_says_in_what() {
    let (code, report, dir) = json(GOOD, &[]);
    assert_eq!(code, exit_code::OK);
    assert_eq!(report["application"], dir.path().join("app.py").to_str().unwrap());
    assert_eq!(report["callable"], "application");
    assert_eq!(report["installation"]["executable"], env!("LSWSGI_PYTHON"));
    assert_eq!(report["installation"]["stdout_encoding"], "utf-8");
    assert_eq!((report["threads"].as_array().unwrap().len(), &report["native_threads"]), (0, &0.into()));
    assert_eq!((&report["limits"]["requests"], &report["error"]), (&10_000.into(), &Value::Null));

    let (output, _dir) = check(GOOD, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("result           ready to serve\n"), "{text}");
    assert!(!text.contains("not in the report"), "{text}");
}

#[test]
fn what_is_wrong_with_an_application_has_an_exit_code_and_a_sentence() {
    let threads = "import threading\n\
        threading.Thread(target=threading.Event().wait, name='poller').start()\n\
        def application(environ, start_response): pass\n";
    for (source, code, told) in [
        ("import no_such_module\n", exit_code::IMPORT, "No module named 'no_such_module'"),
        ("other = 1\n", exit_code::NO_CALLABLE, "has no callable 'application'"),
        (threads, exit_code::THREADS, "'poller'"),
    ] {
        let (found, report, _dir) = json(source, &["--exit-timeout=0.1"]);
        assert_eq!(found, code, "{report}");
        assert!(report["error"].as_str().unwrap().contains(told), "{report}");
        // The rest of the report is there all the same.
        assert_eq!(report["installation"]["stdout_encoding"], "utf-8");
    }
    let (_, report, _dir) = json(threads, &["--exit-timeout=0.1"]);
    assert_eq!(report["threads"], serde_json::json!([{"name": "poller", "daemon": false}]));
}

#[test]
fn a_virtual_environment_that_cannot_be_used_is_found_before_python_starts() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pyvenv.cfg"), "version = 2.7.18\n").unwrap();
    for (venv, told) in
        [(dir.path(), "made for Python 2.7"), (Path::new("/nowhere"), "is no virtual environment")]
    {
        let (code, report, _dir) = json(GOOD, &["--venv", venv.to_str().unwrap()]);
        assert_eq!(code, exit_code::PYTHON);
        assert!(report["error"].as_str().unwrap().contains(told), "{report}");
        assert_eq!(report["installation"], Value::Null);
    }
}
