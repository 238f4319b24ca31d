//! The report people read: a line a case, a block a failure, the counts last.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use mock_lsws::{Detail, Entry};

use crate::event::{CaseResult, Event, Failure, Summary, Verdict};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Entries of a transcript shown at its beginning and its end; what is between is counted.
const TRANSCRIPT_ENDS: usize = 40;

/// Writes the report while the run goes on. Colours are always written: the stream given takes them out where they do not
/// belong.
#[derive(Debug)]
pub struct TextReport<W> {
    out: W,
    detail: Detail,
    verbose: bool,
    failed: Vec<String>,
}

impl<W: Write> TextReport<W> {
    /// A report to `out`. With verbosity 1 cases that passed show their transcripts too, with 2 all show their bytes.
    pub const fn new(out: W, verbosity: u8) -> Self {
        let detail = if verbosity > 1 { Detail::Hex } else { Detail::Decoded };
        Self { out, detail, verbose: verbosity > 0, failed: Vec::new() }
    }

    /// Writes what `event` adds to the report.
    ///
    /// # Errors
    /// When the stream does not take it.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted { subject, cases, jobs } => {
                let s = if *cases == 1 { "" } else { "s" };
                writeln!(self.out, "{cases} case{s} against {subject}, {jobs} at a time")?;
            }
            Event::CaseStarted { .. } => {}
            Event::CaseFinished(result) => self.case(result)?,
            Event::RunFinished(summary) => self.summary(summary)?,
        }
        self.out.flush()
    }

    fn case(&mut self, result: &CaseResult) -> io::Result<()> {
        let seconds = result.duration.as_secs_f64();
        let id = &result.id;
        match &result.verdict {
            Verdict::Passed => writeln!(self.out, "{GOOD}pass{GOOD:#} {id} {DIM}({seconds:.2} s){DIM:#}")?,
            Verdict::Skipped { reason } => writeln!(self.out, "{DIM}skip{DIM:#} {id}: {reason}")?,
            Verdict::Failed(failure) => {
                writeln!(self.out, "{BAD}FAIL{BAD:#} {id} {DIM}({seconds:.2} s){DIM:#}")?;
                self.failed.push(id.clone());
                return self.failure(result, failure);
            }
        }
        if self.verbose { self.transcript(&result.transcript) } else { Ok(()) }
    }

    fn failure(&mut self, result: &CaseResult, failure: &Failure) -> io::Result<()> {
        let out = &mut self.out;
        writeln!(out, "     {BOLD}{}{BOLD:#}", result.title)?;
        writeln!(out, "     class {}, {}", result.class, result.spec.join(", "))?;
        writeln!(out, "     why: {}", result.why)?;
        writeln!(out, "     at {}:{}:{}", failure.file.display(), failure.line, failure.column)?;
        if let Some(note) = &failure.note {
            writeln!(out, "     step: {note}")?;
        }
        for problem in &failure.problems {
            match &problem.expected {
                Some(expected) => {
                    writeln!(out, "     {BAD}{}{BAD:#}", problem.field)?;
                    writeln!(out, "       expected: {expected}")?;
                    writeln!(out, "       actual:   {}", problem.actual)?;
                }
                None => writeln!(out, "     {BAD}{}{BAD:#}: {}", problem.field, problem.actual)?,
            }
        }
        self.transcript(&result.transcript)?;
        let out = &mut self.out;
        if failure.stderr.is_empty() {
            writeln!(out, "     the subject wrote nothing to its stderr")?;
        } else {
            writeln!(out, "     the end of the subject's stderr:")?;
            for line in &failure.stderr {
                writeln!(out, "       {line}")?;
            }
        }
        writeln!(out, "     again: {}", failure.rerun)
    }

    fn transcript(&mut self, entries: &[Entry]) -> io::Result<()> {
        if entries.is_empty() {
            return writeln!(self.out, "     nothing was sent or received");
        }
        writeln!(self.out, "     transcript:")?;
        let left_out = entries.len().saturating_sub(2 * TRANSCRIPT_ENDS);
        for (index, entry) in entries.iter().enumerate() {
            if index < TRANSCRIPT_ENDS || index >= TRANSCRIPT_ENDS + left_out {
                for line in entry.show(self.detail).to_string().lines() {
                    writeln!(self.out, "       {line}")?;
                }
            } else if index == TRANSCRIPT_ENDS {
                writeln!(self.out, "       ... {left_out} more ...")?;
            }
        }
        Ok(())
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        if !self.failed.is_empty() {
            self.failed.sort();
            writeln!(self.out, "failed:")?;
            for id in &self.failed {
                writeln!(self.out, "  {id}")?;
            }
        }
        let Summary { passed, failed, skipped, duration } = summary;
        let style = if *failed == 0 { GOOD } else { BAD };
        let seconds = duration.as_secs_f64();
        writeln!(
            self.out,
            "{style}{passed} passed, {failed} failed, {skipped} skipped{style:#} ({seconds:.1} s)"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use mock_lsws::scenario::Class;

    use super::*;
    use crate::event::Problem;

    fn notes(count: usize) -> Vec<Entry> {
        let transcript = mock_lsws::Transcript::new();
        (0..count).for_each(|number| transcript.note(format!("note {number}.")));
        transcript.entries()
    }

    fn result(id: &str, verdict: Verdict) -> Event {
        Event::CaseFinished(Box::new(CaseResult {
            id: id.into(),
            title: "A request is answered".into(),
            class: Class::Must,
            spec: vec!["W01".into(), "lsapi 1.6".into()],
            why: "Everything depends on it.".into(),
            duration: Duration::from_millis(1234),
            verdict,
            transcript: notes(100),
        }))
    }

    fn rendered(events: &[Event]) -> String {
        let mut bytes = Vec::new();
        let mut report = TextReport::new(anstream::StripStream::new(&mut bytes), 0);
        for event in events {
            report.event(event).unwrap();
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_failure_says_everything_and_the_counts_come_last() {
        let failure = Failure {
            file: PathBuf::from("scenarios/wire/x.toml"),
            line: 12,
            column: 1,
            note: Some("the answer".into()),
            problems: vec![
                Problem { field: "status".into(), expected: Some("200".into()), actual: "500".into() },
                Problem { field: "layout".into(), expected: None, actual: "two RESP_HEADER packets".into() },
            ],
            stderr: vec!["oops".into()],
            rerun: "conformance run wire/x".into(),
        };
        let summary = Summary { passed: 1, failed: 1, skipped: 1, duration: Duration::from_millis(2500) };
        let text = rendered(&[
            Event::RunStarted { subject: "lswsgi".into(), cases: 3, jobs: 2 },
            result("wire/a", Verdict::Passed),
            result("wire/b", Verdict::Skipped { reason: "lswsgi has no role `crash`".into() }),
            result("wire/x", Verdict::Failed(failure)),
            Event::RunFinished(summary),
        ]);
        let expected = "\
3 cases against lswsgi, 2 at a time
pass wire/a (1.23 s)
skip wire/b: lswsgi has no role `crash`
FAIL wire/x (1.23 s)
     A request is answered
     class must, W01, lsapi 1.6
     why: Everything depends on it.
     at scenarios/wire/x.toml:12:1
     step: the answer
     status
       expected: 200
       actual:   500
     layout: two RESP_HEADER packets
     transcript:
";
        assert!(text.starts_with(expected), "{text}");
        let (shown, rest) = text.split_at(expected.len());
        assert!(!shown.contains("note 0."));
        let (first, last) = rest.split_once("       ... 20 more ...\n").unwrap();
        assert_eq!((first.lines().count(), last.matches("note ").count()), (40, 40));
        assert!(
            first.trim_end().ends_with("note 39.") && last.lines().next().unwrap().ends_with("note 60."),
            "{rest}"
        );
        assert!(rest.ends_with(
            "       oops\n     again: conformance run wire/x\nfailed:\n  wire/x\n1 passed, 1 failed, 1 skipped (2.5 s)\n"
        ));
    }
}
