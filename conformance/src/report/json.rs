//! The stream as it is, one event a line, and a run as one JSON document.

use std::io::{self, Write};

use super::{Report, RunDocument};
use crate::event::{CaseResult, Event, RunStarted};

/// One event a line, written as it happens.
#[derive(Debug)]
pub struct JsonLines<W>(W);

impl<W: Write> JsonLines<W> {
    /// To `out`.
    pub const fn new(out: W) -> Self {
        Self(out)
    }
}

impl<W: Write> Report for JsonLines<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        serde_json::to_writer(&mut self.0, event)?;
        self.0.write_all(b"\n")?;
        self.0.flush()
    }
}

/// The whole run in one document, written at its end.
#[derive(Debug)]
pub struct JsonReport<W> {
    out: W,
    run: Option<RunStarted>,
    cases: Vec<CaseResult>,
}

impl<W: Write> JsonReport<W> {
    /// To `out`.
    pub const fn new(out: W) -> Self {
        Self { out, run: None, cases: Vec::new() }
    }
}

impl<W: Write> Report for JsonReport<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted(run) => self.run = Some(run.clone()),
            Event::CaseFinished(result) => self.cases.push((**result).clone()),
            Event::RunFinished(summary) => {
                // A stream begins with what ran.
                if let Some(run) = self.run.take() {
                    let document = RunDocument::new(run, std::mem::take(&mut self.cases), summary.clone());
                    serde_json::to_writer_pretty(&mut self.out, &document)?;
                    self.out.write_all(b"\n")?;
                }
                self.out.flush()?;
            }
            // The attempts of a case are in its result.
            Event::CaseStarted { .. } | Event::CaseAttempt { .. } => {}
        }
        Ok(())
    }
}
