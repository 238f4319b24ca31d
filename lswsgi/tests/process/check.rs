//! `lswsgi check`: what it reports, and outcomes that can be told apart.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use lswsgi::exit_code;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::loading::make_venv;

const GOOD: &str = "print('not in the report')\n\
    def application(environ, start_response): raise SystemExit('called')\n";

const THREADS: &str = "import threading\n\
    for name, daemon in ('poller', False), ('beat', True):\n\
    \x20   threading.Thread(target=threading.Event().wait, name=name, daemon=daemon).start()\n\
    def application(environ, start_response): pass\n";

/// A check to be made of an application in a folder of its own.
struct Check {
    dir: TempDir,
    command: Command,
}

impl Check {
    fn of(source: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.py");
        std::fs::write(&path, source).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_lswsgi"));
        command.env_clear().env("PATH", "/bin:/usr/bin").arg("check").arg("-m").arg(path);
        command.arg("--exit-timeout=0.1");
        Self { dir, command }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn venv(mut self, path: &Path) -> Self {
        self.command.arg("--venv").arg(path);
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// The report in words, and its exit code.
    fn text(&mut self) -> (String, u8) {
        let output = self.command.output().unwrap();
        let code = output.status.code().unwrap().try_into().unwrap();
        (String::from_utf8(output.stdout).unwrap(), code)
    }

    fn json(&mut self) -> Value {
        self.command.arg("--json");
        let (text, code) = self.text();
        let report: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(report["exit_code"], code, "{report}");
        report
    }
}

#[test]
fn the_report_names_everything_that_decides_how_an_application_runs() {
    let mut check = Check::of(GOOD);
    let path = check.path("app.py");
    let report = check.json();
    let prefix = report["installation"]["prefix"].as_str().unwrap().to_owned();
    let version = report["python"].as_str().unwrap().to_owned();
    assert!(Path::new(env!("LSWSGI_PYTHON")).starts_with(&prefix), "{prefix}");
    assert!(version.starts_with(env!("LSWSGI_PYTHON_VERSION")), "{version}");
    let limit = |name: &str| report["limits"][name].clone();
    let expected = json!({
        "lswsgi": env!("CARGO_PKG_VERSION"),
        "python": version,
        "installation": {
            "executable": env!("LSWSGI_PYTHON"),
            "prefix": prefix,
            "base_prefix": prefix,
            "stdout_encoding": "utf-8",
        },
        "venv": null,
        "application": path,
        "callable": "application",
        "threads": [],
        "native_threads": [],
        "group": null,
        "limits": {
            "requests": 10_000,
            "request_seconds": 3600,
            "idle_seconds": 300,
            "request_packet_bytes": 262_144,
            "open_files": limit("open_files"),
            "processes": limit("processes"),
            "memory_bytes": limit("memory_bytes"),
        },
        "exit_code": 0,
        "error": null,
    });
    assert_eq!(report, expected);

    // The same in words; the application is not called, and what it prints does not get into the report.
    let word = |limit: Value| if limit.is_null() { "none".to_owned() } else { limit.to_string() };
    let mut check = Check::of(GOOD);
    let expected = format!(
        "lswsgi           {}\n\
         Python           {version}\n\
         executable       {}\n\
         prefix           {prefix}\n\
         standard output  utf-8\n\
         venv             none\n\
         application      {}\n\
         callable         application\n\
         threads          none\n\
         workers          this process alone\n\
         requests         10000\n\
         request seconds  3600\n\
         idle seconds     300\n\
         request packet   262144 bytes\n\
         open files       {}\n\
         processes        {}\n\
         memory bytes     {}\n\
         result           ready to serve\n",
        env!("CARGO_PKG_VERSION"),
        env!("LSWSGI_PYTHON"),
        check.path("app.py").display(),
        word(limit("open_files")),
        word(limit("processes")),
        word(limit("memory_bytes")),
    );
    assert_eq!(check.text(), (expected, exit_code::OK));
}

#[test]
fn each_outcome_has_an_exit_code_of_its_own_a_sentence_and_the_rest_of_the_report() {
    let old = tempfile::tempdir().unwrap();
    std::fs::write(old.path().join("pyvenv.cfg"), "version = 2.7.18\n").unwrap();
    let outcomes = [
        (Check::of(GOOD), exit_code::OK, "ready to serve"),
        (
            Check::of("import no_such_module\n"),
            exit_code::IMPORT,
            "importing the application {app} failed: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (
            Check::of("import os\nos._exit(0)\n"),
            exit_code::IMPORT,
            "importing the application {app} failed: RuntimeError: os._exit(0) was called, which ends the process",
        ),
        // A child may.
        (
            Check::of(&format!("import os\nif not os.fork(): os._exit(0)\nos.wait()\n{GOOD}")),
            exit_code::OK,
            "ready to serve",
        ),
        (
            Check::of("other = 1\n"),
            exit_code::NO_CALLABLE,
            "{app} has no callable 'application'; name another one with -m FILE:CALLABLE",
        ),
        (
            Check::of(THREADS),
            exit_code::THREADS,
            "threads are alive after the import ('poller', 'beat'), and a fork would not take them along: such an \
             application is imported by each process for itself",
        ),
        (
            Check::of(GOOD).venv(old.path()),
            exit_code::PYTHON,
            "the virtual environment {venv} (--venv) was made for Python 2.7, and this lswsgi embeds Python {python}: make \
             it anew with 'python{python} -m venv', or use an lswsgi built for Python 2.7",
        ),
    ];
    let help = Command::new(env!("CARGO_BIN_EXE_lswsgi")).args(["check", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let documented = help.split_once("Exit codes:").expect("help names the exit codes").1;
    let mut codes = BTreeSet::new();
    for (mut check, code, told) in outcomes {
        let app = check.path("app.py").display().to_string();
        let told = told
            .replace("{app}", &app)
            .replace("{venv}", &old.path().display().to_string())
            .replace("{python}", env!("LSWSGI_PYTHON_VERSION"));
        let (text, found) = check.text();
        assert_eq!(found, code, "{text}");
        assert!(text.ends_with(&format!("\nresult           {told}\n")), "{text}");
        let report = check.json();
        assert_eq!((&report["exit_code"], &report["application"]), (&code.into(), &app.into()));
        let error = if code == exit_code::OK { Value::Null } else { told.into() };
        assert_eq!(report["error"], error);
        // There was a Python to ask, but for a virtual environment it does not start in.
        let encoding = &report["installation"]["stdout_encoding"];
        assert_eq!(encoding.as_str(), (code != exit_code::PYTHON).then_some("utf-8"), "{report}");
        let has_callable = matches!(code, exit_code::OK | exit_code::THREADS);
        assert_eq!(report["callable"].as_str(), has_callable.then_some("application"), "{report}");
        assert!(documented.contains(&format!("  {code} ")), "{code} is not in {documented}");
        codes.insert(code);
    }
    assert_eq!(codes.len(), 5, "{codes:?}");
}

#[test]
fn threads_are_told_by_name_also_those_python_does_not_know() {
    let report = Check::of(THREADS).json();
    let threads = json!([{"name": "poller", "daemon": false}, {"name": "beat", "daemon": true}]);
    assert_eq!((&report["threads"], &report["native_threads"]), (&threads, &json!([])));
    let (text, _) = Check::of(THREADS).text();
    assert!(text.contains("\nthreads          poller, beat (daemon)\n"), "{text}");

    let native = "import _thread\n\
        lock = _thread.allocate_lock()\n\
        lock.acquire()\n\
        _thread.start_new_thread(lock.acquire, ())\n\
        def application(environ, start_response): pass\n";
    let (text, code) = Check::of(native).text();
    assert_eq!(code, exit_code::THREADS, "{text}");
    assert!(text.contains("\nthreads          lswsgi (not of Python)\n"), "{text}");
    assert!(text.contains("alive after the import ('lswsgi' (not of Python)), and"), "{text}");
}

#[test]
fn a_virtual_environment_is_reported_with_who_named_it() {
    let dir = tempfile::tempdir().unwrap();
    let venv = dir.path().join("env");
    make_venv(&venv);
    let beside = Check::of(GOOD);
    let place = beside.path(".venv");
    symlink(&venv, &place).unwrap();
    for (mut check, path, origin) in [
        (Check::of(GOOD).venv(&venv), &venv, "--venv"),
        (Check::of(GOOD).env("VIRTUAL_ENV", venv.to_str().unwrap()), &venv, "VIRTUAL_ENV"),
        (beside, &place, "beside the application"),
    ] {
        let (text, code) = check.text();
        assert_eq!(code, exit_code::OK, "{text}");
        assert!(text.contains(&format!("\nvenv             {} ({origin})\n", path.display())), "{text}");
        let report = check.json();
        assert_eq!(report["venv"], json!({"path": path, "origin": origin}));
        let installation = &report["installation"];
        assert_eq!(installation["prefix"], json!(path));
        assert_eq!(installation["executable"], json!(path.join("bin/python")));
        assert_ne!(installation["base_prefix"], installation["prefix"]);
    }
}

#[test]
fn a_virtual_environment_that_is_none_is_found_before_python_starts() {
    let report = Check::of(GOOD).venv(Path::new("/nowhere")).json();
    assert_eq!(report["exit_code"], exit_code::PYTHON);
    assert!(report["error"].as_str().unwrap().contains("/nowhere"), "{report}");
    assert!(report["error"].as_str().unwrap().contains("is no virtual environment"), "{report}");
    assert_eq!((&report["installation"], &report["venv"]), (&Value::Null, &Value::Null));
}

#[test]
fn limits_and_encoding_are_those_a_worker_would_have() {
    let variables = [("LSAPI_MAX_REQS", "77"), ("LSAPI_MAX_IDLE", "0"), ("PYTHONIOENCODING", "latin-1")];
    let mut check =
        variables.into_iter().fold(Check::of(GOOD), |check, (name, value)| check.env(name, value));
    let inner = &check.command;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "ulimit -n 123 && exec \"$@\"", "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap());
    }
    check.command = command;
    let report = check.json();
    let limits = &report["limits"];
    assert_eq!((&limits["requests"], &limits["idle_seconds"]), (&77.into(), &Value::Null));
    assert_eq!((&limits["open_files"], &report["exit_code"]), (&123.into(), &0.into()));
    assert_eq!(report["installation"]["stdout_encoding"], "iso8859-1");
}

#[test]
fn a_group_is_reported_with_who_would_import_the_application() {
    let alone = Check::of(GOOD).json();
    assert_eq!(alone["group"], Value::Null);
    let threads = format!(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n{GOOD}"
    );
    for (source, load, importer) in [
        (GOOD, "auto", "the template"),
        (&*threads, "auto", "each worker, as threads run after the import"),
        (&*threads, "preload", "the template (--load preload)"),
        (GOOD, "lazy", "each worker (--load lazy)"),
    ] {
        let report = Check::of(source).env("LSAPI_CHILDREN", "6").env("LSWSGI_LOAD", load).json();
        let expected = serde_json::json!({ "workers": 6, "extra_workers": 2, "importer": importer });
        assert_eq!(report["group"], expected, "{load}");
    }
}
