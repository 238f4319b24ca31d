//! The run in the Markdown of code hosts, for the page of a CI job.
//!
//! Such pages take a limited amount (GitHub 1 MiB), so failures are told until that is used up, and the rest counted. What
//! the subject said stands in fences only, and everything else is escaped: no byte of it becomes markup.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use anstream::adapter::strip_str;

use super::{Report, area, failure, table};
use crate::event::{Attempt, CaseResult, Counts, Event, RunStarted, Summary, Verdict};

/// Bytes of the whole document; under what pages take, with room for what others write there.
const MOST_BYTES: usize = 900 << 10;
/// Bytes of one failure.
const MOST_OF_ONE: usize = 32 << 10;

/// Writes the document at the end of the run.
#[derive(Debug)]
pub struct MarkdownReport<W> {
    out: W,
    run: Option<RunStarted>,
    cases: Vec<CaseResult>,
}

impl<W: Write> MarkdownReport<W> {
    /// To `out`.
    pub const fn new(out: W) -> Self {
        Self { out, run: None, cases: Vec::new() }
    }

    fn document(&mut self, summary: &Summary) -> String {
        self.cases.sort_by(|a, b| (a.round, &a.id).cmp(&(b.round, &b.id)));
        let subject = self.run.as_ref().map_or("", |run| run.subject.as_str());
        let mut text = format!("## conformance of {}: {}\n\n", inline(subject), headline(summary));
        for words in summary.error.iter().chain(&summary.remarks) {
            let _ = writeln!(text, "> {}\n", inline(words));
        }
        let classes = [("must", summary.must), ("should", summary.should), ("detail", summary.detail)];
        counts(&mut text, "class", &classes, summary.total());
        let areas: Vec<_> = area::counts(&self.cases).into_iter().collect();
        counts(&mut text, "area", &areas, summary.total());
        self.failures(&mut text);
        self.reasons(&mut text);
        if let Some(run) = &self.run {
            let _ = writeln!(text, "{}, {}. Again:\n", inline(&run.tool), inline(&run.selection));
            text.push_str(&fenced(&run.whole_command));
        }
        text
    }

    /// What failed, what was flaky, what could not be run; each folded.
    fn failures(&self, text: &mut String) {
        let mut left_out = 0;
        for case in &self.cases {
            let word = match &case.verdict {
                Verdict::Failed => "failed",
                Verdict::Flaky => "flaky",
                Verdict::Error { .. } => "error",
                _ => continue,
            };
            if text.len() > MOST_BYTES - 2 * MOST_OF_ONE {
                left_out += 1;
                continue;
            }
            let attempt = case.attempt.iter().chain(&case.earlier).find(|attempt| !attempt.has_passed());
            let what = match (&case.verdict, attempt) {
                (Verdict::Error { message }, _) => message.clone(),
                (_, Some(attempt)) => {
                    attempt.failures().map(failure::headline).collect::<Vec<_>>().join("; ")
                }
                (_, None) => String::new(),
            };
            // Until the next empty line this is HTML, in which nothing of Markdown counts.
            let what = cut(&what, 200);
            let _ = writeln!(
                text,
                "<details><summary>{word}: <code>{}</code> ({}) {}</summary>\n",
                html(&case.id),
                case.class,
                html(what)
            );
            text.push_str(&fenced(&block(case, attempt)));
            text.push_str("</details>\n\n");
        }
        if left_out > 0 {
            let _ = writeln!(text, "{left_out} more failed; the other reports have all of them.\n");
        }
    }

    /// What is waived, skipped and not run, by reason.
    fn reasons(&self, text: &mut String) {
        let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for case in &self.cases {
            match &case.verdict {
                Verdict::Waived { reason } => kinds.entry("waived").or_default().push(reason.clone()),
                Verdict::Skipped { reason } => kinds.entry("skipped").or_default().push(reason.clone()),
                Verdict::NotRun { reason } => kinds.entry("not run").or_default().push(reason.clone()),
                _ => {}
            }
        }
        for (kind, reasons) in kinds {
            let _ = writeln!(text, "<details><summary>{} {kind}, by reason</summary>\n", reasons.len());
            text.push_str(&fenced(&table::grouped(&reasons).join("\n")));
            text.push_str("</details>\n\n");
        }
    }
}

impl<W: Write> Report for MarkdownReport<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted(run) => self.run = Some(run.clone()),
            Event::CaseFinished(result) => self.cases.push((**result).clone()),
            Event::RunFinished(summary) => {
                let document = self.document(summary);
                self.out.write_all(document.as_bytes())?;
                self.out.flush()?;
            }
            // The attempts of a case are in its result.
            Event::CaseStarted { .. } | Event::CaseAttempt { .. } => {}
        }
        Ok(())
    }
}

fn headline(summary: &Summary) -> String {
    let total = summary.total();
    match (total.failed + total.errors, summary.exit_code) {
        (0, 0) => format!("{} passed", total.ran()),
        (0, code) => format!("{} passed, exit code {code}", total.ran()),
        (bad, _) => format!("{bad} of {} failed", total.all()),
    }
}

fn counts(text: &mut String, what: &str, rows: &[(&str, Counts)], total: Counts) {
    let columns = area::columns(&total);
    let cells =
        |row: &Counts| columns.iter().map(|&at| format!(" {} |", row.named()[at].1)).collect::<String>();
    let names: String = columns.iter().map(|&at| format!(" {} |", total.named()[at].0)).collect();
    let _ = writeln!(text, "| {what} |{names}\n|---|{}", "---:|".repeat(columns.len()));
    for (name, row) in rows.iter().filter(|(_, row)| row.all() > 0) {
        let _ = writeln!(text, "| {} |{}", inline(name), cells(row));
    }
    text.push('\n');
}

fn block(case: &CaseResult, attempt: Option<&Attempt>) -> String {
    let block = attempt.map(|attempt| failure::failure_block(case, attempt)).unwrap_or_default();
    let plain = strip_str(&block).to_string();
    let kept = cut(&plain, MOST_OF_ONE);
    let more = if kept.len() < plain.len() { "\n... cut here; the other reports have all of it" } else { "" };
    format!("{kept}{more}")
}

/// At most `most` bytes of `text`.
fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// `text` in a fence that nothing in it can close.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let shown = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    format!("{fence}text\n{}\n{fence}\n\n", text.trim_end().chars().map(shown).collect::<String>())
}

/// `text` within a line, where nothing in it is markup.
pub(crate) fn inline(text: &str) -> String {
    let escaped = |c: char| match c {
        c if c.is_control() => " ".to_owned(),
        '&' | '<' | '>' => html(&c.to_string()),
        c if c.is_ascii_punctuation() && !".,:;/-'()=".contains(c) => format!("\\{c}"),
        c => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// `text` in HTML, on one line.
fn html(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
