//! What follows from the end of a template, or of workers it has forked.

use std::time::Instant;

use rustix::process::Pid;

use super::renewal::Next;
use super::{Source, back_off};
use crate::error::Error;
use crate::group::exits::Exit;
use crate::group::life::{Last, Process, Retry, Template};
use crate::{exit_code, log};

/// So many workers in a row that crash before they are ready count as a failure of the template.
const STILLBORN: u32 = 3;

/// What the end of a template means.
#[derive(Debug)]
pub(in crate::group) enum End {
    /// There is, or will be, another one.
    Another,
    /// It has failed; requests are answered with an error until there is another.
    Failed,
}

impl Source<'_> {
    /// The template that was process `pid` has ended as `exit` says. Its channel has been read to its end.
    pub(in crate::group) fn ended(&mut self, pid: Pid, exit: &Exit, now: Instant) -> End {
        if let Some(at) = self.old.iter().position(|process| process.pid == pid) {
            self.old.swap_remove(at);
            log::debug(format_args!("template {pid} {exit}"));
        } else if self.next.as_ref().and_then(Next::process).is_some_and(|process| process.pid == pid) {
            self.next_ended(exit, now);
        } else if self.template.process().is_some_and(|process| process.pid == pid) {
            return self.template_ended(exit);
        }
        End::Another
    }

    fn template_ended(&mut self, exit: &Exit) -> End {
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
            self.promote();
            return End::Another;
        }
        if matches!(process.last, Some(Last::Threads)) {
            log::debug(format_args!("template {pid} {exit}"));
            return End::Another;
        }
        // Somebody else's doing, once: the next may come to something. If it is the kernel's, for want of memory, it comes again.
        let is_accident = !was_ready && process.last.is_none() && exit.is_from_outside();
        if is_accident && !std::mem::replace(&mut self.had_accident, true) {
            log::warning(format_args!("template {pid} {exit} before it was ready; starting another"));
            self.promote();
            return End::Another;
        }
        let (code, reason) = why(&process, exit);
        self.failures += 1;
        self.reason = Error::Template { code, reason: reason.clone() };
        if self.promote() {
            return End::Another;
        }
        self.attempts.ended(Err(reason));
        let wait = back_off(self.failures);
        self.template = Template::Absent(Retry::When(self.watch(process.file, wait)));
        log::error(format_args!(
            "template {pid} failed: {}; every request is answered with 500; {}",
            self.reason,
            self.next_try(wait)
        ));
        End::Failed
    }

    /// A worker has become ready: whatever was wrong is not any more.
    pub(in crate::group) fn worker_ready(&mut self) {
        self.failures = 0;
        self.stillborn = 0;
    }

    /// A worker has ended as `exit` says before it was ready, and nobody has told it to. If several do, one after the other,
    /// the fault is the application's, and forking more would only keep the machine busy.
    pub(in crate::group) fn worker_stillborn(&mut self, exit: &Exit) {
        self.stillborn += 1;
        let stillborn = self.stillborn;
        if stillborn >= STILLBORN
            && let Template::Ready(process) = &mut self.template
        {
            let reason =
                format!("{stillborn} workers in a row ended before they were ready; the last one {exit}");
            process.last = Some(Last::Failed(exit_code::IMPORT, reason));
            self.stillborn = 0;
            process.kill();
        }
    }
}

/// Why a template is of no use that has ended as `exit` says: the exit code for that, and the reason.
pub(super) fn why(process: &Process, exit: &Exit) -> (u8, String) {
    match &process.last {
        Some(Last::Failed(code, reason)) => (*code, reason.clone()),
        Some(Last::Threads) | None => {
            (exit_code::PYTHON, format!("template {} {exit} before there was a worker", process.pid))
        }
    }
}
