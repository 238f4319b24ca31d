//! The one line that shows a run is alive. On a terminal only, and gone when the run is over.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};

use crate::event::Event;

/// Columns the line may take, so that it does not wrap.
const WIDTH: usize = 100;

/// The line.
#[derive(Debug, Default)]
pub struct Progress {
    enabled: bool,
    total: usize,
    done: usize,
    running: BTreeSet<String>,
}

impl Progress {
    /// A line on stderr, if that is a terminal.
    #[must_use]
    pub fn on_terminal() -> Self {
        Self { enabled: io::stderr().is_terminal(), ..Self::default() }
    }

    /// Takes the line away so that something else can be printed.
    pub fn clear(&self) {
        if self.enabled {
            // A progress line that cannot be written is not worth an error.
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    /// Shows the state after `event`.
    pub fn update(&mut self, event: &Event) {
        match event {
            Event::RunStarted { cases, .. } => self.total = *cases,
            Event::CaseStarted { id } => {
                self.running.insert(id.clone());
            }
            Event::CaseFinished(result) => {
                self.running.remove(&result.id);
                self.done += 1;
            }
            Event::RunFinished(_) => self.enabled = false,
        }
        if self.enabled {
            let running = self.running.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let line: String =
                format!("[{}/{}] {running}", self.done, self.total).chars().take(WIDTH).collect();
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
            let _ = io::stderr().flush();
        }
    }
}
