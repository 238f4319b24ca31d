//! The programs, and folders of applications.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use conformance::binary;

use crate::served::Served;

fn build(package: &str, python: Option<&Path>) -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in a checkout");
    binary::build(package, checkout, python, &|_| {}).unwrap_or_else(|error| panic!("{error}"))
}

/// The binary of lswsgi with a Python that every user can reach. That of root may be in a folder of root's alone, so root
/// takes the distribution's.
pub(crate) fn lswsgi_for_all() -> PathBuf {
    let system = Path::new("/usr/bin/python3");
    let is_taken = std::env::var_os("PYO3_PYTHON").is_some_and(|python| python == system);
    let python = Some(system).filter(|_| rustix::process::geteuid().is_root() && !is_taken);
    build("lswsgi", python)
}

/// The binary of lswsgi.
pub(crate) fn lswsgi() -> &'static str {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("lswsgi", None)).to_str().expect("a path in UTF-8")
}

/// The binary of mock-lsws.
pub(crate) fn mock_lsws() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("mock-lsws", None))
}

/// `mock-lsws serve ARGS` in `folder`.
pub(crate) fn serve(folder: &Path, args: &[&str]) -> Served {
    let mut program = Command::new(mock_lsws());
    program.current_dir(folder);
    Served::start(program, args)
}

/// A folder with these files.
pub(crate) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder in it");
        std::fs::write(path, text).expect("a file in it");
    }
    folder
}
