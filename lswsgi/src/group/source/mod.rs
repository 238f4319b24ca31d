//! Where workers come from: the template there is, when the next one is started, and stand-ins meanwhile.
//!
//! * here: what there is, what it can be asked for, and when something has to be done about it;
//! * `messages`: what templates have to say;
//! * `ends`: what follows from the end of one;
//! * `renewal`: new code: another template is got ready beside the one that serves, and takes its place if it is of use.
//!
//! Leaves the workers themselves to the manager.

mod ends;
mod messages;
mod renewal;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::board::Board;
use crate::error::Error;
use crate::group::channel::Channel;
use crate::group::forks;
use crate::group::life::{Last, Process, Retry, Template};
use crate::group::workers::Measure;
use crate::settings::{Load, Settings};
use crate::watch::{Stamp, Watch};
use crate::{exit_code, log};

pub(super) use ends::End;
pub(super) use messages::Event;
use renewal::{Attempts, Next};

/// The first wait after a failure, and the longest; each is twice the one before.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How often the files of an application that cannot be used are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How long a template may take to answer, which at-fork callbacks of the application may delay.
const ANSWER: Duration = Duration::from_secs(10);

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
    /// What workers are forked from.
    template: Template,
    /// What is to take its place, for the sake of new code.
    next: Option<Next>,
    /// Templates that are done with: killed as soon as they have answered what they were asked.
    old: Vec<Process>,
    /// What has been asked for by way of new code, and what became of it.
    attempts: Attempts,
    /// Templates started so far.
    started: u64,
    /// Workers of templates before this one are of old code.
    current_from: u64,
    /// What the next template is told; [`Load::Lazy`] once threads were found after an import.
    load: Load,
    /// Templates in a row that ended before there was a worker that was ready.
    failures: u32,
    /// The last template that was getting ready was killed by somebody else.
    had_accident: bool,
    /// Workers in a row that ended before they were ready.
    stillborn: u32,
    /// Why the last one failed.
    reason: Error,
    /// No fork before this: the last one failed.
    paused_until: Option<Instant>,
    /// The group stops: no further template.
    closing: bool,
}

impl<'a> Source<'a> {
    /// No template yet; the first comes with [`advance`](Self::advance).
    pub(super) fn new(settings: &'a Settings, board: Board, manager: Pid) -> Self {
        Self {
            settings,
            board,
            manager,
            template: Template::Absent(Retry::Now),
            next: None,
            old: Vec::new(),
            attempts: Attempts::default(),
            started: 0,
            current_from: 0,
            load: settings.group.load,
            failures: 0,
            had_accident: false,
            stillborn: 0,
            reason: Error::Template { code: exit_code::SYSTEM, reason: String::new() },
            paused_until: None,
            closing: false,
        }
    }

    fn processes(&self) -> impl Iterator<Item = &Process> {
        let next = self.next.as_ref().and_then(Next::process);
        self.template.process().into_iter().chain(next).chain(&self.old)
    }

    fn processes_mut(&mut self) -> impl Iterator<Item = &mut Process> {
        let next = self.next.as_mut().and_then(Next::process_mut);
        self.template.process_mut().into_iter().chain(next).chain(&mut self.old)
    }

