//! Whether a user can get at a file, told from the permissions on the way to it.
//!
//! What access lists or a mount add to them shows only when the subject is tried.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mock_lsws::User;

/// Permission bits, as in one digit of a mode.
const READ: u32 = 4;
const EXECUTE: u32 = 1;

/// The first thing on the way to `file`, folders first, that `user` may not pass; for the file itself, reading is asked
/// for, and executing where its owner may. `None` when nothing is in the way, or the file is not there.
pub(super) fn obstacle(file: &Path, user: &User) -> Option<PathBuf> {
    let file = file.canonicalize().ok()?;
    let mut folders: Vec<&Path> = file.ancestors().skip(1).collect();
    folders.reverse();
    let closed = folders.into_iter().find(|folder| !may(folder, user, EXECUTE));
    let wanted = if is_executable(&file) { READ | EXECUTE } else { READ };
    closed.or((!may(&file, user, wanted)).then_some(&*file)).map(Path::to_path_buf)
}

/// Whether anybody may execute `file`.
pub(super) fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|file| file.mode() & 0o111 != 0)
}

/// Whether `user` has all permissions in `wanted` on `path`.
fn may(path: &Path, user: &User, wanted: u32) -> bool {
    let Ok(file) = path.metadata() else { return false };
    // The first class that fits decides, even where a later one would allow more.
    let class = if user.uid == 0 {
        return true;
    } else if file.uid() == user.uid {
        6
    } else if file.gid() == user.gid || user.groups.contains(&file.gid()) {
        3
    } else {
        0
    };
    file.mode() >> class & wanted == wanted
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A user that owns nothing here.
    fn stranger() -> User {
        User { uid: 64_999, gid: 64_999, groups: vec![64_999] }
    }

    #[test]
    fn the_first_closed_folder_is_named_and_then_the_file() {
        let top = tempfile::tempdir_in("/tmp").unwrap();
        let allow = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        let top_path = top.path().canonicalize().unwrap();
        let (below, file) = (top_path.join("below"), top_path.join("below/file"));
        fs::create_dir(&below).unwrap();
        fs::write(&file, "").unwrap();
        allow(&top_path, 0o700);
        allow(&below, 0o700);
        allow(&file, 0o640);
        assert_eq!(obstacle(&file, &stranger()), Some(top_path.clone()));
        allow(&top_path, 0o711);
        assert_eq!(obstacle(&file, &stranger()), Some(below.clone()));
        allow(&below, 0o755);
        assert_eq!(obstacle(&file, &stranger()), Some(file.clone()));
        allow(&file, 0o644);
        assert_eq!(obstacle(&file, &stranger()), None);
        // A program has to be executed too.
        allow(&file, 0o744);
        assert_eq!(obstacle(&file, &stranger()), Some(file.clone()));
        allow(&file, 0o755);
        assert_eq!(obstacle(&file, &stranger()), None);
    }

    #[test]
    fn group_and_owner_come_before_others() {
        let file = tempfile::NamedTempFile::new_in("/tmp").unwrap();
        let (uid, gid) = (file.as_file().metadata().unwrap().uid(), file.as_file().metadata().unwrap().gid());
        let member = User { uid: 64_999, gid: 64_999, groups: vec![64_999, gid] };
        fs::set_permissions(file.path(), Permissions::from_mode(0o640)).unwrap();
        assert_eq!(obstacle(file.path(), &member), None);
        assert!(obstacle(file.path(), &stranger()).is_some());
        fs::set_permissions(file.path(), Permissions::from_mode(0o604)).unwrap();
        assert!(obstacle(file.path(), &member).is_some(), "the group's bits decide for its members");
        let owner = User { uid, gid: 64_999, groups: Vec::new() };
        assert_eq!(obstacle(file.path(), &owner), None);
    }
}
