//! The thread: when it looks, and what it does about a request that does not end, or code that is old.

use std::fmt;
use std::time::{Duration, Instant};

use super::{alarm, report};
use crate::access_log::Ending;
use crate::board::{self, Slot};
use crate::log::{self, Level};
use crate::options::LateError;
use crate::settings::Settings;
use crate::sys::Blocked;
use crate::watched_files::WatchedFiles;
use crate::worker::answer::{self, Request, Taken};
use crate::worker::gate;
use crate::worker::last_words::LastWords;
use crate::{access_log, endpoint, exit_code, rotation, sys};

/// Stack of the thread, in bytes. It formats log lines, and Python's crash reporter runs on it.
const STACK: usize = 256 * 1024;

/// What the application may still do when its response is complete and the time is over: it is nobody's loss, and the
/// discard of an unread body takes two seconds.
const AFTERTHOUGHT: Duration = Duration::from_secs(3);

/// How often a process that should be gone is looked at.
const LINGERING: Duration = Duration::from_millis(100);

/// Shortest wait: what is due may be about to end by itself.
const LEAST: Duration = Duration::from_millis(10);

struct Watchdog {
    slot: &'static Slot,
    /// LSAPI_MAX_PROCESS_TIME.
    limit: Option<Duration>,
    /// `--graceful-timeout`.
    graceful: Duration,
    /// Whether a response without a declared length is broken off instead of ended (`--late-error`).
    may_break: bool,
    /// LSAPI_DUMP_DEBUG_INFO.
    details: bool,
    successor: Successor,
    /// Files that ask for new code when they change; `None` in a group, where the manager sees to them.
    files: Option<WatchedFiles>,
}

/// Who would start another process, which has the new code, if this one left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Successor {
    /// The server, for the next request.
    Server,
    /// The manager, which has its own way to reload.
    Manager,
    /// Nobody: lswsgi has been started by hand.
    Nobody,
}

/// Why a request is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    TooLong(Duration),
    Stop(Duration),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(limit) => {
                write!(f, "longer than {} s (LSAPI_MAX_PROCESS_TIME)", limit.as_secs_f64())
            }
            Self::Stop(limit) => {
                write!(f, "{} s after the stop (--graceful-timeout)", limit.as_secs_f64())
            }
        }
    }
}

/// Starts the watchdog of this process, a worker or about to become one. Without it requests may take as long as they like.
/// To be called before the application is imported: what asks for new code from then on counts.
pub(crate) fn start(settings: &Settings, successor: Successor) {
    let mut watchdog = Watchdog {
        slot: board::slot(),
        limit: settings.max_process_time,
        graceful: settings.graceful_timeout,
        may_break: settings.options.late_error == LateError::Abort,
        details: settings.dump_debug_info,
        successor,
        files: match successor {
            Successor::Manager => None,
            Successor::Server | Successor::Nobody => Some(WatchedFiles::of(settings, Instant::now())),
        },
    };
    // The thread takes its mask from this one: nothing must reach it before it has chosen what may.
    let blocked = Blocked::all();
    let started = alarm::prepare().and_then(|()| {
        let thread = std::thread::Builder::new().name("watchdog".into()).stack_size(STACK);
        thread.spawn(move || {
            sys::leave_signals_to_others();
            watchdog.watch();
        })
    });
    drop(blocked);
    if let Err(error) = started {
        log::warning(format_args!(
            "no watchdog in this process: {error}; requests may take longer than LSAPI_MAX_PROCESS_TIME"
        ));
    }
}

impl Watchdog {
    fn watch(&mut self) -> ! {
        loop {
            let files = self.files.as_ref();
            let file_due = files.and_then(WatchedFiles::due);
            let file_due = file_due.map(|due| due.saturating_duration_since(Instant::now()).max(LEAST));
            alarm::wait(self.look().into_iter().chain(file_due).min(), files.and_then(WatchedFiles::poll_fd));
            rotation::follow();
            if alarm::take_stacks_wanted() {
                report::asked_for(self.slot);
            }
            if alarm::take_hung_up() {
                self.reload("SIGHUP");
            }
            if let Some(changed) = self.files.as_mut().and_then(|files| files.read(Instant::now())) {
                self.reload(&changed);
            }
        }
    }

