//! The programs, and folders of applications.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use conformance::binary;

use crate::served::Served;

fn build(package: &str) -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in a checkout");
    binary::build(package, checkout, None, &|_| {}).unwrap_or_else(|error| panic!("{error}"))
}

/// The binary of lswsgi.
pub(crate) fn lswsgi() -> &'static str {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("lswsgi")).to_str().expect("a path in UTF-8")
}

/// The binary of mock-lsws.
pub(crate) fn mock_lsws() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("mock-lsws"))
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
