//! Finding the subject's binary, and building it where it belongs to the checkout.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::subject::{BinarySource, Subject, SubjectError};

/// The folder below the target folder where packages are built against the system's Python.
const SYSTEM_PYTHON: &str = "system-python";

/// The binary of `subject`: the one `given` on the command line, or the one its file leads to; packages are built in the
/// checkout at `root`. `say` is told before a build starts.
///
/// # Errors
/// When it cannot be built or is not there.
pub fn find(
    subject: &Subject,
    given: Option<&Path>,
    root: &Path,
    say: &dyn Fn(&str),
) -> Result<PathBuf, SubjectError> {
    if let Some(given) = given {
        return existing(std::path::absolute(given).unwrap_or_else(|_| given.to_owned()));
    }
    match &subject.source {
        BinarySource::CargoPackage(package) => build(package, root, None, say),
        BinarySource::NotNeeded => Ok(PathBuf::new()),
        BinarySource::File(_) => {
            let found = locate(&subject.source.file().unwrap_or_default(), subject.folder());
            found.map_err(|error| error.with_build(subject.build_command()))
        }
    }
}

/// The program `name`: a path, relative to `folder`, or a name looked up on PATH.
pub(crate) fn locate(name: &str, folder: &Path) -> Result<PathBuf, SubjectError> {
    if name.contains('/') {
        // Without the dots in the middle that a path such as ./app brings.
        return existing(folder.join(name).components().collect());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_absolute() && candidate.is_file())
        .ok_or_else(|| SubjectError::NotOnPath(name.to_owned()))
}

fn existing(path: PathBuf) -> Result<PathBuf, SubjectError> {
    if path.is_file() { Ok(path) } else { Err(SubjectError::NoBinary { path, build: None }) }
}

/// One line of what cargo prints with `--message-format=json`; other kinds of lines have no `executable`.
#[derive(Deserialize)]
struct CargoMessage {
    executable: Option<PathBuf>,
    target: Option<CargoTarget>,
}

#[derive(Deserialize)]
struct CargoTarget {
    name: String,
}

/// Builds `package` in the checkout at `root`, in the profile this program itself was built in: a run in release mode is
/// about the binary people use. With `python` it is built against that interpreter, in a target folder of its own so that
/// neither build undoes the other.
///
/// # Errors
/// When there is no cargo, or it fails.
pub fn build(
    package: &str,
    root: &Path,
    python: Option<&Path>,
    say: &dyn Fn(&str),
) -> Result<PathBuf, SubjectError> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(&cargo);
    command
        // Not quietly: a first build takes a minute, and cargo shows how far it is.
        .args(["build", "--package", package, "--bin", package])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // cargo's own words about what is wrong are the best there are.
        .stderr(Stdio::inherit());
    if let Some(python) = python {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        command.env("PYO3_PYTHON", python).env("CARGO_TARGET_DIR", root.join(target).join(SYSTEM_PYTHON));
    }
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        command.arg("--release");
        "release"
    };
    say(&format!("building the subject: {package} ({profile})"));
    let no_cargo = |source| SubjectError::NoCargo { cargo: cargo.clone(), source };
    let output = command.output().map_err(no_cargo)?;
    if !output.status.success() {
        return Err(SubjectError::BuildFailed { package: package.to_owned(), status: output.status });
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<CargoMessage>(line).ok())
        .filter(|message| message.target.as_ref().is_some_and(|target| target.name == package))
        .find_map(|message| message.executable)
        .ok_or_else(|| SubjectError::NoExecutable { package: package.to_owned() })
}
