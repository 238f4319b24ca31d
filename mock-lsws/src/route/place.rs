//! What lies at a path below a folder.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What lies at a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// A file, and what follows it in the path.
    File(PathBuf, &'a [u8]),
    /// A folder.
    Folder(PathBuf),
    /// Nothing one can serve.
    Nothing,
}

impl<'a> Place<'a> {
    /// Follows `path`, whose parts are separated by slashes, from `root` to the first file. A part that leads up leads
    /// nowhere.
    pub(super) fn find(root: &Path, path: &'a [u8]) -> Self {
        let mut place = root.to_path_buf();
        let mut rest = path;
        loop {
            let start = rest.iter().position(|&byte| byte != b'/').unwrap_or(rest.len());
            let part = rest.get(start..).unwrap_or_default();
            if part.is_empty() {
                return if place.is_dir() { Place::Folder(place) } else { Place::Nothing };
            }
            let end = part.iter().position(|&byte| byte == b'/').unwrap_or(part.len());
            let Some((name, behind)) = part.split_at_checked(end).filter(|(name, _)| *name != b"..") else {
                return Place::Nothing;
            };
            place.push(OsStr::from_bytes(name));
            match place.metadata() {
                Ok(data) if data.is_file() => return Place::File(place, behind),
                Ok(data) if data.is_dir() => rest = behind,
                // Pipes and devices are not for clients.
                _ => return Place::Nothing,
            }
        }
    }
}
