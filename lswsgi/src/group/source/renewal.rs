//! New code: another template imports it while the one there is goes on forking workers. When it is ready a worker of it shows
//! whether requests can be served; only then it takes the place of the other. A worker too, because with `--load lazy` nothing
//! else imports anything, and because what crashes after a fork is found out by forking.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use super::ends::why;
use super::{LOOK, Source, back_off};
use crate::group::channel::Channel;
use crate::group::exits::Exit;
use crate::group::forks;
use crate::group::life::{Last, Process, Retry, Template};
use crate::log;
use crate::watch::{Stamp, Watch};

/// The template that is to take the place of the one there is.
#[derive(Debug)]
pub(super) enum Next {
    /// It is getting ready.
    Starting(Process),
    /// It is ready. Whether its workers can serve is to be found out with one, in this slot once it has been asked for.
    Trial(Process, Option<usize>),
    /// The last one was of no use. There is another attempt when this is over.
    Failed(Watch),
}

impl Next {
    pub(super) fn process(&self) -> Option<&Process> {
        match self {
            Self::Starting(process) | Self::Trial(process, _) => Some(process),
            Self::Failed(_) => None,
        }
    }

    pub(super) fn process_mut(&mut self) -> Option<&mut Process> {
        match self {
            Self::Starting(process) | Self::Trial(process, _) => Some(process),
            Self::Failed(_) => None,
        }
    }
}

/// Attempts to get new code, by their numbers from 1. One that is asked for while another is under way follows it, however
/// often it is asked for: that one may have read its files before they changed.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    begun: u64,
    under_way: bool,
    /// Another follows.
    wanted: bool,
    /// In a row that were of no use.
    failures: u32,
    /// The last one that has ended.
    last: Option<(u64, Result<(), String>)>,
    /// What became of those nobody has taken note of.
    untold: VecDeque<Result<(), String>>,
}

impl Attempts {
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way
    }

    fn begin(&mut self) -> u64 {
        self.wanted = false;
        self.under_way = true;
        self.begun += 1;
        self.begun
    }

    /// Without a template, what is started next is another attempt if the last one was of no use.
    pub(super) fn resume(&mut self) {
        if self.failures > 0 && !self.under_way {
            self.begin();
        }
    }

    /// The one under way, if one is, has come to this.
    pub(super) fn ended(&mut self, result: Result<(), String>) {
        if !std::mem::take(&mut self.under_way) {
            return;
        }
        self.failures = if result.is_ok() { 0 } else { self.failures + 1 };
        self.last = Some((self.begun, result.clone()));
        self.untold.push_back(result);
    }
}

