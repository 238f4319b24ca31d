//! The one line that shows a run is alive. On a terminal only, and gone when the run is over.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::event::Event;

/// Columns of a terminal that does not say how many it has.
const WIDTH: u16 = 80;

/// The line.
#[derive(Debug)]
pub struct Progress {
    enabled: bool,
    total: Option<usize>,
    done: usize,
    failed: usize,
    started: bool,
    /// A case running longer than this is marked.
    slow: Duration,
    running: Vec<(String, Instant)>,
}

impl Progress {
    /// A line on stderr, if that is a terminal. Cases that take longer than `slow` are marked.
    #[must_use]
    pub fn on_terminal(slow: Duration) -> Self {
        Self { enabled: io::stderr().is_terminal(), ..Self::new(slow) }
    }

    const fn new(slow: Duration) -> Self {
        let running = Vec::new();
        Self { enabled: false, total: None, done: 0, failed: 0, started: false, slow, running }
    }

    /// Takes the line away so that something else can be printed.
    pub fn clear(&self) {
        if self.enabled {
            // A progress line that cannot be written is not worth an error.
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    /// Takes in what happened.
    pub fn update(&mut self, event: &Event) {
        match event {
            Event::RunStarted(run) => {
                self.started = true;
                self.total = run.cases;
            }
            Event::CaseStarted { id, .. } => self.running.push((id.clone(), Instant::now())),
            Event::CaseAttempt { .. } => {}
            Event::CaseFinished(result) => {
                if let Some(at) = self.running.iter().position(|(id, _)| *id == result.id) {
                    self.running.remove(at);
                }
                self.done += 1;
                self.failed += usize::from(result.verdict == crate::event::Verdict::Failed);
            }
            Event::RunFinished(_) => self.enabled = false,
        }
    }

    /// Shows how far the run is.
    pub fn show(&self) {
        if self.enabled && self.started {
            let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col);
            let columns = if columns == 0 { WIDTH } else { columns };
            // The last column stays free: some terminals break the line when it is filled.
            let width = usize::from(columns) - 1;
            let line: String = self.line(Instant::now()).chars().take(width).collect();
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
            let _ = io::stderr().flush();
        }
    }

    /// The line at `now`: what has run longest comes first, for that is what one waits for.
    fn line(&self, now: Instant) -> String {
        let total = self.total.map_or_else(String::new, |total| format!("/{total}"));
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        if self.running.is_empty() && self.done == 0 {
            return "starting the subject".into();
        }
        let running = self.running.iter().map(|(id, since)| {
            let time = now.duration_since(*since);
            let mark = if time > self.slow { "SLOW " } else { "" };
            format!("{mark}{id} {:.0}s", time.as_secs_f64().floor())
        });
        format!("[{}{total}{failed}] {}", self.done, running.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_how_far_it_is_and_what_one_waits_for() {
        let mut progress = Progress::new(Duration::from_secs(10));
        progress.total = Some(52);
        let now = Instant::now();
        assert_eq!(progress.line(now), "starting the subject");
        progress.update(&Event::CaseStarted { id: "wire/a".into(), round: 1 });
        progress.update(&Event::CaseStarted { id: "wire/b".into(), round: 1 });
        let later = now + Duration::from_millis(12_500);
        assert!(
            progress.line(later).starts_with("[0/52] SLOW wire/a 12s, SLOW wire/b 12s"),
            "{}",
            progress.line(later)
        );
        progress.failed = 2;
        assert!(progress.line(now).starts_with("[0/52, 2 failed] wire/a 0s"), "{}", progress.line(now));
    }
}
