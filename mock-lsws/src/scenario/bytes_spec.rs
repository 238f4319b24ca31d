//! Bytes as scenarios write them: text, hex, a file, generated data, or several of these in a row.

use std::path::Path;

use serde::{Deserialize, Deserializer};

use super::seeded::Seeded;
use super::shorthand::{self, Shorthand};
use super::template::{Template, TemplateError};
use super::vars::Vars;

/// Most bytes one value may make, so that a typing mistake does not fill the memory.
const MAX_BYTES: usize = 1 << 30;

/// A description of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BytesSpec {
    /// Text in UTF-8, with `{names}` filled in.
    Text(Template),
    /// Bytes given in hexadecimal.
    Hex(Vec<u8>),
    /// The content of a file, its path relative to the folder of all scenarios.
    File(String),
    /// This many bytes that look random and are the same in every run.
    Random {
        /// How many.
        len: usize,
        /// Which ones.
        seed: u64,
    },
    /// A value several times.
    Repeat(Box<Self>, usize),
    /// One value after the other.
    Concat(Vec<Self>),
}

/// Bytes could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BytesError {
    /// A name has no value.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A file could not be read.
    #[error("cannot read {path}: {source}; `file` is relative to the folder of all scenarios")]
    File {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Too many bytes.
    #[error("{0} bytes are more than a scenario may make in one value ({MAX_BYTES})")]
    TooMany(usize),
}

impl BytesSpec {
    /// The bytes. `root` is the folder of all scenarios.
    ///
    /// # Errors
    /// [`BytesError`] says what is missing.
    pub fn make(&self, root: &Path, vars: &Vars) -> Result<Vec<u8>, BytesError> {
        Ok(match self {
            Self::Text(template) => template.render(vars)?.into_bytes(),
            Self::Hex(bytes) => bytes.clone(),
            Self::File(path) => std::fs::read(root.join(path))
                .map_err(|source| BytesError::File { path: path.clone(), source })?,
            Self::Random { len, seed } => random(check(*len)?, *seed),
            Self::Repeat(unit, times) => {
                let unit = unit.make(root, vars)?;
                check(unit.len().saturating_mul(*times))?;
                unit.repeat(*times)
            }
            Self::Concat(items) => {
                let mut bytes = Vec::new();
                for item in items {
                    bytes.extend(item.make(root, vars)?);
                }
                bytes
            }
        })
    }
}

const fn check(len: usize) -> Result<usize, BytesError> {
    if len > MAX_BYTES { Err(BytesError::TooMany(len)) } else { Ok(len) }
}

fn random(len: usize, seed: u64) -> Vec<u8> {
    let mut seeded = Seeded::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend(seeded.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Reads hexadecimal; blanks and line breaks between bytes are allowed.
pub(crate) fn parse_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = digits.chunks(2).map(|pair| match *pair {
        [high, low] => Some((digit(high)? << 4) | digit(low)?),
        _ => None,
    });
    pairs
        .collect::<Option<_>>()
        .ok_or_else(|| format!("`{text}` is not hexadecimal: write two digits a byte"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BytesTable {
    text: Option<Template>,
    hex: Option<String>,
    file: Option<String>,
    random: Option<usize>,
    seed: Option<u64>,
    repeat: Option<usize>,
}

impl Shorthand for BytesSpec {
    type Table = BytesTable;
    const EXPECTING: &'static str =
        "bytes: a text, or a table with `text`, `hex`, `file` or `random`, or a list of these";

    fn from_text(text: &str) -> Result<Self, String> {
        Template::parse(text).map(Self::Text)
    }

    fn from_table(table: BytesTable) -> Result<Self, String> {
        let seed = table.seed;
        let spec = match table {
            BytesTable { text: Some(text), hex: None, file: None, random: None, seed: None, .. } => {
                Self::Text(text)
            }
            BytesTable { text: None, hex: Some(hex), file: None, random: None, seed: None, .. } => {
                Self::Hex(parse_hex(&hex)?)
            }
            BytesTable { text: None, hex: None, file: Some(file), random: None, seed: None, .. } => {
                Self::File(file)
            }
            BytesTable { text: None, hex: None, file: None, random: Some(len), .. } => {
                Self::Random { len, seed: seed.unwrap_or(1) }
            }
            _ => {
                return Err("bytes come from exactly one of `text`, `hex`, `file` and `random` (which takes a `seed`)".into());
            }
        };
        Ok(match table.repeat {
            Some(times) => Self::Repeat(Box::new(spec), times),
            None => spec,
        })
    }

    fn from_list(items: Vec<Self>) -> Result<Self, String> {
        Ok(Self::Concat(items))
    }
}

impl<'de> Deserialize<'de> for BytesSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        shorthand::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        value: BytesSpec,
    }

    fn made(value: &str) -> Vec<u8> {
        let holder: Holder = toml::from_str(&format!("value = {value}")).unwrap();
        holder.value.make(Path::new("."), &Vars::default()).unwrap()
    }

    #[test]
    fn every_form_makes_its_bytes() {
        assert_eq!(made(r#""abc""#), b"abc");
        assert_eq!(made("7"), b"7");
        assert_eq!(made(r#"{ hex = "4c 53 FF" }"#), b"LS\xff");
        assert_eq!(made(r#"{ text = "ab", repeat = 3 }"#), b"ababab");
        assert_eq!(made(r#"["a", { hex = "00" }, "b"]"#), b"a\0b");
        let random = made("{ random = 1001 }");
        assert_eq!(random.len(), 1001);
        assert_eq!(random, made("{ random = 1001, seed = 1 }"));
        assert_ne!(random, made("{ random = 1001, seed = 2 }"));
    }

    #[test]
    fn mistakes_are_refused() {
        for value in [
            r#"{ hex = "4" }"#,
            r#"{ hex = "zz" }"#,
            r#"{ text = "a", hex = "00" }"#,
            "{}",
            "true",
            r#"{ seed = 1 }"#,
        ] {
            assert!(toml::from_str::<Holder>(&format!("value = {value}")).is_err(), "{value}");
        }
    }
}
