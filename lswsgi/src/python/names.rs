//! The names of environ keys as Python strings, built once per process.
//!
//! A server sends the same variables and headers over and over, mostly in the same order, so most names are found where
//! they were in the request before. The tables are bounded: a client can make up header names for ever.

use std::collections::HashMap;

use lsapi::KnownHeader;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::text::latin1;
use crate::options::UnderscoreHeaders;

/// Most names kept of each kind. Further ones are built anew each time.
const MAX_NAMES: usize = 512;

/// Longest name kept, in bytes on the wire. No real name is half as long, and 512 of the longest a packet has room for would
/// hold more memory than the application.
const MAX_NAME: usize = 128;

/// What is special about a variable or header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing: it becomes an environ entry.
    Plain,
    /// It must not become an environ entry.
    Refused,
    /// SCRIPT_NAME, which loses its final slash.
    ScriptName,
    /// HTTPS, which decides `wsgi.url_scheme` as well.
    Https,
    /// SERVER_NAME or SERVER_PORT, which must not be empty.
    NeverEmpty,
    /// A Cookie header, whose repetitions are joined with a semicolon.
    Cookie,
}

/// A name and what is special about it.
#[derive(Debug)]
pub(super) struct Name {
    wire: Box<[u8]>,
    pub(super) key: Py<PyString>,
    pub(super) role: Role,
}

/// All names met so far.
#[derive(Debug)]
pub(super) struct Names {
    /// Keys of the known headers, by index.
    known: Vec<Py<PyString>>,
    variables: Table,
    headers: Table,
    underscore_headers: UnderscoreHeaders,
}

impl Names {
    pub(super) fn new(py: Python<'_>, underscore_headers: UnderscoreHeaders) -> Self {
        let known = KnownHeader::ALL.iter().map(|header| PyString::intern(py, header.cgi_name()).unbind());
        let (variables, headers) = (Table::default(), Table::default());
        Self { known: known.collect(), variables, headers, underscore_headers }
    }

    /// The key of a known header.
    pub(super) fn known(&self, header: KnownHeader) -> &Py<PyString> {
        &self.known[header.index()]
    }

    /// The name of the `position`-th variable of a request.
    pub(super) fn variable(&mut self, py: Python<'_>, position: usize, wire: &[u8]) -> PyResult<&Name> {
        self.variables.get(py, position, wire, variable)
    }

    /// The name of the `position`-th unknown header of a request.
    pub(super) fn header(&mut self, py: Python<'_>, position: usize, wire: &[u8]) -> PyResult<&Name> {
        let underscores = self.underscore_headers;
        self.headers.get(py, position, wire, |wire| header(wire, underscores))
    }
}

/// Names by what is on the wire, and by where they were last.
#[derive(Debug, Default)]
struct Table {
    names: Vec<Name>,
    by_wire: HashMap<Box<[u8]>, usize>,
    by_position: Vec<usize>,
    /// The last name that did not fit.
    overflow: Option<Name>,
}

impl Table {
    fn get(
        &mut self,
        py: Python<'_>,
        position: usize,
        wire: &[u8],
        make: impl Fn(&[u8]) -> (Vec<u8>, Role),
    ) -> PyResult<&Name> {
        // Looked up twice, by index, because a borrow that is returned on one path only is held on all of them.
        if let Some(&index) = self.by_position.get(position)
            && self.names[index].wire[..] == *wire
        {
            return Ok(&self.names[index]);
        }
        let index = match self.by_wire.get(wire) {
            Some(&index) => index,
            None => {
                let (key, role) = make(wire);
                let key = latin1(py, &key)?;
                let name = Name { wire: wire.into(), key: key.unbind(), role };
                if self.names.len() == MAX_NAMES || wire.len() > MAX_NAME {
                    return Ok(self.overflow.insert(name));
                }
                self.by_wire.insert(wire.into(), self.names.len());
                self.names.push(name);
                self.names.len() - 1
            }
        };
        if position < MAX_NAMES {
            if self.by_position.len() <= position {
                self.by_position.resize(position + 1, index);
            }
            self.by_position[position] = index;
        }
        Ok(&self.names[index])
    }
}

fn variable(wire: &[u8]) -> (Vec<u8>, Role) {
    let role = match wire {
        b"SCRIPT_NAME" => Role::ScriptName,
        b"HTTPS" => Role::Https,
        b"SERVER_NAME" | b"SERVER_PORT" => Role::NeverEmpty,
        // What the packet says about the body is better than what a variable could, and is all that can be read.
        b"CONTENT_LENGTH" => Role::Refused,
        // Keys with a dot are the runtime's; a request must not be able to set them.
        b"" => Role::Refused,
        _ if wire.starts_with(b"wsgi.") => Role::Refused,
        // The server's instructions to the runtime, which may name secrets.
        _ if wire.starts_with(b"LSAPI_") => Role::Refused,
        _ => Role::Plain,
    };
    (wire.to_vec(), role)
}

fn header(wire: &[u8], underscores: UnderscoreHeaders) -> (Vec<u8>, Role) {
    let upper = wire.to_ascii_uppercase();
    let has_underscore = wire.contains(&b'_');
    let key = b"HTTP_".iter().chain(&upper).map(|&byte| if byte == b'-' { b'_' } else { byte });
    let key: Vec<u8> = key.collect();
    let role = match &key[..] {
        // X_Under would become the same key as X-Under: a way past whatever a proxy in front checks.
        _ if has_underscore && underscores == UnderscoreHeaders::Drop => Role::Refused,
        b"HTTP_COOKIE" => Role::Cookie,
        // What HTTP clients inside the application take for their proxy.
        b"HTTP_PROXY" => Role::Refused,
        // The first one has a slot of its own; a second one could only contradict it.
        b"HTTP_CONTENT_LENGTH" | b"HTTP_CONTENT_TYPE" => Role::Refused,
        _ => Role::Plain,
    };
    (key, role)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_become_cgi_names() {
        let header = |wire| header(wire, UnderscoreHeaders::Drop);
        assert_eq!(header(b"X-Foo-bar"), (b"HTTP_X_FOO_BAR".to_vec(), Role::Plain));
        assert_eq!(header(b"cookie").1, Role::Cookie);
    }

    #[test]
    fn names_that_could_deceive_are_refused() {
        for name in ["Proxy", "X_Under", "content-length", "Content-Type"] {
            assert_eq!(header(name.as_bytes(), UnderscoreHeaders::Drop).1, Role::Refused, "{name}");
        }
        assert_eq!(header(b"X_Under", UnderscoreHeaders::Keep).1, Role::Plain);
        for name in ["Proxy", "Content_Length", "content_type"] {
            assert_eq!(header(name.as_bytes(), UnderscoreHeaders::Keep).1, Role::Refused, "{name}");
        }
        for name in ["", "wsgi.input", "wsgi.url_scheme", "CONTENT_LENGTH", "LSAPI_SECRET"] {
            assert_eq!(variable(name.as_bytes()).1, Role::Refused, "{name}");
        }
    }
}
