//! Soaks of a few seconds: of lswsgi, and of applications that keep something of every request.

use std::fs;

use crate::support::{lswsgi, run};

/// A subject that runs the application of a soak inside one of its own, which keeps what `leak` makes in each request.
fn leaking(leak: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let app = format!(
        "import os, runpy\n\
         inner = runpy.run_path(os.environ['SOAK'])['application']\n\
         kept = []\n\
         def application(environ, start_response):\n\
         \x20   kept.append({leak})\n\
         \x20   return inner(environ, start_response)\n"
    );
    fs::write(folder.path().join("leak.py"), app).unwrap();
    let subject = format!(
        "name = \"leaking\"\nuser = \"self\"\nbinary = {:?}\n\
         command = [\"{{binary}}\", \"-m\", \"{{folder}}/leak.py\"]\nprovides = [\"wsgi\"]\n\
         env = {{ PYTHONDONTWRITEBYTECODE = \"1\", SOAK = \"{{script}}\" }}\n[roles]\n",
        lswsgi(),
    );
    fs::write(folder.path().join("subject.toml"), subject).unwrap();
    folder
}

/// Soaks it for two seconds as one worker.
fn soak(folder: &tempfile::TempDir, more: &[&str]) -> crate::support::Run {
    let subject = folder.path().join("subject.toml");
    let subject = subject.to_str().unwrap();
    run([&["soak", "--seconds", "2", "--mode", "worker", "--subject", subject], more].concat())
}

#[test]
fn lswsgi_is_sound_in_both_modes() {
    let binary = lswsgi().to_str().unwrap();
    for mode in ["group", "worker"] {
        let run = run(["soak", "--seconds", "2", "--mode", mode, "--user", "self", "--binary", binary]);
        assert_eq!(run.code, Some(0), "{mode}:\n{}{}", run.stdout, run.stderr);
        assert!(run.stdout.starts_with("soak of lswsgi for 2 s: "), "{}", run.stdout);
        assert!(run.last_line().starts_with("sound: no growth"), "{}", run.stdout);
    }
}

#[test]
fn a_descriptor_kept_of_every_request_is_found() {
    let run = soak(&leaking("os.open('/dev/null', os.O_RDONLY)"), &[]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.last_line().starts_with("NOT SOUND: growth of descriptors"), "{}", run.stdout);
}

#[test]
fn a_child_nobody_waits_for_is_found() {
    let run = soak(&leaking("os.posix_spawn('/bin/true', ['true'], {})"), &[]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.last_line().contains("growth of zombies"), "{}", run.stdout);
}

#[test]
fn shared_memory_kept_of_every_request_is_found() {
    let leak = "(memory := __import__('mmap').mmap(-1, 65536), memory.write(b'x' * 65536))";
    let run = soak(&leaking(leak), &[]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.last_line().contains("growth of shared memory"), "{}", run.stdout);
}

#[test]
fn wrong_answers_are_told_and_no_success() {
    let run = soak(&leaking("1 / 0"), &[]);
    assert_eq!(run.code, Some(1), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("not as expected: Small: acknowledged, status 500"), "{}", run.stdout);
}

#[test]
fn all_figures_can_be_had_as_json_in_place_of_the_table() {
    let run = soak(&leaking("None"), &["--json", "-"]);
    let value: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, &value["sound"]), (Some(0), &serde_json::Value::Bool(true)), "{}", run.stdout);
    assert_eq!(value["rows"].as_array().map(Vec::len), Some(7));
    assert!(value["samples"].as_array().is_some_and(|samples| samples.len() >= 8), "{}", run.stdout);
    assert!(value["traffic"]["exchanges"]["small"].as_u64() > Some(0));
}

#[test]
fn a_subject_that_runs_no_python_cannot_be_soaked() {
    let run = run(["soak", "--subject", "lsphp", "--seconds", "2"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("lsphp does not provide `wsgi`"), "{}", run.stderr);
}
