//! The report people read: a line a case, a block a failure, the counts last.

use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use mock_lsws::Detail;

use super::{Report, failure, table};
use crate::event::{Attempt, CaseResult, Event, RunStarted, Summary, Verdict};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const ODD: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();

/// Writes the report while the run goes on. Colours are always written: the stream given takes them out where they do not
/// belong.
#[derive(Debug)]
pub struct TextReport<W> {
    out: W,
    detail: Detail,
    verbose: bool,
    /// The command that repeats the order of a shuffled run, for the end.
    shuffled: Option<String>,
    failed: Vec<String>,
    skipped: Vec<String>,
    waived: Vec<String>,
    times: Vec<(Duration, String)>,
}

impl<W: Write> TextReport<W> {
    /// A report to `out`. With verbosity 1 cases that passed show their transcripts too, with 2 all show their bytes.
    pub const fn new(out: W, verbosity: u8) -> Self {
        let detail = if verbosity > 1 { Detail::Hex } else { Detail::Decoded };
        Self {
            out,
            detail,
            verbose: verbosity > 0,
            shuffled: None,
            failed: Vec::new(),
            skipped: Vec::new(),
            waived: Vec::new(),
            times: Vec::new(),
        }
    }

    fn start(&mut self, run: &RunStarted) -> io::Result<()> {
        let RunStarted { subject, cases, jobs, seed, .. } = run;
        match cases {
            Some(1) => write!(self.out, "1 case against {subject}")?,
            Some(cases) => write!(self.out, "{cases} cases against {subject}")?,
            None => write!(self.out, "cases against {subject} until one fails")?,
        }
        write!(self.out, ", {jobs} at a time")?;
        if let Some(seed) = seed {
            write!(self.out, ", in the order of seed {seed}")?;
        }
        self.shuffled = seed.map(|_| run.whole_command.clone());
        writeln!(self.out)
    }

    fn attempt(&mut self, name: &str, attempt: &Attempt) -> io::Result<()> {
        let seconds = attempt.duration.as_secs_f64();
        let what = attempt.failures().next().map(failure::headline).unwrap_or_default();
        let number = attempt.number;
        writeln!(
            self.out,
            "{ODD}again{ODD:#} {name} {DIM}({seconds:.2} s){DIM:#}: attempt {number} failed: {what}"
        )
    }

    fn case(&mut self, result: &CaseResult) -> io::Result<()> {
        let name = name(&result.id, result.round);
        let time = time(result);
        match &result.verdict {
            Verdict::Passed => writeln!(self.out, "{GOOD}pass{GOOD:#} {name} {time}")?,
            Verdict::Skipped { reason } => {
                self.skipped.push(reason.clone());
                writeln!(self.out, "{DIM}skip{DIM:#} {name}: {reason}")?;
            }
            // The counts tell; a line each would hide what did happen.
            Verdict::NotRun { .. } => {}
            Verdict::Flaky => {
                let attempts = result.earlier.len() + 1;
                writeln!(self.out, "{ODD}flaky{ODD:#} {name} {time}: passed in attempt {attempts}")?;
            }
            Verdict::Waived { reason } => {
                self.waived.push(format!("{name}: {reason}"));
                writeln!(self.out, "{ODD}waived{ODD:#} {name} {time}: {reason}")?;
            }
            Verdict::Error { message } => {
                self.failed.push(name.clone());
                writeln!(self.out, "{BAD}ERROR{BAD:#} {name} {time}: {message}")?;
            }
            Verdict::Failed => {
                self.failed.push(name.clone());
                writeln!(self.out, "{BAD}FAIL{BAD:#} {name} {time}")?;
            }
        }
        let Some(attempt) = &result.attempt else { return Ok(()) };
        self.times.push((result.duration, name));
        let is_failure = !attempt.has_passed();
        if result.verdict == Verdict::Failed || (self.verbose && is_failure) {
            failure::write(&mut self.out, result, attempt, self.detail)
        } else if self.verbose {
            failure::transcript(&mut self.out, &attempt.transcript, self.detail)
        } else {
            Ok(())
        }
    }

    fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        let total = summary.total();
        self.failed.sort();
        if total.all() > 1 {
            self.list("slowest", &table::slowest(&self.times))?;
            self.list("skipped", &table::grouped(&self.skipped))?;
        }
        self.waived.sort();
        let waived = self.waived.iter().map(|line| format!("  {line}")).collect::<Vec<_>>();
        self.list("waived", &waived)?;
        let failed = self.failed.iter().map(|line| format!("  {line}")).collect::<Vec<_>>();
        self.list("failed", &failed)?;
        if let (Some(command), false) = (&self.shuffled, self.failed.is_empty()) {
            writeln!(self.out, "this order again: {command}")?;
        }
        for remark in &summary.remarks {
            writeln!(self.out, "{ODD}note{ODD:#} {remark}")?;
        }
        if total.all() > 1 {
            writeln!(self.out, "{}", table::counts(summary))?;
        }
        let style = if summary.exit_code == 0 { GOOD } else { BAD };
        let mut words = format!("{} passed, {} failed", total.passed, total.failed);
        for (name, count) in total.named().into_iter().skip(2) {
            if count > 0 || name == "skipped" {
                words += &format!(", {count} {name}");
            }
        }
        let seconds = summary.duration.as_secs_f64();
        writeln!(self.out, "{style}{words}{style:#} ({seconds:.1} s)")
    }

    fn list(&mut self, title: &str, lines: &[String]) -> io::Result<()> {
        if !lines.is_empty() {
            writeln!(self.out, "{title}:")?;
        }
        lines.iter().try_for_each(|line| writeln!(self.out, "{line}"))
    }
}

impl<W: Write> Report for TextReport<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted(run) => self.start(run)?,
            Event::CaseStarted { .. } => return Ok(()),
            Event::CaseAttempt { id, round, attempt } => self.attempt(&name(id, *round), attempt)?,
            Event::CaseFinished(result) => self.case(result)?,
            Event::RunFinished(summary) => self.summary(summary)?,
        }
        self.out.flush()
    }
}

/// The ID, with the round where there is more than one.
fn name(id: &str, round: u32) -> String {
    if round > 1 { format!("{id} #{round}") } else { id.to_owned() }
}

/// How long a case took, with what is remarkable about that.
fn time(result: &CaseResult) -> String {
    let seconds = result.duration.as_secs_f64();
    let timeout = result.attempt.as_ref().is_some_and(Attempt::has_timed_out);
    match (timeout, result.slow) {
        (true, _) => format!("{DIM}({seconds:.2} s, {DIM:#}{BAD}timeout{BAD:#}{DIM}){DIM:#}"),
        (false, true) => format!("{DIM}({seconds:.2} s, {DIM:#}{ODD}SLOW{ODD:#}{DIM}){DIM:#}"),
        (false, false) => format!("{DIM}({seconds:.2} s){DIM:#}"),
    }
}
