//! What templates have to say.

use std::io;
use std::time::Instant;

use rustix::process::Pid;

use super::Source;
use super::renewal::Next;
use crate::group::life::{Last, Template};
use crate::group::message::FromTemplate;
use crate::log;
use crate::python::imports::Read;
use crate::settings::Load;

/// What is new for the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::group) enum Event {
    /// The application has imported these files.
    Imported(Vec<Read>),
    /// The template forks workers from now on.
    Ready,
    /// The worker of this slot is that process.
    Forked(usize, Pid),
    /// There is no worker in this slot.
    NotForked(usize),
}

impl Source<'_> {
    /// What the templates have to say.
    pub(in crate::group) fn read(&mut self, now: Instant) -> Vec<Event> {
        let mut messages = Vec::new();
        for process in self.processes_mut() {
            let number = process.number;
            messages.extend(std::iter::from_fn(|| process.read()).map(|message| (number, message)));
        }
        messages.into_iter().filter_map(|(number, message)| self.hear(number, message, now)).collect()
    }

    fn hear(&mut self, number: u64, message: FromTemplate, now: Instant) -> Option<Event> {
        let process = self.processes_mut().find(|process| process.number == number)?;
        match message {
            FromTemplate::Ready { .. } => return self.ready(number),
            FromTemplate::Imported(files) => return Some(Event::Imported(files)),
            FromTemplate::Threads { names } => {
                process.last = Some(Last::Threads);
                self.load = Load::Lazy;
                log::info(format_args!(
                    "threads run after the import, and a fork would not take them along ({names}): each worker \
                     imports the application for itself (--load)"
                ));
            }
            FromTemplate::Failed { code, reason } => process.last = Some(Last::Failed(code, reason)),
            FromTemplate::Forked { slot, pid } => {
                process.has_forked = true;
                process.answered(slot as usize, now);
                self.paused_until = None;
                return Pid::from_raw(pid).map(|pid| Event::Forked(slot as usize, pid));
            }
            FromTemplate::NotForked { slot, errno } => {
                process.answered(slot as usize, now);
                let error = io::Error::from_raw_os_error(errno);
                if self.trial_slot() == Some(slot as usize) {
                    self.trial_failed(slot as usize, &format!("cannot fork a worker: {error}"));
                } else {
                    self.pause(&error, now);
                }
                return Some(Event::NotForked(slot as usize));
            }
        }
        None
    }

    /// The template with this number is ready.
    fn ready(&mut self, number: u64) -> Option<Event> {
        self.next = match self.next.take() {
            Some(Next::Starting(process)) if process.number == number => Some(Next::Trial(process, None)),
            next => next,
        };
        if !matches!(&self.template, Template::Starting(process) if process.number == number) {
            return None;
        }
        self.template.ready();
        self.had_accident = false;
        self.paused_until = None;
        if self.attempts.is_under_way() {
            self.current_from = number;
        }
        self.attempts.ended(Ok(()));
        Some(Event::Ready)
    }
}
