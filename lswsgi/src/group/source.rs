//! Where workers come from: the template there is, when the next one is started, and stand-ins meanwhile.
//!
//! Leaves the workers themselves to the manager.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::board::Board;
use crate::error::Error;
use crate::group::channel::{Channel, Incoming};
use crate::group::exits::Exit;
use crate::group::forks;
use crate::group::life::{Last, Process, Retry, Template};
use crate::group::message::FromTemplate;
use crate::group::workers::Measure;
use crate::python::imports::Read;
use crate::settings::{Load, Settings};
use crate::watch::{Stamp, Watch};
use crate::{exit_code, log};

/// The first wait after a failure, and the longest; each is twice the one before.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How often the files of an application that cannot be used are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How long a template may take to answer, which at-fork callbacks of the application may delay.
const ANSWER: Duration = Duration::from_secs(10);

/// So many workers in a row that crash before they are ready count as a failure of the template.
const STILLBORN: u32 = 3;

/// Most forks the template is asked for at a time. What a socket holds, and the descriptors that may be on their way, are
/// limited.
const MOST_ASKED: usize = 32;

/// How long after a fork failed the next is tried.
const FORK_PAUSE: Duration = Duration::from_secs(1);

/// Where workers come from.
#[derive(Debug)]
pub(super) struct Source<'a> {
    settings: &'a Settings,
    board: Board,
    manager: Pid,
    template: Template,
    /// What the next template is told; [`Load::Lazy`] once threads were found after an import.
    load: Load,
    /// Templates in a row that ended before there was a worker that was ready.
    failures: u32,
    /// Workers in a row that ended before they were ready.
    stillborn: u32,
    /// Why the last one failed.
    reason: Error,
    /// Slots for which the template has been told to fork a worker, and has not answered.
    asked: BTreeSet<usize>,
    /// Since when it owes an answer.
    asked_at: Instant,
    /// No fork before this: the last one failed.
    paused_until: Option<Instant>,
    /// The group stops: no further template.
    closing: bool,
}

/// What the template had to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The application has imported these files.
    Imported(Vec<Read>),
    /// It forks workers from now on.
    Ready,
    /// The worker of this slot is that process.
    Forked(usize, Pid),
    /// There is no worker in this slot.
    NotForked(usize),
}

/// What the end of a template means.
#[derive(Debug)]
pub(super) enum End {
    /// There will be another one.
    Another,
    /// It has failed; requests are answered with an error until there is another.
    Failed,
}

impl<'a> Source<'a> {
    /// No template yet; the first comes with [`advance`](Self::advance).
    pub(super) fn new(settings: &'a Settings, board: Board, manager: Pid) -> Self {
        Self {
            settings,
            board,
            manager,
            template: Template::Absent(Retry::Now),
            load: settings.group.load,
            failures: 0,
            stillborn: 0,
            reason: Error::Template { code: exit_code::SYSTEM, reason: String::new() },
            asked: BTreeSet::new(),
            asked_at: Instant::now(),
            paused_until: None,
            closing: false,
        }
    }

    /// The channel to listen on.
    pub(super) fn channel(&self) -> Option<&Channel> {
        self.template.process().filter(|process| !process.over).map(|process| &process.channel)
    }

    /// Whether it is the template that is process `pid`.
    pub(super) fn is_template(&self, pid: Pid) -> bool {
        self.template.process().is_some_and(|process| process.pid == pid)
    }

    /// The template there is, and since when.
    pub(super) fn template(&self) -> Option<(Pid, Instant)> {
        self.template.process().map(|process| (process.pid, process.since))
    }

