//! Lines, and how they are written.

use std::fmt::{Arguments, Write as _};
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::io::Errno;
use rustix::process::getpid;
use serde::Serialize;

use super::repeats;

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

/// Logs text about the application or from it: as it is, or as the message of one object of this `level`. What cannot be
/// written is dropped: there is nowhere to complain.
pub fn text(level: Level, text: &[u8]) {
    if !is_json() {
        return write(text);
    }
    let message = String::from_utf8_lossy(text);
    write(object(level, Some("application"), message.trim_end_matches('\n')).as_bytes());
}

/// Whether lines are objects.
pub fn is_json() -> bool {
    FORMAT.load(Ordering::Relaxed) == Format::Json as u8
}

fn line(level: Level, text: Arguments<'_>) {
    if level as u8 > THRESHOLD.load(Ordering::Relaxed) {
        return;
    }
    let mut message = String::with_capacity(160);
    // Writing to a String cannot fail.
    let _ = message.write_fmt(text);
    if repeats::admits(level, &message) {
        write_line(level, &message);
    }
}

/// Writes a line whatever has been written before.
pub(super) fn write_line(level: Level, message: &str) {
    if is_json() {
        return write(object(level, None, message.trim_end()).as_bytes());
    }
    let mut line = String::with_capacity(message.len() + 64);
    let (time, pid) = (jiff::Timestamp::now(), getpid().as_raw_pid());
    // As above.
    let _ = write!(line, "{time:.3} [{pid}] {}: ", level.name());
    // A line is a line: text from an application or a peer may hold anything.
    line.extend(message.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }));
    line.push('\n');
    write(line.as_bytes());
}

/// A line of the JSON format.
#[derive(Serialize)]
struct Object<'a> {
    time: String,
    level: &'a str,
    pid: i32,
    /// Who says it, if it is not lswsgi.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    message: &'a str,
}

fn object(level: Level, source: Option<&str>, message: &str) -> String {
    let time = format!("{:.3}", jiff::Timestamp::now());
    let object = Object { time, level: level.name(), pid: getpid().as_raw_pid(), source, message };
    // Numbers and texts always have a form.
    serde_json::to_string(&object).unwrap_or_default() + "\n"
}

/// Writes to standard error, in one piece if it takes that.
fn write(mut text: &[u8]) {
    while !text.is_empty() {
        match rustix::io::write(rustix::stdio::stderr(), text) {
            Ok(count @ 1..) => text = &text[count..],
            Err(Errno::INTR) => {}
            Ok(0) | Err(_) => return,
        }
    }
}
