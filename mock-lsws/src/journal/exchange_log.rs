//! The lines of the server's log that belong to one exchange.

use super::{Note, ServerLog};
use crate::transcript::Transcript;

/// Lines kept of one exchange. An application can write lines without end; the server's log gets them all.
const MOST: usize = 1000;

/// Collects the lines of one exchange, and passes each on to its transcript and to the server's log.
#[derive(Debug)]
pub(crate) struct ExchangeLog {
    notes: Vec<Note>,
    transcript: Option<Transcript>,
    log: ServerLog,
}

impl ExchangeLog {
    pub(crate) const fn new(transcript: Option<Transcript>, log: ServerLog) -> Self {
        Self { notes: Vec::new(), transcript, log }
    }

    /// Adds a line.
    pub(crate) fn note(&mut self, note: Note) {
        if let Some(transcript) = &self.transcript {
            transcript.note(note.to_string());
        }
        self.log.note(&note);
        if self.notes.len() < MOST {
            self.notes.push(note);
        }
    }

    /// Where every packet is written down, if anywhere.
    pub(crate) const fn transcript(&self) -> Option<&Transcript> {
        self.transcript.as_ref()
    }

    /// Takes everything out.
    pub(crate) fn take(&mut self) -> (Vec<Note>, Option<Transcript>) {
        (std::mem::take(&mut self.notes), self.transcript.take())
    }
}
