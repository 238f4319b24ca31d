//! Finding the binary of a command, as a shell does.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

/// The absolute path of `name`: itself if there is a slash in it, or the first file of that name in `PATH` that may be
/// executed.
pub(super) fn find(name: &OsStr, directory: &Path) -> Option<PathBuf> {
    if Path::new(name).components().count() != 1 || name.as_encoded_bytes().contains(&b'/') {
        return Some(directory.join(name));
    }
    let path = env::var_os("PATH")?;
    let candidates = env::split_paths(&path).map(|folder| directory.join(folder).join(name));
    candidates
        .into_iter()
        .find(|candidate| candidate.is_file() && rustix::fs::access(candidate, Access::EXEC_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_means_a_path_and_no_slash_means_a_search() {
        let here = Path::new("/here");
        assert_eq!(find("./x".as_ref(), here), Some("/here/./x".into()));
        assert_eq!(find("/bin/x".as_ref(), here), Some("/bin/x".into()));
        assert!(find("sh".as_ref(), here).unwrap().is_absolute());
        assert_eq!(find("no-such-program-anywhere".as_ref(), here), None);
    }
}
