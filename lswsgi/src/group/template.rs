//! The template: the process that has Python and, unless each worker is to import it for itself, the application; and that
//! forks workers when told to.
//!
//! Serves nothing and decides nothing: it says how it got on, and follows the manager's orders. It ends with the manager, or
//! when the manager ends it, and never runs the application's exit handlers: they are for the workers.

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::sync::atomic::Ordering;

use pyo3::Python;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Pid;

use crate::board::Board;
use crate::error::Error;
use crate::group::channel::{Channel, Incoming};
use crate::group::descriptors;
use crate::group::member::Member;
use crate::group::message::{self, FromTemplate, ToTemplate};
use crate::python::fork::{self, Forked};
use crate::python::host::{Gil, Source};
use crate::python::inspect::{self, Running};
use crate::python::{embed, imports, leave, load};
use crate::settings::{Load, Settings};
use crate::start::Start;
use crate::sys::{self, Own};
use crate::watch::Stamp;
use crate::watchdog::Successor;
use crate::worker::connections::Connections as _;
use crate::worker::{Leave, answer, gate};
use crate::{exit_code, log, parent, rotation, service};

/// Runs the template, or one of the workers it forks, in a process the manager has just forked, and ends the process.
///
/// `load` is what the settings say or, after the report that threads run, [`Load::Lazy`]. `channel` leads to the manager,
/// whose pid is `manager`. Closes every descriptor but that channel and 0, 1 and 2, and unblocks all signals.
pub(super) fn run(settings: &Settings, load: Load, channel: Channel, board: Board, manager: Pid) -> ! {
    // What the manager has in memory is not ours to drop, so this process ends here, whatever it has become.
    let mut template = Template { settings, load, channel, board, manager };
    let code = match template.live() {
        Ok(()) => exit_code::OK,
        Err(error) => {
            log::error(format_args!("{error}"));
            error.exit_code()
        }
    };
    sys::leave_now(code)
}

/// Makes a process the manager has just forked one of its own: no descriptor of the manager's but `channel`, and signals as a
/// process has them that only the manager may end.
///
/// # Errors
/// What the operating system reports.
pub(super) fn settle(channel: &Channel, manager: Pid) -> Result<(), Error> {
    parent::expect(manager);
    sys::close_all_but(channel.as_fd()).map_err(Error::system("cannot close the manager's descriptors"))?;
    descriptors::restore();
    sys::handle_signals_as_template();
    sys::unblock_signals();
    sys::keep_from_children(Own::Channel, Some(channel.as_fd().as_raw_fd()));
    answer::prepare();
    ask_to_be_woken()?;
    // It may have died before that.
    if parent::is_gone() {
        sys::leave_now(exit_code::OK);
    }
    Ok(())
}

/// Asks to be told of the end of the manager. The kernel forgets it when a process changes its user, as an application may
/// when it is imported.
fn ask_to_be_woken() -> Result<(), Error> {
    sys::ask_for_parent_death_signal().map_err(Error::system("cannot ask for the parent's death signal"))
}

struct Template<'a> {
    settings: &'a Settings,
    load: Load,
    channel: Channel,
    board: Board,
    manager: Pid,
}

/// A worker's share of what the template has got ready.
struct Assignment<'py> {
    member: Member,
    /// Whether it is to show that requests can be served.
    is_trial: bool,
    /// The application, or where it is for a worker that imports it.
    source: Option<Source<'py>>,
}