    /// Why requests are answered with an error, if they are.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.is_failing().then_some(&self.reason)
    }

    /// Whether there is a template.
    pub(super) fn has_template(&self) -> bool {
        self.template.process().is_some()
    }

    /// Whether requests are answered with an error: the last template failed, and there is none that is ready.
    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0 && !matches!(self.template, Template::Ready(_))
    }

    /// Whether a worker, or a stand-in, can be forked now.
    pub(super) fn can_fork(&self, now: Instant) -> bool {
        let paused = self.paused_until.is_some_and(|until| now < until);
        !paused
            && (self.is_failing()
                || matches!(&self.template, Template::Ready(process) if !process.over && !process.killed)
                    && self.asked.len() < MOST_ASKED)
    }

    /// Whether the template still has to say which workers it has forked. Statuses of unknown processes are kept until then.
    pub(super) fn owes_answer(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Starts a template if it is time to, and ends one that does not answer. Returns when to come back at the latest.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Instant> {
        let is_due = match &self.template {
            Template::Absent(Retry::Now) => true,
            Template::Absent(Retry::When(watch)) => watch.is_over(),
            _ => false,
        };
        if is_due && !self.closing {
            self.start(now);
        }
        let limit = match &self.template {
            Template::Absent(_) if self.closing => return None,
            Template::Absent(_) => return Some(now + LOOK),
            Template::Starting(process) => process.since + self.settings.max_process_time?,
            Template::Ready(_) if self.asked.is_empty() => return self.paused_until.filter(|&at| at > now),
            Template::Ready(_) => self.asked_at + ANSWER,
        };
        let pid = self.template.process().filter(|process| !process.killed).map(|process| process.pid)?;
        if now < limit {
            return Some(limit);
        }
        log::error(format_args!("template {pid} does not get on; ending it"));
        self.template.kill();
        None
    }

    /// Tells the template to fork a worker for `slot`, or forks a stand-in. Returns the channel to it, and the pid of a
    /// stand-in; `None` if that failed, which has been logged.
    pub(super) fn fork(&mut self, slot: usize, now: Instant) -> Option<(Channel, Option<Pid>)> {
        let forked = match &self.template {
            Template::Ready(process) => forks::ask(&process.channel, slot).map(|channel| (channel, None)),
            _ => forks::stand_in(self.settings, self.board, self.manager, slot, &self.reason)
                .map(|(pid, channel)| (channel, Some(pid))),
        };
        match forked {
            Ok((channel, pid)) => {
                if pid.is_none() {
                    if self.asked.is_empty() {
                        self.asked_at = now;
                    }
                    self.asked.insert(slot);
                }
                Some((channel, pid))
            }
            // The template has ended, and its status will say so.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            Err(error) => {
                self.pause(&error, now);
                None
            }
        }
    }

    /// What the template has to say.
    pub(super) fn read(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(process) = self.template.process_mut().filter(|process| !process.over) {
            let message = match process.channel.receive() {
                Incoming::Message(bytes, _) => FromTemplate::decode(&bytes),
                Incoming::Nothing => break,
                Incoming::Ended => {
                    process.over = true;
                    break;
                }
            };
            match message {
                Ok(FromTemplate::Ready { .. }) => {
                    self.template.ready();
                    self.paused_until = None;
                    events.push(Event::Ready);
                }
                Ok(FromTemplate::Imported(files)) => events.push(Event::Imported(files)),
                Ok(FromTemplate::Threads { names }) => {
                    process.last = Some(Last::Threads);
                    self.load = Load::Lazy;
                    log::info(format_args!(
                        "threads run after the import, and a fork would not take them along ({names}): each worker \
                         imports the application for itself (--load)"
                    ));
                }
                Ok(FromTemplate::Failed { code, reason }) => process.last = Some(Last::Failed(code, reason)),
                Ok(FromTemplate::Forked { slot, pid }) => {
                    process.has_forked = true;
                    self.asked_at = now;
                    self.asked.remove(&(slot as usize));
                    self.paused_until = None;
                    if let Some(pid) = Pid::from_raw(pid) {
                        events.push(Event::Forked(slot as usize, pid));
                    }
                }
                Ok(FromTemplate::NotForked { slot, errno }) => {
                    self.asked_at = now;
                    self.asked.remove(&(slot as usize));
                    self.pause(&io::Error::from_raw_os_error(errno), now);
                    events.push(Event::NotForked(slot as usize));
                }
                Err(unknown) => log::error(format_args!("{unknown}")),
            }
        }
        events
    }

    /// The template's process has ended as `exit` says. Its channel has been read to its end.
    pub(super) fn ended(&mut self, exit: &Exit) -> End {
        self.asked.clear();
        let template = std::mem::replace(&mut self.template, Template::Absent(Retry::Now));
        let (process, was_ready) = match template {
            Template::Absent(_) => return End::Another,
            Template::Starting(process) => (process, false),
            Template::Ready(process) => (process, true),
        };
        let pid = process.pid;
        if self.closing {
            log::debug(format_args!("template {pid} ended"));
            return End::Another;
        }
        // One that crashes as soon as it should fork would be replaced for ever.
        let is_useless = process.last.is_some() || (!process.has_forked && !exit.is_from_outside());
        if was_ready && !is_useless {
            self.failures = 0;
            log::warning(format_args!("template {pid} {exit}; starting another"));
            return End::Another;
        }
        let (code, reason) = match process.last {
            Some(Last::Threads) => {
                log::debug(format_args!("template {pid} {exit}"));
                return End::Another;
            }
            Some(Last::Failed(code, reason)) => (code, reason),
            None => (exit_code::PYTHON, format!("template {pid} {exit} before there was a worker")),
        };
        self.failures += 1;
        self.reason = Error::Template { code, reason };
        let wait = back_off(self.failures);
        let watch = Watch::new(self.application().unwrap_or(Path::new("")), process.file, wait);
        self.template = Template::Absent(Retry::When(watch));
        let changes = self.application().map_or_else(String::new, |path| {
            format!(", at once when {} or its folder changes", path.display())
        });
        log::error(format_args!(
            "template {pid} failed: {}; every request is answered with 500; next try in {} s{changes}",
            self.reason,
            wait.as_secs(),
        ));
        End::Failed
    }

    /// A worker has become ready: whatever was wrong is not any more.
    pub(super) fn worker_ready(&mut self) {
        self.failures = 0;
        self.stillborn = 0;
    }

    /// A worker has ended as `exit` says before it was ready, and nobody has told it to. If several do, one after the other,
    /// the fault is the application's, and forking more would only keep the machine busy.
    pub(super) fn worker_stillborn(&mut self, exit: &Exit) {
        self.stillborn += 1;
        let stillborn = self.stillborn;
        if stillborn >= STILLBORN
            && let Template::Ready(process) = &mut self.template
        {
            let reason =
                format!("{stillborn} workers in a row ended before they were ready; the last one {exit}");
            process.last = Some(Last::Failed(exit_code::IMPORT, reason));
            self.stillborn = 0;
            self.template.kill();
        }
    }

    /// What the manager has done to the template there is.
    pub(super) fn measure(&self) -> Option<Measure> {
        self.template.process().filter(|process| process.killed).map(|_| Measure::Kill)
    }

    /// Why the last template failed.
    pub(super) fn into_reason(self) -> Error {
        self.reason
    }

    /// The group stops: the template ends, and no other is started.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.template.kill();
    }

    /// Whether there will be no other template than the one there is.
    pub(super) fn is_closed(&self) -> bool {
        self.closing
    }

    fn application(&self) -> Option<&Path> {
        self.settings.application.as_ref().map(|application| &*application.path)
    }

    fn start(&mut self, now: Instant) {
        // Before the attempt: what changes meanwhile is a reason for another.
        let file = self.application().and_then(Stamp::of);
        match forks::template(self.settings, self.load, self.board, self.manager) {
            Ok((pid, channel)) => {
                log::debug(format_args!("template {pid} started"));
                self.template = Template::Starting(Process::new(pid, channel, file, now));
            }
            Err(error) => {
                log::error(format_args!("cannot start a template: {error}; trying again in 1 s"));
                let nowhere = Watch::new(&PathBuf::new(), None, FORK_PAUSE);
                self.template = Template::Absent(Retry::When(nowhere));
            }
        }
    }

    fn pause(&mut self, error: &io::Error, now: Instant) {
        log::error(format_args!(
            "cannot fork a worker: {error}; connections wait, trying again in {} s",
            FORK_PAUSE.as_secs()
        ));
        self.paused_until = Some(now + FORK_PAUSE);
    }
}

/// The wait after so many failures in a row.
fn back_off(failures: u32) -> Duration {
    let (first, longest) = BACK_OFF;
    first.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_minute() {
        let waits = [1, 2, 3, 4, 5, 6, 7, 8, 1000].map(|failures| back_off(failures).as_secs());
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
