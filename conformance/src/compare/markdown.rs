//! A comparison for the page of a CI job or a pull request.

use std::fmt::Write;

use super::comparison::{Comparison, cell, columns};
use super::result::Side;
use super::text::{about, conclusion};
use crate::report::{RunDocument, markdown_inline};

/// The comparison of `a` and `b`, each with the name of its file; with `all` every case is listed.
#[must_use]
pub fn markdown(comparison: &Comparison, [a, b]: [(&str, &RunDocument); 2], all: bool) -> String {
    let mut text = String::from("## Two runs compared\n\n");
    // Writing to a string cannot fail, here and below.
    for (letter, (file, document)) in [("A", a), ("B", b)] {
        let _ = writeln!(text, "* **{letter}** {}", markdown_inline(&about(file, document)));
    }
    let _ = writeln!(text, "\n{}.\n", conclusion(comparison));
    text += &counts(comparison);
    let rows = comparison.different().map(|(row, a, b)| [row.id.clone(), what(Some(a)), what(Some(b))]);
    table(&mut text, "Other outcome in B", ["case", "A", "B"], rows);
    for (second, title) in [(false, "Only in A"), (true, "Only in B")] {
        let rows = comparison.only_in(second).map(|(row, side)| [row.id.clone(), what(Some(side))]);
        table(&mut text, title, ["case", "outcome"], rows);
    }
    let rows = comparison.slower().map(|(row, a, b)| [row.id.clone(), seconds(a), seconds(b)]);
    table(&mut text, "Much slower in B", ["case", "A", "B"], rows);
    if all {
        let rows =
            comparison.rows.iter().map(|row| [row.id.clone(), what(row.a.as_ref()), what(row.b.as_ref())]);
        table(&mut text, "All cases", ["case", "A", "B"], rows);
    }
    text
}

fn counts(comparison: &Comparison) -> String {
    let tallies = comparison.tallies();
    let columns = columns(&tallies);
    let mut text = String::from("| |");
    for (_, outcome) in &columns {
        let _ = write!(text, " {0} A | {0} B |", outcome.name());
    }
    text += "\n|---|";
    text += &"--:|--:|".repeat(columns.len());
    text.push('\n');
    for (name, [a, b]) in &tallies {
        let _ = write!(text, "| {name} |");
        for &(column, _) in &columns {
            let _ = write!(text, " {} | {} |", cell(a, column), cell(b, column));
        }
        text.push('\n');
    }
    text
}

/// A table below `title`, if there is anything to put in it.
fn table<const N: usize>(
    text: &mut String,
    title: &str,
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = writeln!(text, "\n### {title}\n\n| {} |\n|{}", head.join(" | "), "---|".repeat(N));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.map(|cell| markdown_inline(&cell)).join(" | "));
    }
}

fn what(side: Option<&Side>) -> String {
    match side {
        None => "-".to_owned(),
        Some(Side { outcome, problem: None, .. }) => outcome.name().to_owned(),
        Some(Side { outcome, problem: Some(problem), .. }) => format!("{}: {problem}", outcome.name()),
    }
}

fn seconds(side: &Side) -> String {
    format!("{:.2} s", side.duration.as_secs_f64())
}
