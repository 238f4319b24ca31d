//! Socket files: one that nobody serves any more is replaced, any other is left alone, and one's own is removed at the end.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, getpid};

/// A socket file, and the process that has made it.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: CString,
    device_and_inode: (u64, u64),
    process: Pid,
}

/// What is where a socket file is to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InTheWay {
    /// Something else.
    #[error("a file that is not a socket is in the way; remove it or choose another path")]
    File,
    /// A socket somebody serves.
    #[error("another process is serving this socket; stop it or choose another path")]
    Served,
    /// A socket nobody serves, and that cannot be removed.
    #[error("cannot remove the stale socket: {0}")]
    Stale(io::Error),
    /// One cannot tell.
    #[error("{0}")]
    Unknown(io::Error),
}

impl SocketFile {
    /// The file at `path`, which this process has just made.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let identity = std::fs::symlink_metadata(path)?;
        let name = CString::new(path.as_os_str().as_bytes())?;
        Ok(Self { path: name, device_and_inode: (identity.dev(), identity.ino()), process: getpid() })
    }

    /// Whether it is still there, and nothing else has taken its place. Async-signal-safe.
    pub(crate) fn is_there(&self) -> bool {
        rustix::fs::lstat(&*self.path).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == self.device_and_inode)
    }

    /// Removes the file, unless another process has made it or something else has taken its place. Async-signal-safe.
    pub(crate) fn remove(&self) {
        if self.process == getpid() && self.is_there() {
            // Nothing is left to be done about a failure while leaving.
            let _ = rustix::fs::unlink(&*self.path);
        }
    }
}

/// Removes a socket file that nobody serves any more. Anything else in the way is left alone.
///
/// # Errors
/// What is there.
pub(crate) fn clear_stale(path: &Path) -> Result<(), InTheWay> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(InTheWay::Unknown(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(InTheWay::File);
    }
    match try_connect(path) {
        Err(Errno::CONNREFUSED) => std::fs::remove_file(path).map_err(InTheWay::Stale),
        // Also when connecting fails for another reason, such as a full backlog or missing permission: somebody is there.
        _ => Err(InTheWay::Served),
    }
}

/// Connects without waiting: a server whose backlog is full would keep us waiting until it takes a connection.
fn try_connect(path: &Path) -> Result<(), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)
}
