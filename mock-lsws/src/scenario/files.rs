//! Files of the folder that an application of a scenario is in: their paths and what is in them.
//!
//! Their texts are taken as they are. They are programs as a rule, whose braces mean something else than a name.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Texts by paths that stay below a folder, in the order they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(pub Vec<(PathBuf, String)>);

/// The path of a file below a folder.
struct FilePath(PathBuf);

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let path = PathBuf::from(&text);
        let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
        if text.is_empty() || text.ends_with('/') || text.contains('\0') || !is_below {
            return Err(de::Error::custom(format!(
                "`{text}` is not the path of a file below the application's folder: write one such as `pkg/mod.py`, \
                 without `..`"
            )));
        }
        Ok(Self(path))
    }
}

impl Files {
    /// Whether there is a file at `path`, or one below it.
    pub(crate) fn occupies(&self, path: &Path) -> bool {
        self.0.iter().any(|(known, _)| known.starts_with(path))
    }
}

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FilesVisitor;
        impl<'de> Visitor<'de> for FilesVisitor {
            type Value = Files;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of paths and texts, such as { \"pkg/mod.py\" = \"X = 1\" }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Files, A::Error> {
                let mut files = Files::default();
                while let Some((FilePath(path), text)) = map.next_entry::<_, String>()? {
                    if files.occupies(&path)
                        || path.ancestors().any(|above| files.0.iter().any(|(known, _)| known == above))
                    {
                        let path = path.display();
                        return Err(de::Error::custom(format!(
                            "`{path}` is there already, or is a folder of one file and another file itself"
                        )));
                    }
                    files.0.push((path, text));
                }
                Ok(files)
            }
        }
        deserializer.deserialize_map(FilesVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &str) -> Result<Files, String> {
        #[derive(Deserialize)]
        struct Wrapped {
            files: Files,
        }
        let read = toml::from_str::<Wrapped>(&format!("files = {files}"));
        read.map(|wrapped| wrapped.files).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn files_keep_their_order_and_their_braces() {
        let files = read("{ 'b/c.py' = 'X = {n}', 'a.py' = '' }").unwrap();
        let expected = [("b/c.py", "X = {n}"), ("a.py", "")];
        assert_eq!(files.0, expected.map(|(path, text)| (PathBuf::from(path), text.to_owned())));
    }

    #[test]
    fn files_stay_in_their_folder() {
        for path in ["", "/etc/passwd", "../x", "a/../../x", ".", "./x", "a/"] {
            let error = read(&format!("{{ '{path}' = '' }}")).unwrap_err();
            assert!(error.contains("not the path of a file below"), "{path}: {error}");
        }
        for both in [
            "'a' = '', 'a/b' = ''",
            "'a/b/c' = '', 'a/b' = ''",
            "'a' = '', 'a//' = ''",
            "'a/b' = '', 'a//b' = ''",
        ] {
            assert!(read(&format!("{{ {both} }}")).is_err(), "{both}");
        }
    }
}
