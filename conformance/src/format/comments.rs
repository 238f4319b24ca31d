//! What stands between things: blanks, line breaks and comments.

/// The lines of what stands before a key or header, without the blanks around them and never two empty ones in a row.
fn lines(before: &str) -> Vec<&str> {
    // Behind the last line break there is only what indents the key.
    let (whole, _) = before.rsplit_once('\n').unwrap_or_default();
    let mut lines: Vec<&str> = Vec::new();
    if before.contains('\n') {
        for line in whole.split('\n').map(str::trim) {
            if !(line.is_empty() && lines.last().is_some_and(|last| last.is_empty())) {
                lines.push(line);
            }
        }
    }
    lines
}

/// What stands before a key: its comments, and an empty line above if there was one and this is not the `first` key.
pub(super) fn before_key(before: &str, first: bool) -> String {
    let mut lines = lines(before);
    if first && lines.first().is_some_and(|line| line.is_empty()) {
        lines.remove(0);
    }
    joined(&lines)
}

/// What stands before the header of a table: an empty line if `apart`, then its comments.
pub(super) fn before_table(before: &str, apart: bool) -> String {
    let mut lines = lines(before);
    if lines.first().is_some_and(|line| line.is_empty()) {
        lines.remove(0);
    }
    if apart || !lines.is_empty() {
        lines.insert(0, "");
    }
    joined(&lines)
}

/// Splits what stands before the first key of a file: what is about the file, and what is about the key.
pub(super) fn file_and_key(before: &str) -> (String, String) {
    let lines = lines(before);
    let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
    let lines = lines.get(first..).unwrap_or_default();
    let end = lines.iter().rposition(|line| line.is_empty()).map_or(0, |empty| empty + 1);
    let (file, key) = lines.split_at(end.min(lines.len()));
    (joined(file), joined(key))
}

/// What stands behind the last thing of a file.
pub(super) fn at_the_end(behind: &str) -> String {
    let behind = format!("{behind}\n");
    let lines = lines(&behind);
    let last = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    joined(lines.get(..last).unwrap_or_default())
}

/// A comment behind something on its line. How far away it stands is its author's: comments may line up.
pub(super) fn behind(behind: &str) -> String {
    let kept = behind.trim_end();
    if kept.is_empty() || kept.starts_with([' ', '\t']) { kept.to_owned() } else { format!(" {kept}") }
}

/// What stands before an element of an array that takes several lines: a comment behind the element above, comments of
/// its own, then `indent`.
pub(super) fn before_element(before: &str, indent: &str) -> String {
    let mut text = String::new();
    for (at, line) in before.split('\n').map(str::trim).enumerate() {
        match (at, line.is_empty()) {
            (_, true) => {}
            (0, false) => text += &format!(" {line}"),
            (_, false) => text += &format!("\n{indent}{line}"),
        }
    }
    format!("{text}\n{indent}")
}

fn joined(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
