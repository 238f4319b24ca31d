//! A worker's side of the group: its connections come from the manager.

use std::os::fd::{AsFd as _, AsRawFd as _};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::Pid;

use crate::board::{self, Board};
use crate::error::Error;
use crate::group::channel::{Channel, Incoming};
use crate::group::message::{self, FromWorker, ToWorker};
use crate::group::template;
use crate::python::imports;
use crate::settings::Settings;
use crate::sys::{self, Own, title};
use crate::unavailable::NoPython;
use crate::watch::Stamp;
use crate::worker::connections::{Arrival, Connections, Greeting};
use crate::worker::socket::TICK;
use crate::worker::{Leave, Recycle, gate};
use crate::{exit_code, log, parent, service};

/// How long a worker may take to become the manager's child. The process in between has nothing left to do but to end.
const ADOPTION: Duration = Duration::from_secs(5);

/// How often it looks.
const GLANCE: Duration = Duration::from_millis(1);

/// Answers 500 for `reason` as the worker of `slot`, in a process the manager has just forked, until it is told to leave or
/// the application's file, which was in the state `file` when that came up, has changed; then ends the process. Closes every
/// descriptor but `channel` and 0, 1 and 2, and unblocks all signals.
pub(super) fn stand_in(
    settings: &Settings,
    channel: Channel,
    board: Board,
    slot: u32,
    manager: Pid,
    reason: &Error,
    file: Option<Stamp>,
) -> ! {
    let result = settle(&channel, board, slot, manager).and_then(|()| {
        let mut member = Member::new(channel);
        service::serve_errors(NoPython, reason, file, &mut member, settings)
    });
    let code = match result {
        Ok(leave) => {
            log::debug(format_args!("leaving: {}", leave.in_group()));
            exit_code::OK
        }
        Err(error) => {
            log::error(format_args!("{error}"));
            error.exit_code()
        }
    };
    sys::leave_now(code)
}

fn settle(channel: &Channel, board: Board, slot: u32, manager: Pid) -> Result<(), Error> {
    template::settle(channel, manager)?;
    board.take_place(slot).ok_or(Errno::INVAL).map_err(Error::system("cannot take a place in the group"))?;
    gate::prepare().map_err(Error::system("cannot create an eventfd"))?;
    sys::handle_signals_as_worker();
    Ok(())
}

/// What a worker and its manager have in common: the channel.
#[derive(Debug)]
pub(super) struct Member {
    channel: Channel,
    /// How the next connection is greeted.
    greeting: Greeting,
}

impl Drop for Member {
    fn drop(&mut self) {
        sys::keep_from_children(Own::Channel, None);
    }
}

impl Member {
    /// The worker at the other end of `channel`.
    pub(super) fn new(channel: Channel) -> Self {
        title::set(title::STARTING.as_bytes());
        sys::keep_from_children(Own::Channel, Some(channel.as_fd().as_raw_fd()));
        Self { channel, greeting: Greeting::Pid }
    }

    /// Waits until this process is the manager's child, and asks to be woken by the manager's death. Returns whether there is
    /// a manager.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn join(&self, manager: Pid) -> Result<bool, Error> {
        let deadline = Instant::now() + ADOPTION;
        parent::expect(manager);
        while parent::is_gone() && Instant::now() < deadline {
            let mut fds = [PollFd::new(&self.channel, PollFlags::empty())];
            let _ = GLANCE.try_into().map(|glance| poll(&mut fds, Some(&glance)));
            if fds[0].revents().contains(PollFlags::HUP) {
                break;
            }
        }
        sys::ask_for_parent_death_signal()
            .map_err(Error::system("cannot ask for the parent's death signal"))?;
        // It may have died before that.
        Ok(!parent::is_gone())
    }

    /// Says that requests cannot be served for `reason`, and ends the process with `code`.
    pub(super) fn is_unusable(&self, reason: String, code: u8) -> ! {
        self.tell(&FromWorker::Unusable { reason });
        sys::leave_now(code)
    }

    fn tell(&self, message: &FromWorker) {
        // Without a manager there is nobody to tell, and the next wait says so.
        if let Err(errno) = self.channel.send(&message.encode(), None) {
            log::debug(format_args!("the manager cannot be told: {errno}"));
        }
    }
}

impl Connections for Member {
    fn ready(&mut self) {
        self.tell(&FromWorker::Ready);
    }

    fn next(&mut self) -> Result<Arrival, Error> {
        let wait = |error: Errno| Error::system("cannot wait for a connection")(error);
        // One that has been handed over is served also if the order to leave came before it could be taken: whoever would get
        // it instead may be told to leave just as soon.
        if !gate::is_stopping() {
            gate::wait_readable(self.channel.as_fd(), TICK).map_err(wait)?;
        }
        if parent::is_gone() {
            return Ok(Arrival::Nothing);
        }
        match self.channel.receive() {
            Incoming::Message(bytes, descriptor) => match (ToWorker::decode(&bytes), descriptor) {
                (Ok(ToWorker::Connection), Some(_)) if !board::slot().claim() => {
                    log::debug(format_args!("a connection came so late that another worker has it"));
                    self.tell(&FromWorker::Ended);
                    Ok(Arrival::Nothing)
                }
                (Ok(ToWorker::Connection), Some(fd)) => {
                    self.tell(&FromWorker::Taken);
                    let greeting = std::mem::replace(&mut self.greeting, Greeting::Accepted);
                    Ok(Arrival::Connection(fd, greeting))
                }
                // The manager still has it, and gives it to another worker when this one is gone.
                (Ok(ToWorker::Connection), None) => {
                    Err(Error::system("cannot take a connection")(Errno::MFILE))
                }
                (Err(error), _) => {
                    log::error(format_args!("worker: {error}"));
                    Ok(Arrival::Nothing)
                }
            },
            Incoming::Nothing => Ok(Arrival::Nothing),
            Incoming::Ended => Ok(Arrival::Leave(Leave::ParentDied)),
        }
    }

    fn ended(&mut self) {
        self.tell(&FromWorker::Ended);
    }

    fn may_have_imported(&mut self) {
        for files in message::portions(imports::take()) {
            if let Err(errno) = self.channel.send_when_read(&FromWorker::Imported(files).encode()) {
                log::debug(format_args!("the manager cannot be told what is imported: {errno}"));
            }
        }
    }

    fn last_done(&mut self, counts_as: Recycle, reason: &str) {
        self.tell(&FromWorker::LastDone { counts_as, reason: reason.to_owned() });
    }
}
