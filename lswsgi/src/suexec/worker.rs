//! The process of a connection, until it is a user's: it reads the first request, learns whose it is, and becomes that user.
//!
//! Nothing of a user is opened, read or imported before that, and what the daemon has is out of reach after it: descriptors
//! are closed, the secret is overwritten. (A process that has changed its user is not dumpable either, so that others of the
//! user's cannot look into it, unless core files are allowed.) The rest of its life is that of any worker with a connection.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use lsapi::pid_notice;
use rustix::process::{Pid, getpid, setsid};

use super::credentials;
use super::identity::Identity;
use super::secret::Secret;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::settings::Settings;
use crate::sys::{self, Own, title};
use crate::worker::inbound::{Inbound, Limits};
use crate::worker::next::{self, NoRequest};
use crate::worker::socket::Socket;
use crate::worker::{answer, gate};
use crate::{exit_code, log, parent, run};

/// Variables that say who root is, and where at home.
const ROOTS_OWN: [&str; 5] = ["HOME", "USER", "LOGNAME", "MAIL", "XDG_RUNTIME_DIR"];

/// Serves `connection` in a process the daemon, whose pid is `daemon`, has just forked, and ends the process. Requests that
/// are not signed with `secret` run as `fallback`. Closes every descriptor but the connection and 0, 1 and 2, and unblocks
/// all signals.
pub(super) fn live(
    settings: &Settings,
    secret: &mut Secret,
    fallback: Identity,
    connection: OwnedFd,
    daemon: Pid,
) -> ! {
    // What the daemon has in memory is not ours to drop, so this process ends here.
    let result = begin(settings, secret, fallback, connection, daemon);
    let code = match result.and_then(|begun| begun.map_or(Ok(()), |begun| go_on(settings, begun))) {
        Ok(()) => exit_code::OK,
        Err(error) => {
            log::error(format_args!("{error}"));
            error.exit_code()
        }
    };
    sys::leave_now(code)
}

/// Becomes whom the first request is for. `None`: there is none.
fn begin(
    settings: &Settings,
    secret: &mut Secret,
    fallback: Identity,
    connection: OwnedFd,
    daemon: Pid,
) -> Result<Option<Endpoint>, Error> {
    settle(&connection, daemon)?;
    let begun = read_request(settings, connection)?;
    let identity = begun.as_ref().map(|begun| identify(&begun.inbound, secret, fallback));
    secret.wipe();
    let (Some(Some(identity)), Some(begun)) = (identity, begun) else { return Ok(None) };
    identity.assume()?;
    // The kernel forgets it when a process changes its user, and the daemon may have died before that.
    wake_at_death_of_daemon()?;
    if parent::is_gone() {
        return Ok(None);
    }
    run::limit_core_files(settings.allow_core_dump)?;
    // Python asks the password file instead.
    sys::remove_variables(&ROOTS_OWN.map(Into::into));
    let Begun { mut inbound, fd, announced } = begun;
    let read = inbound.take();
    // Before it is served: what Python imports when it starts may fork.
    sys::keep_from_children(Own::Connection, Some(fd.as_raw_fd()));
    Ok(Some(Endpoint::Begun { fd, read, announced }))
}

/// Serves as the user.
fn go_on(settings: &Settings, endpoint: Endpoint) -> Result<(), Error> {
    run::serve(settings.clone(), endpoint, true)
}

/// Makes this a process of its own.
fn settle(connection: &OwnedFd, daemon: Pid) -> Result<(), Error> {
    parent::expect(daemon);
    // Whose session has a terminal can type there, and root may have started the daemon from one.
    setsid().map_err(Error::system("cannot begin a session"))?;
    sys::close_all_but(connection.as_fd()).map_err(Error::system("cannot close the daemon's descriptors"))?;
    sys::keep_from_children(Own::Listener, None);
    title::set(title::STARTING.as_bytes());
    gate::prepare().map_err(Error::system("cannot create an eventfd"))?;
    answer::prepare();
    sys::handle_signals_as_worker();
    // From here on a stop is seen between two requests, and never takes one along that has come.
    gate::start_serving();
    sys::unblock_signals();
    wake_at_death_of_daemon()?;
    // It may have died before that.
    if parent::is_gone() {
        sys::leave_now(exit_code::OK);
    }
    Ok(())
}

fn wake_at_death_of_daemon() -> Result<(), Error> {
    sys::ask_for_parent_death_signal().map_err(Error::system("cannot ask for the parent's death signal"))
}

/// Says who serves the connection (lsapi 1.7), and reads the packet of its first request. `None`: nobody sends one.
fn read_request(settings: &Settings, connection: OwnedFd) -> Result<Option<Begun>, Error> {
    let prepare = || Error::system("cannot prepare the connection");
    let fd = connection.try_clone().map_err(prepare())?;
    let socket = Arc::new(Socket::new(connection).map_err(prepare())?);
    if socket.is_hung_up() || socket.send_all(&pid_notice(getpid().as_raw_pid())).is_err() {
        log::debug(format_args!("dropping a connection its peer has closed already"));
        return Ok(None);
    }
    // The server connects because it has a request, so a process of root's is not kept waiting for one.
    let mut limits = Limits::from(settings);
    limits.max_idle = Some(settings.header_timeout);
    // Nor for one that comes byte by byte.
    limits.deadline = Some(Instant::now() + settings.header_timeout * 2);
    let mut inbound = Inbound::new(limits);
    inbound.connect(Some(socket));
    match next::wait_request(&mut inbound) {
        Ok(announced) => Ok(Some(Begun { inbound, fd, announced })),
        Err(NoRequest::ConnectionEnded) => Ok(None),
        Err(NoRequest::Leave { idle }) => {
            if idle {
                log::info(format_args!(
                    "closing a connection on which no request came for the header timeout"
                ));
            }
            Ok(None)
        }
    }
}

/// A connection whose first packet is there.
struct Begun {
    inbound: Inbound,
    fd: OwnedFd,
    /// Its end has been announced, because of a stop or because nothing had come for so long.
    announced: bool,
}

/// Whom the request in `inbound` is for. `None`: it is none.
fn identify(inbound: &Inbound, secret: &Secret, fallback: Identity) -> Option<Identity> {
    let request = next::request(inbound)?;
    Some(match credentials::check(&request, secret) {
        Ok(identity) => {
            log::info(format_args!("serving a connection as {identity}"));
            identity
        }
        Err(refusal) => {
            log::warning(format_args!("{refusal}; serving it as the default user, {fallback}"));
            fallback
        }
    })
}
