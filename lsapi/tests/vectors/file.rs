//! Reading `vectors.json` and the files beside it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;

use crate::described::Packet;
use crate::made::Make;

/// An entry of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    /// Its file is called so, with `.bin`.
    pub(crate) name: String,
    from: From,
    pub(crate) about: String,
    /// Clauses that it shows.
    #[serde(default)]
    pub(crate) clauses: Vec<String>,
    /// Clauses that it breaks.
    #[serde(default)]
    pub(crate) breaks: Vec<String>,
    pub(crate) packets: Option<Vec<Packet>>,
    pub(crate) error: Option<Mistake>,
    pub(crate) incomplete: Option<Incomplete>,
    pub(crate) change: Option<Change>,
    pub(crate) make: Option<Make>,
    /// Bytes of what is to be made.
    pub(crate) length: Option<usize>,
    pub(crate) sha256: Option<String>,
    /// The longest packet that is taken, if it is not as usual. Bytes.
    pub(crate) limit: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum From {
    Server,
    Application,
}

/// The field that is wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mistake {
    pub(crate) field: String,
    pub(crate) offset: usize,
    pub(crate) value: i64,
}

/// How many bytes have to be there for more to be said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Incomplete {
    pub(crate) need: usize,
}

/// What was done to another vector.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    pub(crate) of: String,
    pub(crate) cut: Option<usize>,
    pub(crate) at: Option<usize>,
    bytes: Option<String>,
}

impl Change {
    pub(crate) fn new_bytes(&self) -> Vec<u8> {
        let hex = self.bytes.as_deref().unwrap_or_default();
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }
}

impl Vector {
    pub(crate) fn is_of_server(&self) -> bool {
        self.from == From::Server
    }
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

pub(crate) fn vectors() -> Vec<Vector> {
    serde_json::from_str(&std::fs::read_to_string(folder().join("vectors.json")).unwrap()).unwrap()
}

pub(crate) fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap_or_else(|| panic!("no vector {name}"))
}

pub(crate) fn bytes_of(vector: &Vector) -> Vec<u8> {
    let path = folder().join(format!("{}.bin", vector.name));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the files, without `.bin`.
pub(crate) fn files() -> BTreeSet<String> {
    let names =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(".bin").map(str::to_owned)).collect()
}

/// The bytes that a string of the list stands for, a character each.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|char| u8::try_from(char).unwrap_or_else(|_| panic!("{char} is no byte"))).collect()
}

/// The string that stands for `bytes`.
pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
