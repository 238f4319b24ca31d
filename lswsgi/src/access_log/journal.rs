//! The access log of this process: the request under way, and the line about the last one.
//!
//! The main thread begins and ends requests; the watchdog ends one that does not end by itself. Whoever comes first writes
//! the line.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lsapi::BeginRequest;

use super::file::{File, Written};
use super::format::AccessFormat;
use super::line::{Entry, MOST};
use super::record::{Ending, Record};
use crate::settings::Settings;
use crate::{board, rotation};

/// How long the watchdog waits for the main thread, which may be writing to a file that does not answer.
const PATIENCE: Duration = Duration::from_millis(100);

/// What was asked for, before the application could change the current directory or the time zone.
#[derive(Debug)]
struct Plan {
    /// `None`: standard error.
    path: Option<PathBuf>,
    format: AccessFormat,
    zone: TimeZone,
}

static PLAN: OnceLock<Plan> = OnceLock::new();

/// Whether requests are logged.
static IS_ON: AtomicBool = AtomicBool::new(false);

static JOURNAL: Mutex<Option<Journal>> = Mutex::new(None);

/// Of the response under way: the status and the bytes of body that have been sent, or are being sent.
static STATUS: AtomicU16 = AtomicU16::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// A line was not written to its end, in a process without a group.
static TORN: AtomicBool = AtomicBool::new(false);

#[derive(Debug)]
struct Journal {
    plan: &'static Plan,
    file: File,
    pid: i32,
    record: Record,
    /// A request is under way.
    is_open: bool,
    /// The end of a line, and one that is to be written; or nothing.
    line: Vec<u8>,
    /// The count of rotations it has followed.
    followed: u32,
}

/// Takes in what `settings` say, for this process and those it forks. To be called where relative paths begin.
pub(crate) fn prepare(settings: &Settings) {
    let Some(path) = &settings.operation.access_log else { return };
    // Standard output is the same.
    let is_stderr = ["-", "/dev/stderr", "/dev/stdout"].iter().any(|name| path == Path::new(name));
    let path = (!is_stderr).then(|| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
    PLAN.get_or_init(|| Plan { path, format: settings.operation.access_format, zone: TimeZone::system() });
}

/// Opens the access log in a process that is about to serve.
pub(crate) fn start() {
    let Some(plan) = PLAN.get() else { return };
    // Before the file: what is asked for from here on is followed.
    let followed = rotation::asked();
    let journal = Journal {
        plan,
        file: File::open(plan.path.as_deref()),
        pid: rustix::process::getpid().as_raw_pid(),
        record: Record::default(),
        is_open: false,
        line: Vec::with_capacity(MOST + 1),
        followed,
    };
    *lock() = Some(journal);
    IS_ON.store(true, Ordering::Relaxed);
}

/// Whether requests are logged.
pub(crate) fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// A request has come: the `serial`-th of this process, with its URL in two parts.
pub(crate) fn begin(request: &BeginRequest<'_>, url: [&[u8]; 2], serial: u64) {
    STATUS.store(0, Ordering::Relaxed);
    BYTES.store(0, Ordering::Relaxed);
    if let Some(journal) = &mut *lock() {
        journal.record.fill(request, url, serial, Timestamp::now());
        journal.is_open = true;
    }
}

/// A part of the response is about to leave; with it, so many bytes of body have.
pub(crate) fn sending(status: u16, bytes: u64) {
    STATUS.store(status, Ordering::Relaxed);
    BYTES.store(bytes, Ordering::Relaxed);
}

/// The request under way has ended so. Its line waits for [`flush`].
pub(crate) fn end(ending: Ending, took: Duration) {
    if let Some(journal) = &mut *lock() {
        journal.end(ending, took);
    }
}

/// Writes the line that waits, if one does. To be called where nobody waits for this thread.
pub(crate) fn flush() {
    if is_on()
        && let Some(journal) = &mut *lock()
    {
        journal.write();
    }
}

/// Writes the line that waits, and says how many have been lost: this process takes no more requests.
pub(crate) fn finish() {
    if is_on()
        && let Some(journal) = &mut *lock()
    {
        journal.write();
        journal.file.finish();
    }
}

/// Another thread has ended the request under way, and the process ends. `answer`: the status and the length of what it has
/// answered, if nothing had been sent before.
pub(crate) fn end_by_force(ending: Ending, answer: Option<(u16, u64)>, took: Duration) {
    let deadline = Instant::now() + PATIENCE;
    while is_on() && Instant::now() < deadline {
        if let Ok(mut journal) = JOURNAL.try_lock() {
            if let Some((status, bytes)) = answer {
                sending(status, bytes);
            }
            if let Some(journal) = &mut *journal {
                journal.end(ending, took);
                journal.write();
                journal.file.finish();
            }
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Opens the file anew, if that has been asked for. Who is writing to it does so by itself.
pub(crate) fn follow() {
    if let Ok(mut journal) = JOURNAL.try_lock()
        && let Some(journal) = &mut *journal
    {
        journal.follow();
    }
}

fn lock() -> MutexGuard<'static, Option<Journal>> {
    // Plain data that is valid after every statement.
    JOURNAL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    fn end(&mut self, ending: Ending, took: Duration) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        let entry = Entry {
            record: &self.record,
            pid: self.pid,
            status: STATUS.load(Ordering::Relaxed),
            bytes: BYTES.load(Ordering::Relaxed),
            took,
            ending,
        };
        self.line.clear();
        self.line.push(b'\n');
        entry.put(self.plan.format, &self.plan.zone, &mut self.line);
    }

    fn write(&mut self) {
        if self.line.is_empty() {
            return;
        }
        // The file may be standard error.
        rotation::follow();
        self.follow();
        // Part of a line may be there, of this process or another: what comes is not its rest.
        let torn = board::place().map_or(&TORN, |place| &place.group.torn);
        let is_torn = torn.load(Ordering::Relaxed) && torn.swap(false, Ordering::Relaxed);
        let line = &self.line[usize::from(!is_torn)..];
        let written = self.file.write(line);
        if written == Written::Part || (is_torn && written == Written::Not) {
            torn.store(true, Ordering::Relaxed);
        }
        self.line.clear();
    }

    fn follow(&mut self) {
        let asked = rotation::asked();
        if self.followed != asked {
            self.followed = asked;
            self.file.reopen();
        }
    }
}
