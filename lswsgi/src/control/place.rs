//! Where the control socket is: where `--control` says, or in the application's folder if that is ours to write.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::geteuid;

use crate::settings::{ControlSocket, Settings};

/// Its place in the folder of an application.
pub(crate) const NAME: &str = "tmp/lswsgi.sock";

/// Longest path of a socket, in bytes: what an address has room for, without the zero at its end.
pub(crate) const LONGEST: usize = 107;

/// Anybody may write to a folder, or those of its group.
const OTHERS_WRITE: u32 = 0o022;

/// Nobody may remove or replace what is another's in a folder.
const STICKY: u32 = 0o1000;

/// Why there is no place for a socket.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPlace {
    /// It was turned off.
    #[error("--control off")]
    Off,
    /// There is no application whose folder it could be in.
    #[error("no application is named (-m)")]
    NoApplication,
    /// There is no such folder.
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    /// The folder is another user's.
    #[error("{} belongs to user {owner}, and this process to user {own}", folder.display())]
    NotOurs { folder: PathBuf, owner: u32, own: u32 },
    /// Others than root could put something else in the place of the folder.
    #[error("{} is not root's alone, and this process is root's", .0.display())]
    NotRoots(PathBuf),
    /// It may not be written.
    #[error("{} cannot be written", .0.display())]
    ReadOnly(PathBuf),
    /// It has no room in an address.
    #[error("{} is longer than the {LONGEST} bytes the path of a socket may have", .0.display())]
    TooLong(PathBuf),
}

/// The path of the control socket.
///
/// # Errors
/// Why there is none.
pub(crate) fn find(settings: &Settings) -> Result<PathBuf, NoPlace> {
    let path = match &settings.operation.control {
        Some(ControlSocket::Off) => return Err(NoPlace::Off),
        Some(ControlSocket::At(path)) => path.clone(),
        None => {
            let application = settings.application.as_ref().ok_or(NoPlace::NoApplication)?;
            let path = application.path.with_file_name(NAME);
            check(path.parent().unwrap_or(Path::new("/")), geteuid().as_raw())?;
            path
        }
    };
    if path.as_os_str().len() > LONGEST { Err(NoPlace::TooLong(path)) } else { Ok(path) }
}

/// Whether `folder` is user `own`'s to put a socket in.
fn check(folder: &Path, own: u32) -> Result<(), NoPlace> {
    let no_folder = || NoPlace::NoFolder(folder.to_owned());
    let there = folder.metadata().ok().filter(std::fs::Metadata::is_dir).ok_or_else(no_folder)?;
    if there.uid() != own {
        return Err(NoPlace::NotOurs { folder: folder.to_owned(), owner: there.uid(), own });
    }
    // Whoever can replace a folder on the way chooses what root makes, and removes.
    if own == 0 {
        let real = folder.canonicalize().map_err(|_| no_folder())?;
        let stranger = real.ancestors().find(|folder| !is_roots(folder));
        if let Some(stranger) = stranger {
            return Err(NoPlace::NotRoots(stranger.to_owned()));
        }
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|_| NoPlace::ReadOnly(folder.to_owned()))
}

/// Whether only root can replace what is root's in `folder`.
fn is_roots(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|there| {
        there.uid() == 0 && (there.mode() & OTHERS_WRITE == 0 || there.mode() & STICKY != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, chown};

    #[test]
    fn a_folder_is_ours_if_it_is_there_and_belongs_to_us() {
        let dir = tempfile::tempdir().unwrap();
        let own = geteuid().as_raw();
        assert_eq!(check(dir.path(), own), Ok(()));
        let gone = dir.path().join("gone");
        assert_eq!(check(&gone, own), Err(NoPlace::NoFolder(gone)));
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(check(&file, own), Err(NoPlace::NoFolder(file)));
        let refused = check(dir.path(), own + 1).unwrap_err().to_string();
        assert!(refused.ends_with(&format!("belongs to user {own}, and this process to user {}", own + 1)));
    }

    #[test]
    fn root_makes_nothing_where_others_could_replace_a_folder() {
        if !geteuid().is_root() {
            eprintln!("skipped: only root can make folders that are root's");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("app/tmp");
        std::fs::create_dir_all(&inner).unwrap();
        let refused = Err(NoPlace::NotRoots(dir.path().join("app")));
        chown(dir.path().join("app"), Some(65534), None).unwrap();
        assert_eq!(check(&inner, 0), refused);
        chown(dir.path().join("app"), Some(0), None).unwrap();
        let set_mode = |mode| {
            std::fs::set_permissions(dir.path().join("app"), Permissions::from_mode(mode)).unwrap();
        };
        set_mode(0o777);
        assert_eq!(check(&inner, 0), refused);
        set_mode(0o1777);
        assert_eq!(check(&inner, 0), Ok(()));
    }
}
