//! Finding and reading the capture files; what is in them is for the tables to say.

use lsapi::{BeginRequest, limits::MAX_REQUEST_PACKET};
use std::fs;
use std::path::PathBuf;

/// The end of the names of files with what the server sent.
pub(crate) const REQUESTS: &str = ".server_to_app.bin";
/// The end of the names of files with what the application sent.
pub(crate) const RESPONSES: &str = ".app_to_server.bin";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures")
}

/// The folders, and in each its files of one direction, as `folder/connNNN`; sorted.
pub(crate) fn files(suffix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for folder in fs::read_dir(root()).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        for file in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
            let (folder, file) = (folder.file_name(), file.file_name());
            if let Some(connection) = file.to_str().unwrap().strip_suffix(suffix) {
                found.push(format!("{}/{connection}", folder.to_str().unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// Names of all folders, sorted.
pub(crate) fn folders() -> Vec<String> {
    let entries = fs::read_dir(root()).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The bytes of `folder/connNNN` in one direction.
pub(crate) fn read(file: &str, suffix: &str) -> Vec<u8> {
    let path = root().join(format!("{file}{suffix}"));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first request of a file; every file starts with one.
pub(crate) fn first_request(bytes: &[u8]) -> BeginRequest<'_> {
    BeginRequest::decode(bytes, MAX_REQUEST_PACKET).unwrap()
}
