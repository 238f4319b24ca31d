//! The socket a worker serves: what descriptor 0 is, or what `--address` binds.
//!
//! Leaves accepting and serving to [`worker`](crate::worker).

use std::fmt;
use std::io;
use std::net::{TcpListener, ToSocketAddrs as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{SocketType, getpeername, sockopt};

use crate::error::Error;
use crate::socket_file::{self, SocketFile};
use crate::sys::{self, Own};

/// What there is to serve.
#[derive(Debug)]
pub enum Endpoint {
    /// One connection. When it ends, so does the process.
    Connected(OwnedFd),
    /// One connection that somebody has begun to serve: the server has been told who does (lsapi 1.7). When it ends, so does
    /// the process.
    Begun {
        /// The connection.
        fd: OwnedFd,
        /// What has been read from it and belongs to its first request.
        read: Vec<u8>,
        /// Its end has been announced (CONN_CLOSE): that request is its last.
        announced: bool,
    },
    /// A listening socket, possibly shared with other processes.
    Listening(Listener),
}

/// A listening socket, and the socket file if it is ours to remove.
#[derive(Debug)]
pub struct Listener {
    /// The socket, close-on-exec.
    pub fd: OwnedFd,
    /// What log lines call it.
    name: String,
    /// Its file, if that is ours to remove.
    file: Option<&'static SocketFile>,
}

/// Ours, for ends at which nothing is dropped. A process binds one.
static FILE: OnceLock<&SocketFile> = OnceLock::new();

/// Removes the socket file this process has made, if it has. Async-signal-safe.
pub(crate) fn remove_socket_file() {
    if let Some(file) = FILE.get() {
        file.remove();
    }
}

/// Puts `/dev/null` on descriptor 0.
pub(crate) fn close_stdin() -> Result<(), Error> {
    let null = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    null.and_then(rustix::stdio::dup2_stdin).map_err(Error::system("cannot put /dev/null on descriptor 0"))
}

impl Endpoint {
    /// Takes descriptor 0, decides by its peer what it is, and puts `/dev/null` in its place: an application reading
    /// standard input must not eat requests.
    ///
    /// # Errors
    /// [`Error::NoSocket`] if it is not a stream socket.
    pub fn from_fd0() -> Result<Self, Error> {
        let no_socket = |errno: Errno| Error::NoSocket { source: errno.into() };
        let stdin = rustix::stdio::stdin();
        let kind = sockopt::socket_type(stdin).map_err(no_socket)?;
        if kind != SocketType::STREAM {
            return Err(no_socket(Errno::PROTOTYPE));
        }
        let connected = match getpeername(stdin) {
            Ok(_) => true,
            Err(Errno::NOTCONN) => {
                // An unconnected socket that does not listen is of no use to anybody.
                if !sockopt::socket_acceptconn(stdin).map_err(no_socket)? {
                    return Err(no_socket(Errno::NOTCONN));
                }
                false
            }
            // The peer of a socketpair may have gone already; reading will show EOF.
            Err(Errno::INVAL) => true,
            Err(errno) => return Err(no_socket(errno)),
        };
        let fd = rustix::io::fcntl_dupfd_cloexec(stdin, 3).map_err(no_socket)?;
        close_stdin()?;
        Ok(if connected {
            // Before it is served: the application may fork while it is imported.
            sys::keep_from_children(Own::Connection, Some(fd.as_raw_fd()));
            Self::Connected(fd)
        } else {
            Self::Listening(Listener::new(fd, "a listening socket", None))
        })
    }

    /// Binds `address` and listens.
    ///
    /// # Errors
    /// [`Error::Bind`] when the address cannot be parsed or bound, also when somebody answers on it.
    pub fn bind(address: &str) -> Result<Self, Error> {
        let bind_error = |reason: String| Error::Bind { address: address.to_owned(), reason };
        if address.starts_with('/') {
            return bind_unix(Path::new(address)).map(Self::Listening).map_err(bind_error);
        }
        let candidates = resolve(address).map_err(bind_error)?;
        let listener = TcpListener::bind(&candidates[..]).map_err(|error| bind_error(error.to_string()))?;
        Ok(Self::Listening(Listener::new(listener.into(), address, None)))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(_) | Self::Begun { .. } => f.write_str("a connected socket"),
            Self::Listening(listener) => f.write_str(&listener.name),
        }
    }
}

