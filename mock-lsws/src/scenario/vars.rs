//! The named values of a running case: captures, and what the runner itself knows.

use std::collections::BTreeMap;
use std::path::Path;

use super::matcher::sha256_hex;

/// Values by name. Names of the runner's own values contain a dot (`sent.length`), captured names do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vars {
    values: BTreeMap<String, String>,
}

impl Vars {
    /// The value of `name`, if it has one yet.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Sets `name`, replacing what it was.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.insert(name.into(), value.into());
    }

    /// Sets `sent.length` and `sent.sha256`, which are about the last request body.
    pub fn note_body(&mut self, body: &[u8]) {
        self.set("sent.length", body.len().to_string());
        self.set("sent.sha256", sha256_hex(body));
    }

    /// Sets `start.folder`, the folder that a scenario's own application is in.
    pub fn note_folder(&mut self, folder: &Path) {
        self.set("start.folder", folder.to_string_lossy());
    }

    /// Sets `start.socket` and `start.port`, where an application can listen that makes its socket itself.
    pub fn note_free_addresses(&mut self, socket: &Path, port: u16) {
        self.set("start.socket", socket.to_string_lossy());
        self.set("start.port", port.to_string());
    }

    /// Takes over everything in `other`.
    pub fn absorb(&mut self, other: Self) {
        self.values.extend(other.values);
    }

    /// All captured names and values, by name.
    pub fn captured(&self) -> impl Iterator<Item = (&str, &str)> {
        let captured = self.values.iter().filter(|(name, _)| !name.contains('.'));
        captured.map(|(name, value)| (name.as_str(), value.as_str()))
    }
}
