//! The file an application's stderr goes to, and its text as the cases see it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::{Deserialize, Deserializer, de};

/// Longest stderr of an application, in bytes.
pub(super) const MOST_LOG: u64 = 64 << 20;

/// What an application is made to have written: the lines `line` finds something in become others. A broken application
/// that writes its log wrongly is made from a sound one in this way, without one more process whose children, end and delay
/// the cases would notice instead.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogChange {
    /// What is looked for in each line.
    #[serde(deserialize_with = "regex")]
    pub line: Regex,
    /// Takes the place of what was found, with `$1` for the first group. Without it the whole line is left out.
    pub becomes: Option<String>,
    /// How often the line is there.
    #[serde(default = "once")]
    pub times: usize,
}

/// The file, and what is changed about it.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    changes: Vec<LogChange>,
}

impl LogFile {
    pub(super) fn new(path: PathBuf, changes: &[LogChange]) -> Self {
        Self { path, changes: changes.to_vec() }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it, however it is encoded, up to a limit; nothing if there is none.
    pub(super) fn read(&self) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|file| file.take(MOST_LOG).read_to_end(&mut bytes));
        let text = read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        self.changes.iter().fold(text, |text, change| change.applied(&text))
    }
}

impl LogChange {
    fn applied(&self, text: &str) -> String {
        let changed = |line: &str| {
            let (words, end) = line.strip_suffix('\n').map_or((line, ""), |words| (words, "\n"));
            match (&self.becomes, self.line.is_match(words)) {
                (_, false) => line.to_owned(),
                (None, true) => String::new(),
                (Some(becomes), true) => {
                    (self.line.replace_all(words, becomes).into_owned() + end).repeat(self.times)
                }
            }
        };
        text.split_inclusive('\n').map(changed).collect()
    }
}

const fn once() -> usize {
    1
}

fn regex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Regex, D::Error> {
    Regex::new(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(change: &str, text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, text).unwrap();
        LogFile::new(path, &[toml::from_str(change).unwrap()]).read()
    }

    #[test]
    fn lines_are_left_out_changed_and_repeated() {
        let log = "one 1\ntwo 2\nthree";
        assert_eq!(changed("line = 'two 2$'", log), "one 1\nthree");
        assert_eq!(changed("line = '(w)o'\nbecomes = '$1'", log), "one 1\ntw 2\nthree");
        assert_eq!(changed("line = 'two'\nbecomes = 'two'\ntimes = 2", log), "one 1\ntwo 2\ntwo 2\nthree");
        assert_eq!(changed("line = 'four'", log), log);
    }

    #[test]
    fn what_is_no_regular_expression_is_told() {
        let error = toml::from_str::<LogChange>("line = '('").unwrap_err().to_string();
        assert!(error.contains("unclosed group"), "{error}");
    }
}
