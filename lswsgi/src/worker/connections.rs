//! Where a worker's connections come from.
//!
//! One it was started with, a listening socket, or (in [`group`](crate::group)) the manager. What becomes of them is the
//! worker's.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use crate::endpoint::{Endpoint, Listener};
use crate::error::Error;
use crate::log;
use crate::worker::gate;
use crate::worker::socket::TICK;
use crate::worker::{Leave, Recycle};

/// Where connections come from.
pub(crate) trait Connections: Send {
    /// The worker is ready for the first one.
    fn ready(&mut self) {}

    /// Waits for one, for at most a tick, and no longer than until the worker is asked to leave. Called without the GIL.
    ///
    /// # Errors
    /// When there is no use in waiting any more, for a reason that is none to leave.
    fn next(&mut self) -> Result<Arrival, Error>;

    /// How far the one that was given last has come already. To be asked for once.
    fn take_begun(&mut self) -> Begun {
        Begun::default()
    }

    /// The one that was given last has ended, and the worker goes on.
    fn ended(&mut self) {}

    /// The application may have imported something, and somebody wants to know (`--watch`).
    fn may_have_imported(&mut self) {}

    /// The worker takes no more, and leaves for this reason, which is counted under that name.
    fn last_done(&mut self, _as: Recycle, _reason: &str) {}
}

/// How far a connection has come that somebody has begun to serve.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    /// What has been read from it.
    pub(crate) read: Vec<u8>,
    /// Its end has been announced.
    pub(crate) announced: bool,
}

/// What a wait for a connection has brought.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A connection, and what is said on it first.
    Connection(OwnedFd, Greeting),
    /// Nothing yet: time to look around.
    Nothing,
    /// A reason to leave.
    Leave(Leave),
}

/// What a worker says on a connection before it has read anything (lsapi 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// Nothing.
    None,
    /// That the connection has been accepted, if that is to be said (LSAPI_ACCEPT_NOTIFY).
    Accepted,
    /// Who it is.
    Pid,
    /// That has been said already.
    Said,
}

/// The connection the process was started with, and no other.
struct Single {
    fd: Option<OwnedFd>,
    greeting: Greeting,
    begun: Begun,
}

impl Connections for Single {
    fn next(&mut self) -> Result<Arrival, Error> {
        let arrival = self.fd.take().map(|fd| Arrival::Connection(fd, self.greeting));
        Ok(arrival.unwrap_or(Arrival::Leave(Leave::ConnectionEnded)))
    }

    fn take_begun(&mut self) -> Begun {
        std::mem::take(&mut self.begun)
    }
}

/// A listening socket, which may be shared with other processes.
struct Accepting {
    listener: Listener,
    /// LSAPI_MAX_IDLE.
    max_idle: Option<Duration>,
    idle_since: Instant,
}

impl Connections for Accepting {
    fn ready(&mut self) {
        self.idle_since = Instant::now();
    }

    fn next(&mut self) -> Result<Arrival, Error> {
        let accepted =
            accept(&self.listener).map_err(Error::system("cannot wait on the listening socket"))?;
        Ok(match (accepted, self.max_idle) {
            (Some(fd), _) => Arrival::Connection(fd, Greeting::Accepted),
            (None, Some(limit)) if self.idle_since.elapsed() >= limit => Arrival::Leave(Leave::Idle(limit)),
            (None, _) => Arrival::Nothing,
        })
    }

    fn ended(&mut self) {
        self.idle_since = Instant::now();
    }
}

/// Waits for a connection for at most a tick. `None`: look around.
fn accept(listener: &Listener) -> Result<Option<OwnedFd>, Errno> {
    if gate::is_stopping() || !gate::wait_readable(listener.fd.as_fd(), TICK)? || gate::must_leave() {
        return Ok(None);
    }
    match accept_with(&listener.fd, SocketFlags::CLOEXEC) {
        Ok(fd) => Ok(Some(fd)),
        // Another process was quicker, or the peer has changed its mind.
        Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED | Errno::PROTO) => Ok(None),
        Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
            log::error(format_args!("cannot accept a connection: {errno}; trying again"));
            gate::pause(TICK);
            Ok(None)
        }
        Err(errno) => Err(errno),
    }
}

/// The connections of `endpoint`, for a worker without a group that waits for one for at most `max_idle`.
///
/// # Errors
/// What fcntl reports of a listening socket.
pub(crate) fn of_endpoint(
    endpoint: Endpoint,
    max_idle: Option<Duration>,
) -> Result<Box<dyn Connections>, Error> {
    Ok(match endpoint {
        Endpoint::Connected(fd) => {
            Box::new(Single { fd: Some(fd), greeting: Greeting::None, begun: Begun::default() })
        }
        Endpoint::Begun { fd, read, announced } => {
            let begun = Begun { read, announced };
            Box::new(Single { fd: Some(fd), greeting: Greeting::Said, begun })
        }
        Endpoint::Listening(listener) => {
            listener.set_nonblocking().map_err(Error::system("cannot prepare the listening socket"))?;
            Box::new(Accepting { listener, max_idle, idle_since: Instant::now() })
        }
    })
}
