//! What is asked over the control socket, done and answered. Who may ask and how is [`control`](crate::control)'s.

use std::time::Instant;

use rustix::process::{Signal, kill_process};

use super::reloading::{Outcome, Ticket};
use super::run::Manager;
use crate::control::request::{Answer, Kind, Reloaded, Reopened, Request, Signalled, Stopping};
use crate::control::{Id, Then};
use crate::stderr_log;

/// Somebody who waits for the end of a reload.
#[derive(Debug)]
pub(super) struct Waiting {
    who: Id,
    what: Ticket,
    since: Instant,
}

impl Manager<'_> {
    /// Does what is asked over the control socket.
    pub(super) fn serve_control(&mut self, now: Instant) {
        for (who, request) in self.control.read(now) {
            self.asked(who, request, now);
        }
    }

    /// Sees to the control socket, and to those who wait for the end of a reload.
    pub(super) fn tend_control(&mut self, now: Instant) {
        self.control.look_after(now);
        self.tell_of_reloads(now);
    }

    fn asked(&mut self, who: Id, request: Request, now: Instant) {
        match request {
            Request::Status => {
                let status = self.status(now);
                self.control.answer(who, &Answer::Ok(status), Then::Close, now);
            }
            Request::Reload { .. } if self.stopping.is_some() => {
                let refusal = Answer::<Reloaded>::refuse(Kind::Failed, "the group is stopping");
                self.control.answer(who, &refusal, Then::Close, now);
            }
            Request::Reload { wait } => {
                let what = self.reload("lswsgi ctl", now);
                if wait {
                    self.reloads.push(Waiting { who, what, since: now });
                } else {
                    self.control.answer(who, &Answer::Ok(Reloaded { seconds: None }), Then::Close, now);
                }
            }
            Request::Stop => {
                let workers = self.workers.members().count();
                self.control.answer(who, &Answer::Ok(Stopping { workers }), Then::Hold, now);
                self.stop("lswsgi ctl", now);
            }
            Request::DumpStacks => {
                let workers = self.dump_stacks();
                let log = stderr_log::current().map(|path| path.to_string_lossy().into_owned());
                let answer = Signalled { workers, log };
                self.control.answer(who, &Answer::Ok(answer), Then::Close, now);
            }
            Request::Reopen => {
                let processes = self.reopen_logs("lswsgi ctl");
                self.control.answer(who, &Answer::Ok(Reopened { processes }), Then::Close, now);
            }
        }
    }

    /// Answers those who wait for a reload that has ended.
    fn tell_of_reloads(&mut self, now: Instant) {
        let waiting = std::mem::take(&mut self.reloads);
        if !waiting.is_empty() {
            // A worker that is busy now will see the order it has been given since the last look.
            self.workers.look(self.board.slots);
        }
        for Waiting { who, what, since } in waiting {
            let answer = match self.outcome(what) {
                Outcome::Pending => {
                    if self.control.is_there(who) {
                        self.reloads.push(Waiting { who, what, since });
                    }
                    continue;
                }
                Outcome::Done => Answer::Ok(Reloaded { seconds: Some((now - since).as_secs_f64()) }),
                Outcome::Failed(reason) => Answer::refuse(Kind::Failed, reason),
            };
            self.control.answer(who, &answer, Then::Close, now);
        }
    }

    /// Has every worker write down what it does. Returns how many there are.
    pub(super) fn dump_stacks(&self) -> usize {
        let pids = self.workers.iter().filter_map(|(_, worker)| worker.pid);
        // One that has just ended does nothing any more.
        pids.filter(|&pid| kill_process(pid, Signal::QUIT).is_ok()).count()
    }
}
