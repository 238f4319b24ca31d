//! The virtual environment with the frameworks in it, made once in the target folder of a package.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

/// The virtual environment in `folder` with what `requirements` (a file) names, made with `python`: that has to be the interpreter
/// lswsgi is linked to. Whoever comes first makes it, and the others wait; one that is unfinished, for another interpreter or of
/// other versions is made anew.
pub(crate) fn venv(folder: &Path, python: &str, requirements: &Path) -> PathBuf {
    let venv = folder.join("frameworks");
    let mark = venv.join("complete");
    let lock = File::create(folder.join("frameworks.lock")).expect("the target folder can be written");
    flock(&lock, FlockOperation::LockExclusive).expect("a lock in the target folder");
    let names = std::fs::read_to_string(requirements).expect("requirements.txt is in the repository");
    let wanted = format!("{python}\n{names}");
    let is_complete = std::fs::read_to_string(&mark).is_ok_and(|found| found == wanted);
    if !is_complete || !venv.join("bin/python").exists() {
        make(&venv, python, requirements);
        std::fs::write(&mark, wanted).expect("the virtual environment can be written");
    }
    venv
}

fn make(venv: &Path, python: &str, requirements: &Path) {
    if venv.exists() {
        std::fs::remove_dir_all(venv).expect("an old virtual environment can be removed");
    }
    let hint = "Python's modules venv and ensurepip are needed (Debian and Ubuntu: python3-venv)";
    run(Command::new(python).args(["-m", "venv"]).arg(venv), hint);
    let hint = "the network is needed once: PyPI, or what PIP_INDEX_URL or PIP_FIND_LINKS names";
    let mut pip = Command::new(venv.join("bin/python"));
    // Every test tries it again: without a network that has to fail soon.
    pip.args(["-m", "pip", "install", "--no-input", "--retries=1", "--require-hashes", "-r"])
        .arg(requirements);
    run(&mut pip, hint);
}

fn run(command: &mut Command, hint: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    assert!(
        output.status.success(),
        "the tests of Flask and Django install both into a virtual environment of their own, and {command:?} failed with \
         {}; {hint}. It said:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
