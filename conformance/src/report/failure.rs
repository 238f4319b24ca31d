//! A failure in words, for reports people read.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use mock_lsws::{Detail, EntryRecord};

use crate::event::{Attempt, CaseResult, Failure, Part, Problem};

const BAD: Style = AnsiColor::Red.on_default().bold();
const BOLD: Style = Style::new().bold();

/// Entries of a transcript shown at its beginning and its end; what is between is counted.
const TRANSCRIPT_ENDS: usize = 40;

/// What a case is about, and everything about an attempt that failed.
pub(super) fn write(
    out: &mut impl Write,
    result: &CaseResult,
    attempt: &Attempt,
    detail: Detail,
) -> io::Result<()> {
    writeln!(out, "     {BOLD}{}{BOLD:#}", result.title)?;
    writeln!(out, "     class {}, {}", result.class, result.spec.join(", "))?;
    writeln!(out, "     why: {}", result.why)?;
    if let [earlier @ .., _] = attempts(result).as_slice() {
        for attempt in earlier {
            let what = attempt.failures().map(headline).collect::<Vec<_>>().join("; ");
            writeln!(out, "     attempt {}: {what}", attempt.number)?;
        }
    }
    if let Part::Failed(failure) = &attempt.exchange {
        writeln!(out, "     at {}:{}:{}", failure.file.display(), failure.line, failure.column)?;
        if let Some(note) = &failure.note {
            writeln!(out, "     step: {note}")?;
        }
        problems(out, failure, &attempt.transcript)?;
    }
    // How it ended belongs to the case as a whole, not to a step.
    if let Part::Failed(failure) = &attempt.ending {
        writeln!(out, "     {BOLD}how it ended{BOLD:#}")?;
        problems(out, failure, &attempt.transcript)?;
    }
    transcript(out, &attempt.transcript, detail)?;
    if attempt.stderr.is_empty() {
        writeln!(out, "     the subject wrote nothing to its stderr")?;
    } else {
        writeln!(out, "     the end of the subject's stderr:")?;
        for line in &attempt.stderr {
            writeln!(out, "       {}", visible(line))?;
        }
    }
    writeln!(out, "     again: {}", result.rerun)
}

/// The same as one text, with colours that are taken out where they do not belong.
pub(crate) fn failure_block(result: &CaseResult, attempt: &Attempt) -> String {
    let mut block = Vec::new();
    // Writing to memory does not fail.
    let _ = write(&mut block, result, attempt, Detail::Decoded);
    String::from_utf8_lossy(&block).into_owned()
}

/// What an application has said, with what would move the cursor or change colours made visible.
pub(crate) fn visible(line: &str) -> String {
    let is_control = |c: char| c.is_control() && c != '\t' && c != '\n';
    let show = |c: char| if is_control(c) { c.escape_default().to_string() } else { c.to_string() };
    line.chars().map(show).collect()
}

/// All attempts of a case in their order.
pub(super) fn attempts(result: &CaseResult) -> Vec<&Attempt> {
    result.earlier.iter().chain(&result.attempt).collect()
}

/// The first problem, in one line.
pub(crate) fn headline(failure: &Failure) -> String {
    let Some(Problem { field, expected, actual, .. }) = failure.problems.first() else {
        return failure.kind.name().to_owned();
    };
    match expected {
        Some(expected) => format!("{field}: expected {expected}, got {actual}"),
        None => format!("{field}: {actual}"),
    }
}

fn problems(out: &mut impl Write, failure: &Failure, transcript: &[EntryRecord]) -> io::Result<()> {
    for problem in &failure.problems {
        match &problem.expected {
            Some(expected) => {
                writeln!(out, "     {BAD}{}{BAD:#}", problem.field)?;
                writeln!(out, "       expected: {}", visible(expected))?;
                writeln!(out, "       actual:   {}", visible(&problem.actual))?;
                if let Some(column) = first_difference(expected, &problem.actual) {
                    writeln!(out, "                 {:column$}{BAD}^{BAD:#} here they begin to differ", "")?;
                }
            }
            None => writeln!(out, "     {BAD}{}{BAD:#}: {}", problem.field, visible(&problem.actual))?,
        }
        if let Some(place) = problem.place.and_then(|place| place.show(transcript)) {
            writeln!(out, "       from:     {place}")?;
        }
    }
    Ok(())
}

/// Texts shorter than this are compared at a glance.
const LONG: usize = 24;

/// The column in which two long texts that begin alike first differ. Only for texts in quotes: of a description and a
/// value no column can be compared.
fn first_difference(expected: &str, actual: &str) -> Option<usize> {
    let is_text = |text: &str| text.starts_with('"') && text.chars().count() > LONG;
    if !is_text(expected) || !is_text(actual) {
        return None;
    }
    let same = expected.chars().zip(actual.chars()).take_while(|(a, b)| a == b).count();
    // The quote alone is no common beginning, and where one goes on as the other is cut off, nothing differs.
    let differs = expected.chars().nth(same) != actual.chars().nth(same);
    (same > 1 && differs).then_some(same)
}

/// What passed on the connections.
pub(super) fn transcript(out: &mut impl Write, entries: &[EntryRecord], detail: Detail) -> io::Result<()> {
    if entries.is_empty() {
        return writeln!(out, "     nothing was sent or received");
    }
    writeln!(out, "     transcript:")?;
    let left_out = entries.len().saturating_sub(2 * TRANSCRIPT_ENDS);
    for (index, entry) in entries.iter().enumerate() {
        if index < TRANSCRIPT_ENDS || index >= TRANSCRIPT_ENDS + left_out {
            for line in entry.show(detail).to_string().lines() {
                writeln!(out, "       {line}")?;
            }
        } else if index == TRANSCRIPT_ENDS {
            writeln!(out, "       ... {left_out} more ...")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_of_two_long_texts_is_found() {
        let text = |end: &str| format!("\"0123456789 0123456789 {end}\"");
        assert_eq!(first_difference(&text("abc"), &text("abd")), Some(25));
        assert_eq!(first_difference(&text("abc"), &text("abcd")), Some(26));
        assert_eq!(first_difference(&text("abc"), &text("abc")), None);
        assert_eq!(first_difference("\"a\"", "\"b\""), None);
        assert_eq!(first_difference("\"x123456789 123456789 1234\"", "\"y123456789 123456789 1234\""), None);
        assert_eq!(first_difference("RESP_END, in the sequence RESP_STREAM", &text("a")), None);
    }
}
