//! The control socket and its file. Only whoever may be let in can connect: the file has mode 0600 from the start.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, fchmod, flock};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with,
};

use crate::socket_file::{InTheWay, SocketFile, clear_stale};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;

/// A listening control socket. Its file is removed when this is dropped.
#[derive(Debug)]
pub(super) struct ControlSocket {
    listener: OwnedFd,
    file: SocketFile,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    /// Another group has it, or is about to.
    #[error("another group answers there; it is tried again until that is gone")]
    Served,
    /// What is there cannot be replaced.
    #[error("{0}")]
    InTheWay(InTheWay),
    /// The operating system refused.
    #[error("{0}")]
    System(#[from] io::Error),
}

impl From<Errno> for NotOpened {
    fn from(errno: Errno) -> Self {
        Self::System(errno.into())
    }
}

impl ControlSocket {
    /// Listens on `path`, which may be a socket nobody serves any more.
    ///
    /// # Errors
    /// What is in the way.
    pub(super) fn open(path: &Path) -> Result<Self, NotOpened> {
        // A server may start several groups at once: one that has bound its socket and does not listen yet must not look
        // stale to the next. Where the folder cannot be locked, there is that risk.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = File::open(folder)?;
        if flock(&folder, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Err(NotOpened::Served);
        }
        clear_stale(path).map_err(|there| match there {
            InTheWay::Served => NotOpened::Served,
            other => NotOpened::InTheWay(other),
        })?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // The file gets the mode of the socket, less what the umask takes.
        fchmod(&listener, Mode::RUSR | Mode::WUSR)?;
        bind(&listener, &SocketAddrUnix::new(path)?)?;
        let file = SocketFile::of(path)?;
        let socket = Self { listener, file };
        listen(&socket.listener, BACKLOG)?;
        Ok(socket)
    }

    /// The next connection, if there is one.
    pub(super) fn accept(&self) -> Result<OwnedFd, Errno> {
        accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
    }

    /// Whether its file is still there.
    pub(super) fn is_there(&self) -> bool {
        self.file.is_there()
    }
}

impl AsFd for ControlSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.file.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn its_mode_is_0600_and_it_goes_with_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sock");
        drop(UnixListener::bind(&path).unwrap());
        let socket = ControlSocket::open(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(socket.accept().unwrap_err(), Errno::AGAIN);
        let _client = UnixStream::connect(&path).unwrap();
        socket.accept().unwrap();
        assert!(matches!(ControlSocket::open(&path), Err(NotOpened::Served)));
        assert!(socket.is_there());
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_is_left_alone_and_a_folder_that_is_locked_is_tried_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sock");
        std::fs::write(&path, "keep").unwrap();
        assert!(matches!(ControlSocket::open(&path), Err(NotOpened::InTheWay(InTheWay::File))));
        assert_eq!(std::fs::read(&path).unwrap(), b"keep");
        std::fs::remove_file(&path).unwrap();
        let folder = File::open(dir.path()).unwrap();
        flock(&folder, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(matches!(ControlSocket::open(&path), Err(NotOpened::Served)));
        assert!(!path.exists());
    }
}
