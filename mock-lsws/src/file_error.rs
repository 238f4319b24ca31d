//! A mistake in a file somebody wrote: what is wrong, and where.

use std::path::{Path, PathBuf};

/// A mistake in a file, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}{}", path.display(), shown(*line, excerpt.as_ref()))]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1 in characters.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
    /// The line as it is in the file, and how many characters are before the place; nothing if there is no such line.
    excerpt: Option<(String, usize)>,
}

/// Characters of a line that are shown before and behind the place.
const AROUND: usize = 60;

impl FileError {
    /// The mistake at byte `offset` of `text`, which is the content of `path`. A message about an unknown name gets a
    /// suggestion.
    #[must_use]
    pub fn at(path: &Path, text: &str, offset: usize, message: &str) -> Self {
        let (line, column) = position(text, offset);
        let excerpt = text.lines().nth(line - 1).filter(|text| !text.trim().is_empty()).map(|text| {
            let skipped = (column - 1).saturating_sub(AROUND);
            // A tab would put the mark below into another place.
            let part =
                text.chars().skip(skipped).take(2 * AROUND).map(|c| if c.is_control() { ' ' } else { c });
            (part.collect::<String>(), column - 1 - skipped)
        });
        Self { path: path.to_owned(), line, column, message: with_suggestion(message), excerpt }
    }
}

/// The line and a mark under the place in it.
fn shown(line: usize, excerpt: Option<&(String, usize)>) -> String {
    let Some((text, before)) = excerpt else { return String::new() };
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    format!("\n  {number} | {}\n  {margin} | {}^", text.trim_end(), " ".repeat(*before))
}

/// Types of numbers, and what people call them.
const NUMBERS: [(&str, &str); 6] = [
    ("u8", "a number from 0 to 255"),
    ("u16", "a number from 0 to 65535"),
    ("u32", "a number from 0 to 4294967295"),
    ("i32", "a number from -2147483648 to 2147483647"),
    ("u64", "a whole number, 0 or more"),
    ("usize", "a whole number, 0 or more"),
];

/// Names closer than this are taken for a slip of the finger.
const SIMILAR: f64 = 0.6;

/// Names the closest word in a message of the form "unknown ... `name`, expected one of `a`, `b`", instead of all of them.
fn with_suggestion(message: &str) -> String {
    for (rust, words) in NUMBERS {
        if let Some(what) = message.strip_suffix(rust).filter(|what| what.ends_with("expected ")) {
            let words = if message.starts_with("invalid type") { "a number" } else { words };
            return format!("{what}{words}");
        }
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let (true, Some(unknown)) = (message.starts_with("unknown "), names.next()) else {
        return message.to_owned();
    };
    let closest = names
        .map(|name| (strsim::normalized_damerau_levenshtein(unknown, name), name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match closest {
        Some((_, name)) => {
            let what = message.split_once(", expected ").map_or(message, |(what, _)| what);
            format!("{what}; did you mean `{name}`?")
        }
        None => message.to_owned(),
    }
}

/// Line and column of byte `offset` in `text`, both counted from 1.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_name_the_closest_word_only_when_it_is_close() {
        let message = "unknown field `expct`, expected one of `expect`, `send`";
        assert_eq!(with_suggestion(message), "unknown field `expct`; did you mean `expect`?");
        let message = "unknown field `zzz`, expected one of `expect`, `send`";
        assert_eq!(with_suggestion(message), message);
        assert_eq!(with_suggestion("invalid `x`"), "invalid `x`");
        assert_eq!(with_suggestion("no, expected u8"), "no, expected a number from 0 to 255");
    }

    #[test]
    fn the_line_is_shown_with_a_mark_under_the_place() {
        let error = |text: &str, offset| FileError::at(Path::new("a.toml"), text, offset, "no").to_string();
        assert_eq!(error("x = 1\n\ty = 2\n", 11), "a.toml:2:6: no\n  2 |  y = 2\n    |      ^");
        assert_eq!(error("", 0), "a.toml:1:1: no");
        let long = format!("{}here{}", "é".repeat(100), " and so on".repeat(50));
        let shown = error(&long, 200);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1].find("here").map(|at| lines[1][..at].chars().count()), lines[2].find('^'));
        assert!(lines.iter().all(|line| line.chars().count() < 140), "{shown}");
    }

    #[test]
    fn positions_count_from_one() {
        assert_eq!(position("ab\ncd", 0), (1, 1));
        assert_eq!(position("ab\ncd", 4), (2, 2));
        assert_eq!(position("ab\ncd", 99), (2, 3));
    }
}
