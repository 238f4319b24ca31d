//! The runtime's own log: one line a fact on standard error, with time, pid and level.
//!
//! Standard error is the server's log file in production, shared by many processes, so each line leaves in one write.
//! Logging never fails and never blocks the application for longer than that write.

use std::fmt::{Arguments, Write as _};
use std::sync::atomic::{AtomicU8, Ordering};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
#[repr(u8)]
pub enum Level {
    /// Something failed, or a request was answered with an error the application caused.
    Error,
    /// Something was not as it should be and was dealt with.
    Warning,
    /// A fact of the process's life: started, left, why.
    Info,
    /// What happens all the time and matters only to somebody searching: a client gone, a connection ended.
    Debug,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// What a line looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
#[repr(u8)]
pub enum Format {
    /// Time, pid, level and text.
    #[default]
    Text,
    /// An object with these.
    Json,
}

static FORMAT: AtomicU8 = AtomicU8::new(Format::Text as u8);

static THRESHOLD: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Lines above `level` are dropped from now on.
pub fn set_level(level: Level) {
    THRESHOLD.store(level as u8, Ordering::Relaxed);
}

/// What lines look like from now on.
pub fn set_format(format: Format) {
    FORMAT.store(format as u8, Ordering::Relaxed);
}

/// Logs at [`Level::Error`].
pub fn error(text: Arguments<'_>) {
    line(Level::Error, text);
}

/// Logs at [`Level::Warning`].
pub fn warning(text: Arguments<'_>) {
    line(Level::Warning, text);
}

/// Logs at [`Level::Info`].
pub fn info(text: Arguments<'_>) {
    line(Level::Info, text);
}

/// Logs at [`Level::Debug`].
pub fn debug(text: Arguments<'_>) {
    line(Level::Debug, text);
}

/// Writes text of the application as it is. What cannot be written is dropped: there is nowhere to complain.
pub fn text(mut text: &[u8]) {
    while !text.is_empty() {
        match rustix::io::write(rustix::stdio::stderr(), text) {
            Ok(count @ 1..) => text = &text[count..],
            Err(rustix::io::Errno::INTR) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

fn line(level: Level, text: Arguments<'_>) {
    if level as u8 > THRESHOLD.load(Ordering::Relaxed) {
        return;
    }
    let mut line = String::with_capacity(160);
    let pid = rustix::process::getpid().as_raw_nonzero();
    // Writing to a String cannot fail.
    let _ = write!(line, "{:.3} [{pid}] {}: ", jiff::Timestamp::now(), level.name());
    let start = line.len();
    let _ = line.write_fmt(text);
    // A line is a line: text from an application or a peer may hold anything.
    let flat: String = line.split_off(start).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.push_str(flat.trim_end());
    line.push('\n');
    let _ = rustix::io::write(rustix::stdio::stderr(), line.as_bytes());
}
