//! A comparison for people.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::comparison::{Comparison, Row, cell, columns};
use super::result::{Outcome, Side};
use crate::report::{RunDocument, visible};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const ODD: Style = AnsiColor::Yellow.on_default();
const BOLD: Style = Style::new().bold();

/// The longest name of an outcome.
const WORD: usize = 7;

/// The comparison of `a` and `b`, each with the name of its file; with `all` every case is listed. Colours are always in
/// it: whoever prints it takes them out where they do not belong.
#[must_use]
pub fn text(comparison: &Comparison, [a, b]: [(&str, &RunDocument); 2], all: bool) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail, here and below.
    for (letter, (file, document)) in [("A", a), ("B", b)] {
        let _ = writeln!(text, "{letter}  {}", about(file, document));
    }
    text += &counts(comparison);
    let different: Vec<_> = comparison.different().collect();
    if !different.is_empty() {
        let _ = writeln!(text, "\n{BOLD}other outcome in B{BOLD:#}");
        let width = different.iter().map(|(row, ..)| row.id.chars().count()).max().unwrap_or_default();
        for (row, a, b) in different {
            let _ =
                writeln!(text, "  {:width$}  {} -> {}", row.id, word(a.outcome, WORD), word(b.outcome, 0));
            for (letter, side) in [("A", a), ("B", b)] {
                if let Some(problem) = &side.problem {
                    let _ = writeln!(text, "      {letter}: {}", visible(problem));
                }
            }
        }
    }
    for (letter, second) in [("A", false), ("B", true)] {
        let only: Vec<_> = comparison.only_in(second).collect();
        if !only.is_empty() {
            let _ = writeln!(text, "\n{BOLD}only in {letter}{BOLD:#}");
        }
        for (row, side) in only {
            let _ = writeln!(text, "  {}  {}", word(side.outcome, WORD), row.id);
            if let Some(problem) = &side.problem {
                let _ = writeln!(text, "      {}", visible(problem));
            }
        }
    }
    let slower: Vec<_> = comparison.slower().collect();
    if !slower.is_empty() {
        let _ = writeln!(text, "\n{BOLD}much slower in B{BOLD:#}");
        for (row, a, b) in slower {
            let _ = writeln!(text, "  {} -> {}  {}", seconds(a), seconds(b), row.id);
        }
    }
    if all {
        let _ = writeln!(text, "\n{BOLD}all cases, A and B{BOLD:#}");
        for Row { id, a, b } in &comparison.rows {
            let _ = writeln!(text, "  {}  {}  {id}", outcome_and_time(a), outcome_and_time(b));
        }
    }
    let _ = writeln!(text, "\n{}", conclusion(comparison));
    text
}

/// What ran.
pub(super) fn about(file: &str, document: &RunDocument) -> String {
    let RunDocument { run, cases, summary } = document;
    let cases = match cases.len() {
        1 => "1 case".to_owned(),
        cases => format!("{cases} cases"),
    };
    format!("{file}: {}, {cases} ({:.1} s), {}", run.subject, summary.duration.as_secs_f64(), run.tool)
}

/// The last line.
pub(super) fn conclusion(comparison: &Comparison) -> String {
    let different = comparison.different().count();
    let only = [false, true].map(|second| comparison.only_in(second).count());
    let words = if comparison.is_worse() {
        "B has a failure where A has none"
    } else {
        "B has no failure where A has none"
    };
    let [a, b] = only;
    format!("{different} with another outcome, {a} only in A, {b} only in B: {words}")
}

fn counts(comparison: &Comparison) -> String {
    let tallies = comparison.tallies();
    let columns = columns(&tallies);
    let width = tallies.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let mut text = format!("\n{:width$}", "");
    for (_, outcome) in &columns {
        let _ = write!(text, "  {:>11}", outcome.name());
    }
    let _ = write!(text, "\n{:width$}", "");
    for _ in &columns {
        let _ = write!(text, "  {:>5} {:>5}", "A", "B");
    }
    text.push('\n');
    for (name, [a, b]) in &tallies {
        let _ = write!(text, "{name:width$}");
        for &(column, _) in &columns {
            let (a, b) = (cell(a, column), cell(b, column));
            // What differs is what one looks for.
            let style = if a == b { Style::new() } else { BOLD };
            let _ = write!(text, "  {style}{a:>5} {b:>5}{style:#}");
        }
        text.push('\n');
    }
    text
}

/// An outcome in its colour, at least `width` wide.
fn word(outcome: Outcome, width: usize) -> String {
    let style = match outcome {
        Outcome::Passed => GOOD,
        Outcome::Failed | Outcome::Error => BAD,
        Outcome::Flaky | Outcome::Waived | Outcome::NotRun | Outcome::Skipped => ODD,
    };
    format!("{style}{:width$}{style:#}", outcome.name())
}

fn outcome_and_time(side: &Option<Side>) -> String {
    side.as_ref().map_or_else(
        || format!("{:WORD$} {:>10}", "-", ""),
        |side| format!("{} {}", word(side.outcome, WORD), seconds(side)),
    )
}

fn seconds(side: &Side) -> String {
    format!("{:8.2} s", side.duration.as_secs_f64())
}
