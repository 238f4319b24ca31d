//! What people and programs read of a soak: a line while it runs, a table and a verdict at its end.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::sample::Sample;
use super::traffic::Counts;
use super::verdict::{self, Row};
use super::{Soak, SoakError};
use crate::cli::SoakMode;

/// How often a line is written where none can be written over.
const LINES: Duration = Duration::from_secs(10);

const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();

/// How far it is: on a terminal one line that changes, elsewhere a line now and then.
pub(super) struct Progress {
    length: Duration,
    terminal: bool,
    last: Instant,
}

impl Progress {
    pub(super) fn new(length: Duration) -> Self {
        Self { length, terminal: io::stderr().is_terminal(), last: Instant::now() }
    }

    pub(super) fn show(&mut self, sample: &Sample, counts: &Counts) {
        let line = line(self.length, sample, counts);
        // A line that cannot be written is not worth an error.
        if self.terminal {
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
            let _ = io::stderr().flush();
        } else if self.last.elapsed() >= LINES {
            self.last = Instant::now();
            let _ = writeln!(io::stderr(), "{line}");
        }
    }

    pub(super) fn clear(&self) {
        if self.terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(length: Duration, sample: &Sample, counts: &Counts) -> String {
    let mut line = format!(
        "[{:.0}/{:.0} s] {} exchanges, {} processes, at most {} descriptors, {} MiB",
        sample.seconds,
        length.as_secs_f64(),
        counts.all(),
        sample.processes,
        sample.most_descriptors,
        sample.pss / 1024
    );
    // Writing to a string cannot fail, here and below.
    if counts.unexpected > 0 {
        let _ = write!(line, ", {} not as expected", counts.unexpected);
    }
    line
}

/// A soak that is over.
#[derive(Debug, Serialize)]
pub(super) struct Ended {
    subject: String,
    mode: SoakMode,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    children: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_requests: Option<u32>,
    clients: usize,
    /// How often the subject was started.
    starts: u32,
    traffic: Counts,
    rows: Vec<Row>,
    sound: bool,
    samples: Vec<Sample>,
}

impl Ended {
    pub(super) fn new(soak: &Soak, samples: Vec<Sample>, traffic: Counts, starts: u32) -> Self {
        let of_group = |number| (soak.mode == SoakMode::Group).then_some(number);
        let rows = verdict::rows(&samples).unwrap_or_default();
        let sound = !rows.is_empty() && !rows.iter().any(Row::has_grown) && traffic.unexpected == 0;
        Self {
            subject: soak.subject.name.clone(),
            mode: soak.mode,
            seconds: soak.length.as_secs_f64(),
            children: of_group(soak.children),
            max_requests: of_group(soak.max_requests),
            clients: soak.clients,
            starts,
            traffic,
            rows,
            sound,
            samples,
        }
    }

    /// Whether nothing has grown, and everything was as expected.
    pub(super) const fn is_sound(&self) -> bool {
        self.sound
    }

    /// Writes what was asked for.
    pub(super) fn report(&self, soak: &Soak) -> Result<(), SoakError> {
        let json = soak.json.as_deref();
        let to_stdout = json == Some(Path::new("-"));
        let write = |path: &Path, text: &str| {
            if to_stdout {
                io::stdout().lock().write_all(text.as_bytes())
            } else {
                std::fs::write(path, text)
            }
            .map_err(|source| SoakError::Unwritable { path: path.to_owned(), source })
        };
        if let Some(path) = json {
            let text = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
            write(path, &text)?;
        }
        if !to_stdout {
            let written = anstream::stdout().lock().write_all(self.text().as_bytes());
            written.map_err(|source| SoakError::Unwritable { path: "standard output".into(), source })?;
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = format!("soak of {} for {} s: ", self.subject, self.seconds);
        match (self.children, self.max_requests) {
            (Some(children), Some(requests)) => {
                let _ = write!(text, "a group of {children}, each for {requests} requests");
            }
            _ => text += "one worker",
        }
        let _ = write!(text, "; {} clients", self.clients);
        if self.starts > 1 {
            let _ = write!(text, "; started {} times", self.starts);
        }
        let counts = &self.traffic;
        let kinds = counts.exchanges.iter().map(|(kind, count)| format!("{count} {}", kind.name()));
        let _ = write!(
            text,
            "\n{} exchanges: {}; {} requests sent again on another connection\n",
            counts.all(),
            kinds.collect::<Vec<_>>().join(", "),
            counts.sent_again
        );
        text += &table(&self.rows);
        for example in &counts.examples {
            let _ = writeln!(text, "not as expected: {example}");
        }
        text + &self.verdict()
    }

    fn verdict(&self) -> String {
        let grown: Vec<&str> = self.rows.iter().filter(|row| row.has_grown()).map(|row| row.name).collect();
        if self.sound {
            return format!(
                "{GOOD}sound{GOOD:#}: no growth of descriptors, zombies or shared memory, and every exchange as expected\n"
            );
        }
        let mut reasons = Vec::new();
        if self.rows.is_empty() {
            reasons.push("too few samples for a verdict".to_owned());
        }
        if !grown.is_empty() {
            reasons.push(format!("growth of {}", grown.join(" and of ")));
        }
        if self.traffic.unexpected > 0 {
            reasons.push(format!("{} exchanges not as expected", self.traffic.unexpected));
        }
        format!("{BAD}NOT SOUND{BAD:#}: {}\n", reasons.join("; "))
    }
}

/// Medians of the first and the last quarter. What is judged has a limit and a verdict.
fn table(rows: &[Row]) -> String {
    let mut text = format!("{:32}  {:>13}  {:>12}  {:>10}\n", "", "first quarter", "last quarter", "allowed");
    for row in rows {
        let _ = write!(text, "{:32}  {:>13.1}  {:>12.1}", row.name, row.first, row.last);
        match row.allowed {
            Some(allowed) if row.has_grown() => {
                let _ = write!(text, "  {allowed:>10.1}  {BAD}GROWN{BAD:#}");
            }
            Some(allowed) => {
                let _ = write!(text, "  {allowed:>10.1}  ok");
            }
            None => {}
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lines_up_and_marks_what_has_grown() {
        let row = |name, first, last, allowed| Row { name, first, last, allowed };
        let text = table(&[
            row("processes", 6.0, 7.0, None),
            row("zombies", 0.0, 0.0, Some(1.0)),
            row("descriptors, most in a process", 20.0, 4711.0, Some(25.0)),
        ]);
        let expected = "                                  first quarter  last quarter     allowed
processes                                   6.0           7.0
zombies                                     0.0           0.0         1.0  ok
descriptors, most in a process             20.0        4711.0        25.0  GROWN
";
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), expected);
    }
}
