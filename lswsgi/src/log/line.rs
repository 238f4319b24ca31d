//! Lines, and how they are written.

use std::fmt::{Arguments, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Stat, fstat};
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

/// Logs a line of a listing, such as a stack, which would not be one without those of its lines that are alike.
pub fn listed(level: Level, text: Arguments<'_>) {
    if level as u8 <= THRESHOLD.load(Ordering::Relaxed) {
        write_line(level, &text.to_string());
    }
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

/// How long a reader of standard error may keep us waiting. The writer may hold the interpreter lock, and a reader that has
/// stopped would stop the application.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What a pipe with room at all takes at once.
const PIECE: usize = 4096;

/// Nobody has been reading standard error for that long; until somebody does, lines are lost.
static STUCK: AtomicBool = AtomicBool::new(false);

/// Writes to standard error, in one piece if it takes that.
fn write(mut text: &[u8]) {
    let stderr = rustix::stdio::stderr();
    // A file takes anything at once, and other processes write to it too.
    let is_file = |stat: Stat| FileType::from_raw_mode(stat.st_mode).is_file();
    let piece = if text.len() > PIECE && !fstat(stderr).is_ok_and(is_file) { PIECE } else { usize::MAX };
    while !text.is_empty() && has_room() {
        match rustix::io::write(stderr, &text[..text.len().min(piece)]) {
            Ok(count @ 1..) => text = &text[count..],
            Err(Errno::INTR) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// Waits until standard error takes something.
fn has_room() -> bool {
    let stuck = STUCK.load(Ordering::Relaxed);
    let patience = if stuck { Timespec { tv_sec: 0, tv_nsec: 0 } } else { PATIENCE };
    let mut fds = [PollFd::from_borrowed_fd(rustix::stdio::stderr(), PollFlags::OUT)];
    let full = matches!(poll(&mut fds, Some(&patience)), Ok(0));
    if full != stuck {
        STUCK.store(full, Ordering::Relaxed);
    }
    !full
}
