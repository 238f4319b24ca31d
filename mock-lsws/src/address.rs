//! Where an application listens: the ways to write an address down.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The address of a stream socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A Unix socket at an absolute path.
    Unix(PathBuf),
    /// A host, name or number, and a port.
    Tcp {
        /// A host name, an IPv4 address or an IPv6 address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Address {
    /// The path, if it is a Unix socket.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) => Some(path),
            Self::Tcp { .. } => None,
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads `/path`, `unix:/path`, `uds://path` (the server's way: the path is `/path`), `host:port` or `[v6]:port`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let error = |reason| AddressError { text: text.to_owned(), reason };
        if let Some(rest) = text.strip_prefix("uds://") {
            // Two slashes are the syntax; a third one, as people write it for a file, is not meant twice.
            let path = format!("/{}", rest.trim_start_matches('/'));
            return if path.len() > 1 { Ok(Self::Unix(path.into())) } else { Err(error(NO_PATH)) };
        }
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.starts_with('/') {
            return Ok(Self::Unix(path.into()));
        }
        if path.len() != text.len() {
            return Err(error(NO_PATH));
        }
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
            Some(parts) => parts,
            None => text.rsplit_once(':').ok_or_else(|| error("neither a path nor host:port"))?,
        };
        if host.is_empty() {
            return Err(error("the host is missing"));
        }
        if host.contains(':') && !text.starts_with('[') {
            return Err(error("an IPv6 address needs brackets, as in [::1]:9000"));
        }
        let port = port.parse().map_err(|_| error("the port is not a number from 0 to 65535"))?;
        Ok(Self::Tcp { host: host.to_owned(), port })
    }
}

const NO_PATH: &str = "the path must be absolute";

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// Text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address '{text}': {reason}; write /path, unix:/path, uds://path, host:port or [v6]:port")]
pub struct AddressError {
    text: String,
    reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read_and_written_back() {
        let cases = [
            ("/run/app.sock", "unix:/run/app.sock"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
            ("uds://tmp/x.sock", "unix:/tmp/x.sock"),
            ("uds:///tmp/x.sock", "unix:/tmp/x.sock"),
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("localhost:0", "localhost:0"),
            ("[::1]:9000", "[::1]:9000"),
        ];
        for (text, shown) in cases {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }

    #[test]
    fn anything_else_is_refused_with_the_reason() {
        let cases = [
            ("", "neither"),
            ("app.sock", "neither"),
            ("unix:app.sock", "absolute"),
            ("uds://", "absolute"),
            (":9000", "host is missing"),
            ("host:", "port"),
            ("host:65536", "port"),
            ("::1:9000", "brackets"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(text), "{text}: {error}");
        }
    }
}
