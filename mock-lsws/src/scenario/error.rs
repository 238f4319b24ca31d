//! What is wrong with a scenario file, and where.

use std::path::{Path, PathBuf};

/// A mistake in a file, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct ScenarioError {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1 in characters.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl ScenarioError {
    /// The mistake at byte `offset` of `text`, which is the content of `path`. A message about an unknown name gets a
    /// suggestion.
    #[must_use]
    pub fn at(path: &Path, text: &str, offset: usize, message: &str) -> Self {
        let (line, column) = position(text, offset);
        Self { path: path.to_owned(), line, column, message: with_suggestion(message) }
    }
}

/// Names closer than this are taken for a slip of the finger.
const SIMILAR: f64 = 0.7;

/// Names the closest word in a message of the form "unknown ... `name`, expected one of `a`, `b`", instead of all of them.
fn with_suggestion(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let (true, Some(unknown)) = (message.starts_with("unknown "), names.next()) else {
        return message.to_owned();
    };
    let closest = names
        .map(|name| (strsim::jaro_winkler(unknown, name), name))
        .filter(|(similarity, _)| *similarity > SIMILAR)
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
    }

    #[test]
    fn positions_count_from_one() {
        assert_eq!(position("ab\ncd", 0), (1, 1));
        assert_eq!(position("ab\ncd", 4), (2, 2));
        assert_eq!(position("ab\ncd", 99), (2, 3));
    }
}