    /// The channels to listen on.
    pub(super) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.processes().filter(|process| !process.over).map(|process| &process.channel)
    }

    /// The number of the template that is process `pid`, if one is.
    pub(super) fn number_of(&self, pid: Pid) -> Option<u64> {
        self.processes().find(|process| process.pid == pid).map(|process| process.number)
    }

    /// The number of the template workers are forked from now; 0 if they are stand-ins.
    pub(super) fn number(&self) -> u64 {
        match &self.template {
            Template::Ready(process) => process.number,
            Template::Absent(_) | Template::Starting(_) => 0,
        }
    }

    /// Workers of templates with a smaller number are of old code, and are to leave.
    pub(super) fn current_from(&self) -> u64 {
        self.current_from
    }

    /// The template there is, and since when.
    pub(super) fn template(&self) -> Option<(Pid, Instant)> {
        self.template.process().map(|process| (process.pid, process.since))
    }

    /// The one that is to take its place, and since when.
    pub(super) fn next_template(&self) -> Option<(Pid, Instant)> {
        self.next.as_ref().and_then(Next::process).map(|process| (process.pid, process.since))
    }

    /// Why requests are answered with an error, if they are.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.is_failing().then_some(&self.reason)
    }

    /// Whether there is a template, or what is left of one.
    pub(super) fn has_template(&self) -> bool {
        self.processes().next().is_some()
    }

    /// Whether requests are answered with an error: the last template failed, and there is none that is ready.
    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0 && !matches!(self.template, Template::Ready(_))
    }

    /// Whether a worker, or a stand-in, can be forked now.
    pub(super) fn can_fork(&self, now: Instant) -> bool {
        let paused = self.paused_until.is_some_and(|until| now < until);
        let is_able =
            |process: &Process| !process.over && !process.killed && process.asked.len() < MOST_ASKED;
        !paused
            && (self.is_failing() || matches!(&self.template, Template::Ready(process) if is_able(process)))
    }

    /// Whether a template still has to say which workers it has forked. Statuses of unknown processes are kept until then.
    pub(super) fn owes_answer(&self) -> bool {
        self.processes().any(|process| !process.asked.is_empty())
    }

    /// Starts a template if it is time to, and ends those that do not get on or are done with. Returns when to come back at
    /// the latest.
    pub(super) fn advance(&mut self, now: Instant) -> Option<Instant> {
        let is_due = match &self.template {
            Template::Absent(Retry::Now) => true,
            Template::Absent(Retry::When(watch)) => watch.is_over(),
            _ => false,
        };
        if is_due && !self.closing {
            // New code that could not be had is still wanted, and workers of the old are to leave when it can.
            self.attempts.resume();
            self.template = match self.start(now) {
                Ok(process) => Template::Starting(process),
                Err(error) => {
                    log::error(format_args!("cannot start a template: {error}; trying again in 1 s"));
                    Template::Absent(Retry::When(Watch::new(&PathBuf::new(), None, FORK_PAUSE)))
                }
            };
        }
        self.renew(now);
        self.old.iter_mut().filter(|process| process.asked.is_empty()).for_each(Process::kill);
        let wait = match &self.template {
            Template::Absent(_) if !self.closing => Some(now + LOOK),
            Template::Ready(process) if process.asked.is_empty() => self.paused_until.filter(|&at| at > now),
            _ => None,
        };
        let wait = wait.into_iter().chain(self.next_look(now));
        let starting = self.starting();
        let start_timeout = self.settings.start_timeout;
        let mut due: Vec<Instant> = wait.collect();
        for process in self.processes_mut().filter(|process| !process.killed) {
            let is_starting = starting == Some(process.number);
            let limit = match is_starting {
                true => process.since + start_timeout,
                false if process.asked.is_empty() => continue,
                false => process.asked_at + ANSWER,
            };
            if now < limit {
                due.push(limit);
                continue;
            }
            process.end_late(is_starting.then_some(start_timeout));
        }
        due.into_iter().min()
    }

    /// Tells the template to fork a worker for `slot`, or forks a stand-in. Returns the channel to it, and the pid of a
    /// stand-in; `None` if that failed, which has been logged.
    pub(super) fn fork(&mut self, slot: usize, now: Instant) -> Option<(Channel, Option<Pid>)> {
        let forked = match &mut self.template {
            Template::Ready(process) => forks::ask(&process.channel, slot, false).map(|channel| {
                process.ask(slot, now);
                (channel, None)
            }),
            _ => forks::stand_in(self.settings, self.board, self.manager, slot, &self.reason)
                .map(|(pid, channel)| (channel, Some(pid))),
        };
        match forked {
            Ok(forked) => Some(forked),
            // The template has ended, and its status will say so.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            Err(error) => {
                self.pause(&error, now);
                None
            }
        }
    }

    /// What the manager has done to the template that is process `pid`.
    pub(super) fn measure(&self, pid: Pid) -> Option<Measure> {
        let process = self.processes().find(|process| process.pid == pid)?;
        process.killed.then_some(Measure::Kill)
    }

    /// Why the last template failed.
    pub(super) fn into_reason(self) -> Error {
        self.reason
    }

    /// The group stops: templates end, and no other is started.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.processes_mut().for_each(Process::kill);
    }

    /// Whether there will be no other template than those there are.
    pub(super) fn is_closed(&self) -> bool {
        self.closing
    }

    /// The number of the template that is getting ready. There is at most one: only then another is begun.
    fn starting(&self) -> Option<u64> {
        match (&self.template, &self.next) {
            (Template::Starting(process), _) | (_, Some(Next::Starting(process))) => Some(process.number),
            _ => None,
        }
    }

    fn application(&self) -> Option<&Path> {
        self.settings.application.as_ref().map(|application| &*application.path)
    }

    /// What to wait for after a failure before another attempt: the application that was in the state `file`, or this time.
    fn watch(&self, file: Option<Stamp>, wait: Duration) -> Watch {
        Watch::new(self.application().unwrap_or(Path::new("")), file, wait)
    }

    /// When that is, in the words of the log.
    fn next_try(&self, wait: Duration) -> String {
        let changes = self.application().map_or_else(String::new, |path| {
            format!(", at once when {} or its folder changes", path.display())
        });
        format!("next try in {} s{changes}", wait.as_secs())
    }

    /// Starts a template.
    fn start(&mut self, now: Instant) -> io::Result<Process> {
        // Before the attempt: what changes meanwhile is a reason for another.
        let file = self.application().and_then(Stamp::of);
        let (pid, channel) = forks::template(self.settings, self.load, self.board, self.manager)?;
        log::debug(format_args!("template {pid} started"));
        self.started += 1;
        Ok(Process::new(self.started, pid, channel, file, now))
    }

    fn pause(&mut self, error: &io::Error, now: Instant) {
        log::error(format_args!(
            "cannot fork a worker: {error}; connections wait, trying again in {} s",
            FORK_PAUSE.as_secs()
        ));
        self.paused_until = Some(now + FORK_PAUSE);
    }
}

impl Process {
    /// Ends one that does not get on: it does not answer, or has not become ready in time.
    fn end_late(&mut self, start_timeout: Option<Duration>) {
        let pid = self.pid;
        match start_timeout {
            None => log::error(format_args!("template {pid} does not get on; ending it")),
            Some(limit) => {
                let reason = format!("not ready within {} s (--start-timeout)", limit.as_secs_f64());
                log::error(format_args!("template {pid} {reason}; ending it"));
                self.last = Some(Last::Failed(exit_code::IMPORT, reason));
            }
        }
        self.kill();
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