impl Source<'_> {
    /// New code is wanted. Returns the number of the attempt that will have read everything that is there now.
    pub(in crate::group) fn want_new_code(&mut self, now: Instant) -> u64 {
        if self.is_loading() {
            self.attempts.wanted = true;
            return self.attempts.begun + 1;
        }
        self.begin_attempt(now)
    }

    /// What has become of the attempt with this number; `None`: nothing yet. Of those before the last, that of the last.
    pub(in crate::group) fn outcome(&self, attempt: u64) -> Option<&Result<(), String>> {
        self.attempts.last.as_ref().filter(|(last, _)| *last >= attempt).map(|(_, result)| result)
    }

    /// What has become of an attempt, once.
    pub(in crate::group) fn take_outcome(&mut self) -> Option<Result<(), String>> {
        self.attempts.untold.pop_front()
    }

    /// Whether new code is being got, or will be at once.
    pub(in crate::group) fn is_renewing(&self) -> bool {
        self.attempts.under_way || self.attempts.wanted
    }

    /// Whether code is being read.
    fn is_loading(&self) -> bool {
        matches!(self.template, Template::Starting(_))
            || self.next.as_ref().is_some_and(|next| next.process().is_some())
    }

    /// Begins an attempt if one is due.
    pub(super) fn renew(&mut self, now: Instant) {
        let is_over = matches!(&self.next, Some(Next::Failed(watch)) if watch.is_over());
        if (self.attempts.wanted || is_over) && !self.closing && !self.is_loading() {
            self.begin_attempt(now);
        }
    }

    /// When one looks whether an attempt is due.
    pub(super) fn next_look(&self, now: Instant) -> Option<Instant> {
        matches!(self.next, Some(Next::Failed(_))).then(|| now + LOOK)
    }

    fn begin_attempt(&mut self, now: Instant) -> u64 {
        let attempt = self.attempts.begin();
        // Threads that ran after the last import need not run after this one.
        self.load = self.settings.group.load;
        self.next = None;
        match self.template {
            Template::Absent(_) => self.template = Template::Absent(Retry::Now),
            Template::Starting(_) | Template::Ready(_) => self.start_next(now),
        }
        attempt
    }

    fn start_next(&mut self, now: Instant) {
        match self.start(now) {
            Ok(process) => self.next = Some(Next::Starting(process)),
            Err(error) => {
                let file = self.application().and_then(Stamp::of);
                self.attempt_failed(format!("cannot start a template: {error}"), file);
            }
        }
    }

    /// The slot of the worker that shows whether the next template is of use.
    pub(in crate::group) fn trial_slot(&self) -> Option<usize> {
        match self.next {
            Some(Next::Trial(_, slot)) => slot,
            _ => None,
        }
    }

    /// Whether a worker is to be forked that shows it.
    pub(in crate::group) fn wants_trial(&self) -> bool {
        matches!(self.next, Some(Next::Trial(_, None))) && !self.closing
    }

    /// Forks it for `slot`. Returns the channel to it, and the number of its template.
    pub(in crate::group) fn fork_trial(&mut self, slot: usize, now: Instant) -> Option<(Channel, u64)> {
        let Some(Next::Trial(process, asked)) = &mut self.next else { return None };
        *asked = Some(slot);
        match forks::ask(&process.channel, slot, true) {
            Ok(channel) => {
                process.ask(slot, now);
                Some((channel, process.number))
            }
            // The template has ended, and its status will say so.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            Err(error) => {
                self.trial_failed(slot, &format!("cannot fork a worker: {error}"));
                None
            }
        }
    }

    /// The worker in `slot` is ready for requests. If it is the one on trial, the next template takes the place of the other
    /// from here on; returns whether it does.
    pub(in crate::group) fn trial_ready(&mut self, slot: usize) -> bool {
        if self.trial_slot() != Some(slot) {
            return false;
        }
        let Some(Next::Trial(process, _)) = self.next.take() else { return false };
        self.current_from = process.number;
        let before = std::mem::replace(&mut self.template, Template::Ready(process));
        self.old.extend(before.into_process());
        self.attempts.ended(Ok(()));
        true
    }

    /// The worker in `slot` cannot serve, for this reason. If it is the one on trial, so much for the next template.
    pub(in crate::group) fn trial_failed(&mut self, slot: usize, reason: &str) {
        if self.trial_slot() == Some(slot)
            && let Some(Next::Trial(process, _)) = self.next.take()
        {
            let file = process.file;
            self.old.push(process);
            self.attempt_failed(reason.to_owned(), file);
        }
    }

    /// Without the template there was, the one that is getting ready is what there is.
    ///
    /// Returns whether there is one.
    pub(super) fn promote(&mut self) -> bool {
        let Some(next) = self.next.take() else { return false };
        match next {
            Next::Starting(process) => self.template = Template::Starting(process),
            Next::Trial(process, _) => {
                self.current_from = process.number;
                self.template = Template::Ready(process);
                self.attempts.ended(Ok(()));
            }
            Next::Failed(_) => return false,
        }
        true
    }

    /// The next template has ended as `exit` says, before it could take the place of the other.
    pub(super) fn next_ended(&mut self, exit: &Exit, now: Instant) {
        let Some(Next::Starting(process) | Next::Trial(process, _)) = self.next.take() else { return };
        if self.closing {
            log::debug(format_args!("template {} ended", process.pid));
        } else if matches!(process.last, Some(Last::Threads)) {
            // The same attempt, in which workers import.
            self.start_next(now);
        } else {
            let (_, reason) = why(&process, exit);
            self.attempt_failed(reason, process.file);
        }
    }

    fn attempt_failed(&mut self, reason: String, file: Option<Stamp>) {
        let wait = back_off(self.attempts.failures + 1);
        log::error(format_args!(
            "reload failed: {reason}; the old code goes on serving; {}",
            self.next_try(wait)
        ));
        self.next = Some(Next::Failed(self.watch(file, wait)));
        self.attempts.ended(Err(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_that_is_not_under_way_has_no_end() {
        let mut attempts = Attempts::default();
        attempts.ended(Ok(()));
        assert_eq!((attempts.last.is_none(), attempts.untold.len()), (true, 0));
        assert_eq!(attempts.begin(), 1);
        attempts.ended(Err("no".to_owned()));
        attempts.ended(Ok(()));
        assert_eq!(attempts.last, Some((1, Err("no".to_owned()))));
        assert_eq!((attempts.untold.len(), attempts.failures), (1, 1));
        assert_eq!(attempts.begin(), 2);
        attempts.ended(Ok(()));
        assert_eq!((attempts.untold.len(), attempts.failures), (2, 0));
    }

    #[test]
    fn what_was_of_no_use_is_still_wanted_and_what_worked_is_not() {
        let mut attempts = Attempts::default();
        attempts.resume();
        assert!(!attempts.is_under_way());
        attempts.begin();
        attempts.ended(Err("no".to_owned()));
        attempts.resume();
        attempts.resume();
        assert_eq!((attempts.under_way, attempts.begun), (true, 2));
        attempts.ended(Ok(()));
        attempts.resume();
        assert!(!attempts.is_under_way());
    }
}