fn bind_unix(path: &Path) -> Result<Listener, String> {
    socket_file::clear_stale(path).map_err(|there| there.to_string())?;
    let bind = || -> io::Result<_> { Ok((UnixListener::bind(path)?, SocketFile::of(path)?)) };
    let (listener, file) = bind().map_err(|error| error.to_string())?;
    // Kept for as long as the process lives, because a signal handler may want it at any time.
    let file = &*Box::leak(Box::new(file));
    FILE.get_or_init(|| file);
    Ok(Listener::new(listener.into(), &path.to_string_lossy(), Some(file)))
}

/// The addresses `HOST:PORT`, `*:PORT` or `[V6]:PORT` stand for.
fn resolve(address: &str) -> Result<Vec<std::net::SocketAddr>, String> {
    let usage = || "expected /absolute/path, HOST:PORT, *:PORT or [V6]:PORT".to_owned();
    let (host, port) = address.rsplit_once(':').ok_or_else(usage)?;
    let port: u16 = port
        .parse()
        .ok()
        .filter(|&port| port != 0)
        .ok_or_else(|| format!("'{port}' is not a port from 1 to 65535; {}", usage()))?;
    let host = match host {
        "*" => "0.0.0.0",
        "[*]" => "::",
        _ => host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host),
    };
    if host.is_empty() {
        return Err(usage());
    }
    (host, port).to_socket_addrs().map(Iterator::collect).map_err(|error| error.to_string())
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(file) = self.file {
            file.remove();
        }
        sys::keep_from_children(Own::Listener, None);
    }
}

impl Listener {
    fn new(fd: OwnedFd, name: &str, file: Option<&'static SocketFile>) -> Self {
        sys::keep_from_children(Own::Listener, Some(fd.as_raw_fd()));
        Self { fd, name: name.to_owned(), file }
    }

    /// Makes the socket non-blocking: several processes may wait on it, and only one gets each connection.
    ///
    /// # Errors
    /// Whatever fcntl reports.
    pub fn set_nonblocking(&self) -> io::Result<()> {
        rustix::io::ioctl_fionbio(self.fd.as_fd(), true).map_err(io::Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn addresses_without_host_port_or_slash_are_refused_with_the_forms_that_work() {
        for address in ["", "3000", "relative/path", "host:", "host:0", "host:70000", ":80"] {
            let error = Endpoint::bind(address).unwrap_err().to_string();
            assert!(error.contains("[V6]:PORT"), "{address}: {error}");
        }
    }

    #[test]
    fn wildcard_and_bracket_forms_resolve() {
        let only = |address| resolve(address).unwrap()[0].to_string();
        assert_eq!(only("*:8000"), "0.0.0.0:8000");
        assert_eq!(only("[*]:8000"), "[::]:8000");
        assert_eq!(only("[::1]:8000"), "[::1]:8000");
        assert_eq!(only("127.0.0.1:8000"), "127.0.0.1:8000");
    }

    #[test]
    fn a_stale_socket_is_replaced_and_removed_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let endpoint = Endpoint::bind(path.to_str().unwrap()).unwrap();
        UnixStream::connect(&path).unwrap();
        drop(endpoint);
        assert!(!path.exists());
    }

    #[test]
    fn a_served_socket_and_a_plain_file_are_not_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        let _other = UnixListener::bind(&path).unwrap();
        let error = Endpoint::bind(path.to_str().unwrap()).unwrap_err();
        assert_eq!(error.exit_code(), crate::exit_code::BIND);
        UnixStream::connect(&path).unwrap();

        let file = dir.path().join("notes.txt");
        std::fs::write(&file, "keep").unwrap();
        assert!(Endpoint::bind(file.to_str().unwrap()).unwrap_err().to_string().contains("not a socket"));
        assert_eq!(std::fs::read(&file).unwrap(), b"keep");
    }

    #[test]
    fn a_socket_somebody_else_put_there_survives_our_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        let endpoint = Endpoint::bind(path.to_str().unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        drop(endpoint);
        assert!(path.exists());
    }
}
