//! Descriptor 0 of an application: one end of a connection, or a listening socket.
//!
//! Owns making both the way a real server does. Which of the two an application gets follows, on a real server, from
//! its configured environment ([`PROCESS_COUNT_VARIABLES`](crate::PROCESS_COUNT_VARIABLES)).

use std::ffi::OsStr;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::{Address, sys};

/// Connections that may wait to be accepted, when nothing else is configured.
pub const DEFAULT_BACKLOG: i32 = 100;

/// How often another name is tried when a socket file is already there.
const ALTERNATE_NAMES: u32 = 9;

/// Makes a connection of which the application gets one end. The first is the application's: once it was passed on
/// no copy of it may stay here, or the end of the application would go unnoticed.
///
/// # Errors
/// When there are no more descriptors.
pub fn socketpair() -> io::Result<(OwnedFd, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    Ok((theirs.into(), ours))
}

/// A listening socket the server made and keeps open while applications accept on their copies of it. A socket file is
/// removed with it.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    address: Address,
    /// The inode of the socket file: somebody else may have put another in its place. 0: it has none.
    inode: u64,
    /// The socket file stays when this goes.
    is_left: bool,
}

impl Listener {
    /// Listens at `path`, mode 0755 whatever the umask. Where there is a file already, at a name beside it: `path.NNN`
    /// with three digits, as the real server does; the address tells which.
    ///
    /// # Errors
    /// When the socket cannot be made, or ten names were all taken and none of such sockets is without an owner.
    pub fn unix(path: &Path, backlog: i32) -> Result<Self, ListenError> {
        let mut name = path.to_path_buf();
        let mut tries = 0;
        loop {
            match Self::bind_unix(&name, backlog) {
                Ok(socket) => {
                    let inode = inode_of(&name).unwrap_or_default();
                    return Ok(Self { socket, address: Address::Unix(name), inode, is_left: false });
                }
                Err(Errno::ADDRINUSE)
                    if tries < ALTERNATE_NAMES || (tries == ALTERNATE_NAMES && remove_dead_ones(path)) =>
                {
                    tries += 1;
                    name = alternate_name(path);
                }
                Err(errno) => return Err(ListenError { address: Address::Unix(name), source: errno.into() }),
            }
        }
    }

    /// Listens at `address`; port 0 takes any free one.
    ///
    /// # Errors
    /// When the socket cannot be made or the address is taken.
    pub fn tcp(address: SocketAddr, backlog: i32) -> Result<Self, ListenError> {
        let error = |source| ListenError { address: address.into(), source };
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let open = || {
            let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            sockopt::set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, &address)?;
            sys::allow_tcp_fastopen(socket.as_fd(), (backlog / 2).min(256));
            rustix::net::listen(&socket, backlog)?;
            let bound = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
            Ok::<_, Errno>(Self { socket, address: bound.into(), inode: 0, is_left: false })
        };
        open().map_err(|errno| error(errno.into()))
    }

    fn bind_unix(path: &Path, backlog: i32) -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        // The file takes its mode from the socket, and only bits in the umask are lost: no moment with another mode.
        rustix::fs::fchmod(&socket, Mode::from_raw_mode(0o755))?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        rustix::net::listen(&socket, backlog)?;
        Ok(socket)
    }

    /// Where to connect to.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Has small writes leave at once on connections over TCP that are accepted from now on.
    pub(crate) fn set_no_delay(&self) {
        if matches!(self.address, Address::Tcp { .. }) {
            // It also works with delays.
            let _ = sockopt::set_tcp_nodelay(&self.socket, true);
        }
    }

    /// The inode of its socket file.
    pub(crate) const fn inode(&self) -> u64 {
        self.inode
    }

    /// Leaves the socket file where it is when this goes: the application serves it on.
    pub(crate) fn leave(mut self) {
        self.is_left = true;
    }

    /// A copy of the socket for one application process.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn share(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.address
            && !self.is_left
            && inode_of(path) == Some(self.inode)
        {
            // Somebody may have removed it already, a whole temporary folder for example.
            let _ = fs::remove_file(path);
        }
    }
}