    /// Makes way for a process with the new code, as soon as the request under way is done, however long that takes.
    fn reload(&self, why: &str) {
        match self.successor {
            Successor::Server if gate::is_stopping() => {}
            Successor::Server if gate::is_serving() => {
                log::info(format_args!(
                    "{why}: leaving; the server starts another process with the new code"
                ));
                gate::request_reload();
            }
            // As with a stop. What is being imported may be the old code, in part, and may hang; no request is lost.
            Successor::Server => {
                log::info(format_args!(
                    "{why} during the import: leaving; the server starts another process"
                ));
                log::finish();
                sys::leave_now(exit_code::OK)
            }
            Successor::Manager => log::debug(format_args!("{why}: reloading is for the manager")),
            Successor::Nobody => log::warning(format_args!(
                "{why}: not reloading, because nobody would start another process: \
                 with --children 2 or more there is a group, which can reload"
            )),
        }
    }

    /// Ends a request whose time is over. Returns for how long nothing else can be due: a request that begins now cannot be
    /// over before its whole time is, so there is nothing to be told of when one begins.
    fn look(&self) -> Option<Duration> {
        // Before its age: if it ends in between and another one begins, that one is not old.
        let request = answer::current();
        let Some(age) = self.slot.busy_for() else {
            // One may have come and not begun yet. Its time is over when the stop's is.
            let left = alarm::stopping_for().map(|since| self.graceful.saturating_sub(since).max(LINGERING));
            return left.into_iter().chain(self.limit).min();
        };
        let grace = if answer::is_complete(request) { AFTERTHOUGHT } else { Duration::ZERO };
        let limits = [
            self.limit.map(|limit| (limit, age, Reason::TooLong(limit))),
            alarm::stopping_for().map(|since| (self.graceful, since, Reason::Stop(self.graceful))),
        ];
        let mut next = None::<Duration>;
        for (limit, passed, reason) in limits.into_iter().flatten() {
            let left = (limit + grace).saturating_sub(passed);
            if left.is_zero() {
                self.end(request, reason);
            }
            let left = left.max(LEAST);
            next = Some(next.map_or(left, |next| next.min(left)));
        }
        next
    }

    /// Ends the request and with it the process. Returns if the request has just ended by itself.
    fn end(&self, request: Request, reason: Reason) {
        let Some(running) = self.slot.running() else { return };
        let (words, code, ending) = match reason {
            Reason::TooLong(_) => (LastWords::TooLong, exit_code::RUNAWAY, Ending::Timeout),
            Reason::Stop(_) => (LastWords::Stopped, exit_code::OK, Ending::Stopped),
        };
        // The client comes first: what is logged may have to wait for whoever reads the log.
        let Some(taken) = answer::take_over(request, words, self.may_break) else { return };
        let done = match taken {
            Taken::Answered if reason == Reason::Stop(self.graceful) => "answered 503",
            Taken::Answered => "answered 504",
            Taken::EndedEarly => "its response is ended early",
            Taken::BrokenOff => "its response is broken off: the connection is closed without its end",
            Taken::NotRead => "its connection is closed in the middle of a write, nobody reads",
            Taken::Nothing => "its response was complete",
        };
        let answer = (taken == Taken::Answered).then(|| words.answer());
        log::error(format_args!(
            "{} has been running for {:.1} s, {reason}: {done}, and this process ends; request {} of it",
            running.text,
            running.age.as_secs_f64(),
            running.serial,
        ));
        access_log::end_by_force(ending, answer, running.age);
        report::stacks(Level::Error);
        if self.details {
            report::details();
        }
        if matches!(taken, Taken::Answered | Taken::EndedEarly) {
            answer::discard_body();
        }
        log::finish();
        endpoint::remove_socket_file();
        sys::leave_now(code)
    }
}
