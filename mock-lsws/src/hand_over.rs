//! Descriptor 0 of an application: one end of a connection, or a listening socket.
//!
//! Owns making both the way a real server does. Which of the two an application gets follows, on a real server, from
//! its configured environment ([`PROCESS_COUNT_VARIABLES`](crate::PROCESS_COUNT_VARIABLES)).

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
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
}

impl Listener {
    /// Listens at `path`, mode 0755 whatever the umask. Where there is a file already, at a name beside it: `path.NNN`
    /// with three digits, as the real server does; the address tells which.
    ///
    /// # Errors
    /// When the socket cannot be made, or ten names were all taken.
    pub fn unix(path: &Path, backlog: i32) -> Result<Self, ListenError> {
        let mut name = path.to_path_buf();
        let mut tries = 0;
        loop {
            match Self::bind_unix(&name, backlog) {
                Ok(socket) => return Ok(Self { socket, address: Address::Unix(name) }),
                Err(Errno::ADDRINUSE) if tries < ALTERNATE_NAMES => {
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
            Ok::<_, Errno>(Self { socket, address: bound.into() })
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
        if let Address::Unix(path) = &self.address {
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
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};

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
