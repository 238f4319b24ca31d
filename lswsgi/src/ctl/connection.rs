//! The socket of a group, one request, and what comes back until the connection ends. Every wait has an end.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde::de::DeserializeOwned;

use super::error::CtlError;
use crate::control::request::{Answer, Kind, Request};
use crate::control::{LONGEST, NAME};

/// How long a manager may take to answer what it can answer at once.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Longest answer there can be, in bytes: a line for each of 65 535 workers, and more.
const LONGEST_ANSWER: usize = 64 << 20;

/// A connection to a group.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    path: PathBuf,
    /// When patience ends, and how long it was.
    until: Instant,
    patience: Duration,
}

/// The path of the socket: what was `named` on the command line, else in the variable, else the one of the application in the
/// current folder. A folder stands for the socket of the application in it.
pub(super) fn find(named: Option<&Path>, variable: Option<OsString>) -> Result<PathBuf, CtlError> {
    let variable = variable.filter(|value| !value.is_empty());
    let path = match (named, variable) {
        (Some(path), _) => path.to_owned(),
        (None, Some(value)) if value == "off" => return Err(CtlError::Off),
        (None, Some(value)) => value.into(),
        (None, None) => PathBuf::from("."),
    };
    let path = if path.is_dir() { path.join(NAME) } else { path };
    if path.as_os_str().len() > LONGEST { Err(CtlError::TooLong(path)) } else { Ok(path) }
}

impl Connection {
    /// Connects to the group at `path`, which has `patience` to do whatever is asked.
    pub(super) fn open(path: &Path, patience: Duration) -> Result<Self, CtlError> {
        let unusable = |errno: Errno| CtlError::Unusable { path: path.to_owned(), source: errno.into() };
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(unusable)?;
        // Holds for the connect as well, which waits where too many others do.
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE)).map_err(unusable)?;
        let address = SocketAddrUnix::new(path).map_err(unusable)?;
        connect(&socket, &address).map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR => CtlError::NoSocket(path.to_owned()),
            Errno::CONNREFUSED => CtlError::NotRunning(path.to_owned()),
            Errno::AGAIN => CtlError::Timeout { what: "the group has not answered", after: PATIENCE },
            errno => unusable(errno),
        })?;
        let until = Instant::now() + patience;
        Ok(Self { stream: socket.into(), path: path.to_owned(), until, patience })
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, CtlError> {
        let strange = |error: serde_json::Error| CtlError::Strange(error.to_string());
        let line = serde_json::to_string(&request).map_err(strange)? + "\n";
        // Whoever refuses may have answered without reading it.
        let sent = self.stream.write_all(line.as_bytes());
        let mut answer = Vec::new();
        while !answer.contains(&b'\n') {
            let is_over = self.read(&mut answer, "the group has not answered")?;
            if is_over && answer.is_empty() {
                sent.map_err(|error| self.failed(error, "the group has not taken the request"))?;
                return Err(CtlError::Ended);
            }
            if is_over || answer.len() > LONGEST_ANSWER {
                return Err(CtlError::Strange(format!("it breaks off after {} bytes", answer.len())));
            }
        }
        match serde_json::from_slice(&answer).map_err(strange)? {
            Answer::Ok(value) => Ok(value),
            Answer::Error(refusal)
                if refusal.kind == Kind::Failed && matches!(request, Request::Reload { .. }) =>
            {
                Err(CtlError::NotReloaded(refusal.message))
            }
            Answer::Error(refusal) => Err(CtlError::Refused(refusal.message)),
        }
    }

    /// Waits for the end of the connection, which is that of the group if it has answered so.
    pub(super) fn wait_end(&mut self) -> Result<(), CtlError> {
        let mut rest = Vec::new();
        while !self.read(&mut rest, "the group has not ended")? {
            rest.clear();
        }
        Ok(())
    }

    /// Reads what has come, and waits if nothing has. Returns whether that was the end.
    fn read(&mut self, into: &mut Vec<u8>, what: &'static str) -> Result<bool, CtlError> {
        let mut buffer = [0; 16 * 1024];
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(CtlError::Timeout { what, after: self.patience });
        }
        let result = self.stream.set_read_timeout(Some(left)).and_then(|()| self.stream.read(&mut buffer));
        match result {
            Ok(count) => {
                into.extend_from_slice(buffer.get(..count).unwrap_or_default());
                Ok(count == 0)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
            // It has gone without reading what we sent.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(true),
            Err(error) => Err(self.failed(error, what)),
        }
    }

    fn failed(&self, source: io::Error, what: &'static str) -> CtlError {
        match source.kind() {
            io::ErrorKind::WouldBlock => CtlError::Timeout { what, after: self.patience },
            io::ErrorKind::BrokenPipe => CtlError::Ended,
            _ => CtlError::Unusable { path: self.path.clone(), source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_wins_over_the_variable_and_a_folder_stands_for_the_socket_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = |named: Option<&Path>, variable: Option<&str>| {
            find(named, variable.map(OsString::from)).map_err(|error| error.exit_code())
        };
        let in_folder = dir.path().join("tmp/lswsgi.sock");
        assert_eq!(path(Some(dir.path()), Some("/b.sock")).unwrap(), in_folder);
        assert_eq!(path(None, dir.path().to_str()).unwrap(), in_folder);
        assert_eq!(path(Some(Path::new("/a.sock")), Some("off")).unwrap(), Path::new("/a.sock"));
        assert_eq!(path(None, Some("/b.sock")).unwrap(), Path::new("/b.sock"));
        assert_eq!(path(None, Some("")).unwrap(), Path::new("./tmp/lswsgi.sock"));
        assert_eq!(path(None, None).unwrap(), Path::new("./tmp/lswsgi.sock"));
        assert_eq!(path(None, Some("off")), Err(crate::exit_code::USAGE));
        assert_eq!(path(Some(Path::new(&"a".repeat(108))), None), Err(crate::exit_code::USAGE));
    }
}