impl Template<'_> {
    /// Lives as the template, and as the worker where one is forked. Returns when the worker is done; the template ends
    /// where it stands.
    fn live(&mut self) -> Result<(), Error> {
        sys::title::set_role("template", self.settings.file());
        let mut is_worker = false;
        let prepared = settle(&self.channel, self.manager).and_then(|()| Start::prepare(self.settings));
        let result = prepared.and_then(|start| {
            embed::with_python(start.interpreter.as_ref(), self.settings.exit_timeout, |py| {
                let source = self.import(py, &start);
                let assignment = self.fork_workers(py, source);
                is_worker = true;
                self.work(py, &start, assignment)
            })
        });
        match result {
            Ok(leave) => {
                log::debug(format_args!("leaving: {}", leave.in_group()));
                Ok(())
            }
            Err(error) if is_worker => Err(error),
            Err(error) => self.fail(&error),
        }
    }

    /// Says that there will be no worker, and ends.
    fn fail(&self, error: &Error) -> ! {
        let code = error.exit_code();
        self.tell(&FromTemplate::Failed { code, reason: error.to_string() });
        sys::leave_now(code)
    }

    /// Imports the application, if that is for the template to do.
    fn import<'py>(&self, py: Python<'py>, start: &Start) -> Option<Source<'py>> {
        let imports = self.load != Load::Lazy && start.location.is_some();
        let mut source = None;
        if imports {
            let imported = load::source(py, start.location.as_ref(), self.settings);
            self.report_imports();
            match imported {
                Ok(imported) => source = Some(imported),
                Err(error) => {
                    leave::flush(py);
                    self.fail(&error)
                }
            }
            self.look_for_threads(py);
        }
        if let Err(error) = ask_to_be_woken() {
            self.fail(&error);
        }
        // What is there now is in all workers, and should not be copied for each by a collection that touches it.
        if let Err(error) = inspect::freeze(py) {
            log::debug(format_args!("Python's garbage collector cannot be frozen: {error}"));
        }
        // Said first: whoever reads the line may take the template for one that was ready.
        self.tell(&FromTemplate::Ready { imported: imports });
        log::info(format_args!(
            "template ready: {}",
            if imports { "application imported" } else { "workers import the application" }
        ));
        source
    }

    /// Says which files there are to be watched (`--watch`), also those of an import that has failed.
    fn report_imports(&self) {
        for files in message::portions(imports::take()) {
            if let Err(errno) = self.channel.send_when_read(&FromTemplate::Imported(files).encode()) {
                log::debug(format_args!("the manager cannot be told what is imported: {errno}"));
            }
        }
    }

    /// A fork takes only the thread along that forks.
    fn look_for_threads(&self, py: Python<'_>) {
        let names = Running::look(py).names().join(", ");
        if names.is_empty() {
            return;
        }
        if self.load == Load::Preload {
            log::warning(format_args!(
                "threads are alive after the import ({names}), and workers will not have them: --load preload"
            ));
            return;
        }
        leave::flush(py);
        self.tell(&FromTemplate::Threads { names });
        sys::leave_now(exit_code::OK)
    }

    /// Forks workers for as long as there is a manager. Returns in each of them.
    fn fork_workers<'py>(&mut self, py: Python<'py>, source: Option<Source<'py>>) -> Assignment<'py> {
        loop {
            let incoming = py.detach(|| self.wait());
            rotation::follow_to(self.board.group.reopened.load(Ordering::SeqCst));
            let (slot, is_trial, theirs) = match incoming {
                Incoming::Message(bytes, Some(fd)) => match ToTemplate::decode(&bytes) {
                    Ok(ToTemplate::Fork { slot, is_trial }) => (slot, is_trial, Channel::from_fd(fd)),
                    Ok(ToTemplate::Reopen) => continue,
                    Err(error) => {
                        log::error(format_args!("template: {error}"));
                        continue;
                    }
                },
                // There was no descriptor left for the channel: the manager sees it end.
                Incoming::Message(bytes, None) => {
                    if let Ok(ToTemplate::Fork { slot, .. }) = ToTemplate::decode(&bytes) {
                        self.tell(&FromTemplate::NotForked { slot, errno: libc::EMFILE });
                    }
                    continue;
                }
                Incoming::Nothing if !parent::is_gone() => continue,
                Incoming::Nothing | Incoming::Ended => sys::leave_now(exit_code::OK),
            };
            // What Python still has of its output would come out of each worker.
            leave::flush(py);
            match fork::fork(py, || self.arrive(&theirs, slot)) {
                Forked::Worker => {
                    let member = Member::new(theirs);
                    return Assignment { member, is_trial, source };
                }
                Forked::Template(Ok(pid)) => {
                    self.tell(&FromTemplate::Forked { slot, pid: pid.as_raw_pid() });
                }
                Forked::Template(Err(error)) => {
                    let errno = error.raw_os_error().unwrap_or(libc::EAGAIN);
                    self.tell(&FromTemplate::NotForked { slot, errno });
                }
            }
        }
    }

    /// Waits for an order, or for the end of the manager, which closes the channel.
    fn wait(&self) -> Incoming {
        let mut fds = [PollFd::new(&self.channel, PollFlags::IN)];
        // A wait that fails is one that is over.
        let _ = poll(&mut fds, None);
        self.channel.receive()
    }

    fn tell(&self, message: &FromTemplate) {
        // Without a manager there is nobody to tell, and the next wait says so.
        if let Err(errno) = self.channel.send(&message.encode(), None) {
            log::debug(format_args!("the manager cannot be told: {errno}"));
        }
    }

    /// The first steps of a worker.
    fn arrive(&self, channel: &Channel, slot: u32) -> std::io::Result<()> {
        sys::belongs_to_group();
        sys::keep_from_children(Own::Channel, Some(channel.as_fd().as_raw_fd()));
        self.board.take_place(slot).ok_or(std::io::ErrorKind::InvalidInput)?;
        gate::prepare()?;
        sys::handle_signals_as_worker();
        Ok(())
    }

    /// Serves as a worker.
    fn work<'py>(&self, py: Python<'py>, start: &Start, assignment: Assignment<'py>) -> Result<Leave, Error> {
        let Assignment { mut member, is_trial, source } = assignment;
        if !py.detach(|| member.join(self.manager))? {
            return Ok(Leave::ParentDied);
        }
        service::start_watchdog(py, self.settings, Successor::Manager);
        if let Some(source) = source {
            return service::serve(py, source, &mut member, self.settings, true);
        }
        let file = start.location.as_ref().and_then(|location| Stamp::of(&location.path));
        let imported = load::source(py, start.location.as_ref(), self.settings);
        member.may_have_imported();
        match imported {
            Ok(source) => service::serve(py, source, &mut member, self.settings, true),
            Err(error) if is_trial => {
                leave::flush(py);
                member.is_unusable(error.to_string(), error.exit_code())
            }
            Err(error) => service::serve_errors(Gil(py), &error, file, &mut member, self.settings),
        }
    }
}
