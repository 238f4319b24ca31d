//! The run in the Test Anything Protocol, version 14, a case as soon as it is over.
//!
//! Cases are numbered as they finish, and the plan is the last line: a run of several rounds may stop in any of them. The last test point is the run itself, so that what is wrong beyond single cases is
//! seen too. Diagnostics are YAML; their values are written as JSON, which YAML includes.

use std::io::{self, Write};

use anstream::adapter::strip_str;
use serde_json::json;

use super::{Report, failure};
use crate::event::{Attempt, CaseResult, Event, RunStarted, Summary, Verdict};

/// What the last test point is called.
const RUN: &str = "the run as a whole";

/// Writes a test point for each case.
#[derive(Debug)]
pub struct TapReport<W> {
    out: W,
    /// Test points so far.
    number: usize,
}

impl<W: Write> TapReport<W> {
    /// To `out`.
    pub const fn new(out: W) -> Self {
        Self { out, number: 0 }
    }

    fn begin(&mut self, run: &RunStarted) -> io::Result<()> {
        writeln!(self.out, "TAP version 14")?;
        let RunStarted { tool, subject, selection, whole_command, .. } = run;
        for line in [format!("{tool}: {subject}, {selection}"), format!("again: {whole_command}")] {
            writeln!(self.out, "# {}", one_line(&line))?;
        }
        Ok(())
    }

    fn case(&mut self, result: &CaseResult) -> io::Result<()> {
        let (is_ok, directive) = match &result.verdict {
            Verdict::Passed | Verdict::Flaky => (true, None),
            Verdict::Failed | Verdict::Error { .. } => (false, None),
            Verdict::Waived { reason } => (false, Some(format!("TODO waived: {reason}"))),
            Verdict::Skipped { reason } => (true, Some(format!("SKIP {reason}"))),
            Verdict::NotRun { reason } => (true, Some(format!("SKIP not run: {reason}"))),
        };
        let round = if result.round > 1 { format!(" (round {})", result.round) } else { String::new() };
        self.point(is_ok, &format!("{}{round}", result.id), directive.as_deref())?;
        let outcome = match &result.verdict {
            Verdict::Passed | Verdict::Skipped { .. } | Verdict::NotRun { .. } => return Ok(()),
            Verdict::Failed | Verdict::Waived { .. } => "failed",
            Verdict::Flaky => "passed when it was tried again",
            Verdict::Error { message } => {
                return self
                    .diagnostics(&[("outcome", json!("could not be run")), ("message", json!(message))]);
            }
        };
        self.diagnostics(&[
            ("outcome", json!(outcome)),
            ("title", json!(result.title)),
            ("class", json!(result.class.to_string())),
            ("clauses", json!(result.spec)),
            ("why", json!(result.why)),
            ("duration_ms", json!(result.duration.as_millis())),
            ("at", place(result)),
            ("problems", problems(result)),
            ("again", json!(result.rerun)),
        ])?;
        if let Some(attempt) = attempt(result) {
            let block = failure::failure_block(result, attempt);
            for line in strip_str(&block).to_string().lines() {
                writeln!(self.out, "# {}", one_line(line.trim_end()))?;
            }
        }
        Ok(())
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        let is_ok = summary.error.is_none() && (summary.exit_code == 0 || summary.total().failed > 0);
        self.point(is_ok, RUN, None)?;
        let remarks: Vec<&String> = summary.error.iter().chain(&summary.remarks).collect();
        let counts: serde_json::Map<_, _> = summary
            .total()
            .named()
            .into_iter()
            .map(|(name, count)| (name.to_owned(), json!(count)))
            .collect();
        self.diagnostics(&[
            ("counts", json!(counts)),
            ("duration_ms", json!(summary.duration.as_millis())),
            ("exit_code", json!(summary.exit_code)),
            ("remarks", json!(remarks)),
        ])?;
        writeln!(self.out, "1..{}", self.number)
    }

    fn point(&mut self, is_ok: bool, what: &str, directive: Option<&str>) -> io::Result<()> {
        self.number += 1;
        let word = if is_ok { "ok" } else { "not ok" };
        write!(self.out, "{word} {} - {}", self.number, escaped(what))?;
        if let Some(directive) = directive {
            write!(self.out, " # {}", one_line(directive))?;
        }
        writeln!(self.out)
    }

    fn diagnostics(&mut self, values: &[(&str, serde_json::Value)]) -> io::Result<()> {
        writeln!(self.out, "  ---")?;
        for (key, value) in values {
            writeln!(self.out, "  {key}: {}", printable(&value.to_string()))?;
        }
        writeln!(self.out, "  ...")
    }
}

impl<W: Write> Report for TapReport<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted(run) => self.begin(run)?,
            Event::CaseFinished(result) => self.case(result)?,
            Event::RunFinished(summary) => self.end(summary)?,
            // The attempts of a case are in its result.
            Event::CaseStarted { .. } | Event::CaseAttempt { .. } => return Ok(()),
        }
        self.out.flush()
    }
}

/// The attempt that tells what is wrong.
fn attempt(result: &CaseResult) -> Option<&Attempt> {
    result.attempt.iter().chain(&result.earlier).find(|attempt| !attempt.has_passed())
}

fn place(result: &CaseResult) -> serde_json::Value {
    let failure = attempt(result).and_then(|attempt| attempt.failures().next());
    failure.map_or(json!(null), |failure| json!({ "file": failure.file, "line": failure.line }))
}

fn problems(result: &CaseResult) -> serde_json::Value {
    let failures = attempt(result).into_iter().flat_map(Attempt::failures);
    json!(failures.flat_map(|failure| &failure.problems).collect::<Vec<_>>())
}

/// A description: what would begin a directive, or an escape, stands for itself.
fn escaped(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('#', "\\#")
}

/// JSON in which control characters of any kind are escaped; its own rules leave some as they are.
fn printable(json: &str) -> String {
    let escape = |c: char| if c.is_control() { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    json.chars().map(escape).collect()
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
