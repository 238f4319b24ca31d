//! The list of all clauses, kept in `scenarios/clauses.toml`: programs read it without the references.

use std::path::{Path, PathBuf};

use mock_lsws::FileError;
use serde::{Deserialize, Serialize};

use super::{Clause, document};
use crate::Error;

/// The file in the folder of scenarios.
const FILE: &str = "clauses.toml";
/// The references, as seen from there, in the order of the list.
const REFERENCES: [&str; 2] = ["../lsapi/PROTOCOL.md", "WSGI.md"];
/// What the file begins with.
const HEAD: &str = "\
# The clauses of lsapi/PROTOCOL.md and scenarios/WSGI.md, as data. Not written by hand: change the references, then
# `cargo run -p conformance -- clauses > scenarios/clauses.toml`.
";

/// All clauses, in the order of the references.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clauses {
    clause: Vec<Clause>,
}

impl Clauses {
    /// Where the list is in the folder `scenarios`.
    #[must_use]
    pub fn file(scenarios: &Path) -> PathBuf {
        scenarios.join(FILE)
    }

    /// Reads the list in the folder `scenarios`.
    ///
    /// # Errors
    /// When it is not there or is no such list.
    pub fn load(scenarios: &Path) -> Result<Self, Error> {
        let path = Self::file(scenarios);
        let text = text_of(&path)?;
        toml::from_str(&text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            Error::BadClauses(FileError::at(&path, &text, offset, error.message()))
        })
    }

    /// Makes the list from the references beside the folder `scenarios`.
    ///
    /// # Errors
    /// When one is not there, has a clause of the wrong form, or one that another has already.
    pub fn from_references(scenarios: &Path) -> Result<Self, Error> {
        let mut all = Self::default();
        for name in REFERENCES {
            let path = scenarios.join(name);
            let text = text_of(&path)?;
            for clause in document::read(&path, &text).map_err(Error::BadClauses)? {
                if all.find(&clause.id).is_some() {
                    let begin = format!("* **{}**", clause.id.trim_start_matches("lsapi "));
                    let second = text.rfind(&begin).unwrap_or_default();
                    let message = format!("there is a clause {} already", clause.id);
                    return Err(Error::BadClauses(FileError::at(&path, &text, second, &message)));
                }
                all.clause.push(clause);
            }
        }
        Ok(all)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// None in practice: a list of strings can always be written as TOML.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("{HEAD}\n{}", toml::to_string(self)?))
    }

    /// The clauses.
    #[must_use]
    pub fn all(&self) -> &[Clause] {
        &self.clause
    }

    /// The clause that a case cites as `id`.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Clause> {
        self.clause.iter().find(|clause| clause.id == id)
    }
}

fn text_of(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Unreadable { path: PathBuf::from(path), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(protocol: &str, wsgi: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("lsapi/PROTOCOL.md", protocol), ("scenarios/WSGI.md", wsgi)] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let folder = folder("# 3. x\n* **3-1** (app, must) `a` \"b\"\n", "* **P01** (app, must) c\n");
        let scenarios = folder.path().join("scenarios");
        let made = Clauses::from_references(&scenarios).unwrap();
        assert_eq!(made.all().len(), 2);
        std::fs::write(scenarios.join(FILE), made.to_toml().unwrap()).unwrap();
        assert_eq!(Clauses::load(&scenarios).unwrap(), made);
        assert_eq!(made.find("P01").map(|clause| &*clause.text), Some("c"));
    }

    #[test]
    fn a_second_clause_of_one_name_is_refused() {
        let folder = folder("* **W01** (app, must) a\n", "\n* **W01** (app, must) b\n");
        let error = Clauses::from_references(&folder.path().join("scenarios")).unwrap_err().to_string();
        assert!(error.contains("WSGI.md:2:") && error.contains("there is a clause W01 already"), "{error}");
    }
}