fn alternate_name(path: &Path) -> PathBuf {
    let number = RandomState::new().hash_one(path) % 1000;
    let mut name = path.as_os_str().to_os_string();
    name.push(format!(".{number:03}"));
    name.into()
}

/// The inode of what is at `path`.
pub(crate) fn inode_of(path: &Path) -> Option<u64> {
    path.symlink_metadata().ok().map(|found| found.ino())
}

/// Removes sockets with names like the alternates of `path` at which nobody listens. False: there were none.
fn remove_dead_ones(path: &Path) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(OsStr::to_str)) else {
        return false;
    };
    let is_alternate = |file: &OsStr| {
        let suffix = file.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.'));
        suffix.is_some_and(|suffix| suffix.len() == 3 && suffix.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter(|entry| is_alternate(&entry.file_name())).map(|entry| entry.path());
    files.filter(|file| is_dead(file) && fs::remove_file(file).is_ok()).count() > 0
}

/// Whether `path` is a socket nobody listens at. One with a full backlog is not, and is not waited for.
fn is_dead(path: &Path) -> bool {
    let is_socket = path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket());
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let connect = || {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)
    };
    is_socket && connect() == Err(Errno::CONNREFUSED)
}

/// A socket that cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}: {source}")]
pub struct ListenError {
    /// The address.
    pub address: Address,
    /// Why not.
    pub source: io::Error,
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_file_is_made_with_its_mode_and_removed_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        let listener = Listener::unix(&path, 5).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert!(meta.file_type().is_socket());
        assert_eq!(meta.permissions().mode() & 0o7777, 0o755);
        drop(listener);
        assert!(!path.exists());
    }

    #[test]
    fn a_stale_socket_file_stays_and_another_name_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        fs::write(&path, "in use").unwrap();
        let listener = Listener::unix(&path, 5).unwrap();
        let taken = listener.address().path().unwrap().to_str().unwrap().to_owned();
        let suffix = taken.strip_prefix(path.to_str().unwrap()).unwrap();
        assert!(suffix.len() == 4 && suffix.starts_with('.'), "{suffix}");
        assert_eq!(fs::read(&path).unwrap(), b"in use");
    }

    #[test]
    fn the_file_of_somebody_else_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        let listener = Listener::unix(&path, 5).unwrap();
        fs::remove_file(&path).unwrap();
        // Another inode: the old one is still open.
        let _other = UnixListener::bind(&path).unwrap();
        drop(listener);
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[test]
    fn a_file_that_is_left_stays_and_the_socket_listens_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        let listener = Listener::unix(&path, 5).unwrap();
        let shared = listener.share().unwrap();
        listener.leave();
        assert!(UnixStream::connect(&path).is_ok());
        drop(shared);
        assert!(is_dead(&path));
    }

    #[test]
    fn where_all_names_are_taken_those_of_dead_sockets_are_made_free() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        let alternate = |number| dir.path().join(format!("app.sock.{number:03}"));
        let _at_the_path = UnixListener::bind(&path).unwrap();
        let _alive = UnixListener::bind(alternate(0)).unwrap();
        fs::write(alternate(1), "no socket").unwrap();
        for number in 2..1000 {
            drop(UnixListener::bind(alternate(number)).unwrap());
        }
        fs::write(dir.path().join("app.sock.1000"), "another name").unwrap();
        let listener = Listener::unix(&path, 5).unwrap();
        assert!(listener.address().path().unwrap().exists());
        assert!(UnixStream::connect(alternate(0)).is_ok(), "somebody listens there");
        assert_eq!(fs::read(alternate(1)).unwrap(), b"no socket");
        // The three that are in use, the new one, and a file with another kind of name.
        assert!(fs::read_dir(dir.path()).unwrap().count() <= 5);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let error = Listener::unix(&dir.path().join("no/app.sock"), 5).unwrap_err().to_string();
        assert!(error.contains("no/app.sock"), "{error}");
    }

    #[test]
    fn port_zero_becomes_a_real_port() {
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), 5).unwrap();
        assert!(matches!(listener.address(), Address::Tcp { port: 1.., .. }));
        assert!(listener.share().is_ok());
    }
}
