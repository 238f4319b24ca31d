//! The loop over connections and requests.
//!
//! What is done with a request is the [`Handler`]'s; this file decides when one is taken, what is acknowledged, and when
//! the connection or the process ends.

use std::fmt;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lsapi::{BeginRequest, BodyLength, DecodeError, REQ_RECEIVED, ServerPacket};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use crate::endpoint::{Endpoint, Listener};
use crate::error::Error;
use crate::settings::Settings;
use crate::worker::exchange::{Detach, Exchange};
use crate::worker::inbound::{Inbound, Wait};
use crate::worker::outbound::{End, Phase};
use crate::worker::socket::{Socket, TICK};
use crate::worker::{answer, discard, gate};
use crate::{log, parent};

/// What runs requests: the embedded application, or a stand-in in tests.
pub trait Handler: Detach {
    /// A request made ready to run, independent of the buffer it came in.
    type Call;

    /// Turns the packet into a call. The packet's buffer is reused afterwards.
    fn prepare(&mut self, request: &BeginRequest<'_>) -> Self::Call;

    /// Runs the call and writes the response through the exchange, RESP_END included unless the connection is lost.
    fn run(&mut self, call: Self::Call) -> Verdict;
}

/// What the application's run means for the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Continue,
    /// Leave after this request.
    Leave(Leave),
}

/// Why a worker left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The connection it was started for has ended.
    ConnectionEnded,
    /// It has served as many requests as it may.
    MaxRequests(u64),
    /// No request came for the idle limit.
    Idle(Duration),
    /// A signal asked it to.
    Stopped,
    /// The process that started it died.
    ParentDied,
    /// The application raised SystemExit or KeyboardInterrupt.
    ApplicationExit,
    /// The application cannot be used, and another process should try again.
    TryAgain,
}

impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectionEnded => f.write_str("the connection ended"),
            Self::MaxRequests(count) => write!(f, "{count} requests served, the limit (LSAPI_MAX_REQS)"),
            Self::Idle(limit) => write!(f, "no request for {} s (LSAPI_MAX_IDLE)", limit.as_secs()),
            Self::Stopped => f.write_str("asked to stop by a signal"),
            Self::ParentDied => f.write_str("the process that started this one has died"),
            Self::TryAgain => f.write_str("another process should try the application again"),
            Self::ApplicationExit => f.write_str("the application asked to exit"),
        }
    }
}

/// Serves `endpoint` until there is a reason to leave.
///
/// # Errors
/// When waiting on the listening socket fails, which nothing but a broken environment causes.
pub fn serve<H: Handler>(
    handler: &mut H,
    exchange: &Exchange,
    endpoint: Endpoint,
    settings: &Settings,
) -> Result<Leave, Error> {
    let mut worker = Worker { handler, exchange, settings, served: 0, leave: None };
    match endpoint {
        Endpoint::Connected(fd) => Ok(worker.serve_connection(fd)?.unwrap_or(Leave::ConnectionEnded)),
        Endpoint::Listening(listener) => worker.serve_listener(&listener),
    }
}

struct Worker<'a, H> {
    handler: &'a mut H,
    exchange: &'a Exchange,
    settings: &'a Settings,
    /// Requests served by this process.
    served: u64,
    /// Why to leave, where that came up when the connection had been promised another request.
    leave: Option<Leave>,
}

/// What a wait for the next request brought.
#[expect(clippy::large_enum_variant, reason = "moved once per request; boxing would allocate as often")]
enum Next<'a> {
    Request { request: BeginRequest<'a>, announced: bool },
    ConnectionEnded,
    Leave { idle: bool },
}

impl<H: Handler> Worker<'_, H> {
    fn serve_listener(&mut self, listener: &Listener) -> Result<Leave, Error> {
        listener.set_nonblocking().map_err(Error::system("cannot prepare the listening socket"))?;
        let mut idle_since = Instant::now();
        loop {
            let accepted = self.handler.detach(|| accept(listener));
            match accepted.map_err(Error::system("cannot wait on the listening socket"))? {
                Some(fd) => {
                    if let Some(leave) = self.serve_connection(fd)? {
                        return Ok(leave);
                    }
                    idle_since = Instant::now();
                }
                None if gate::check_parent() => return Ok(self.stop_reason()),
                None => {
                    if let Some(limit) = self.settings.max_idle.filter(|limit| idle_since.elapsed() >= *limit)
                    {
                        return Ok(Leave::Idle(limit));
                    }
                }
            }
        }
    }

    /// Serves one connection. `None`: it has ended, and the process may take another.
    fn serve_connection(&mut self, fd: OwnedFd) -> Result<Option<Leave>, Error> {
        let socket = Arc::new(Socket::new(fd).map_err(Error::system("cannot prepare the connection"))?);
        if socket.is_hung_up() {
            // The server has given this connection up and has sent its request, if any, on another one.
            log::debug(format_args!("dropping a connection its peer has closed already"));
            return Ok(None);
        }
        self.exchange.connect(self.handler, Some(socket));
        let leave = loop {
            match self.serve_request() {
                Step::Next => {}
                Step::ConnectionEnded => break None,
                Step::Leave(leave) => break Some(leave),
            }
        };
        self.exchange.connect(self.handler, None);
        Ok(leave)
    }

    fn serve_request(&mut self) -> Step {
        let mut inbound = self.exchange.inbound(self.handler);
        let next = {
            let inbound = &mut *inbound;
            self.handler.detach(move || next_request(inbound))
        };
        let (request, announced) = match next {
            Next::Request { request, announced } => (request, announced),
            Next::ConnectionEnded => return Step::ConnectionEnded,
            Next::Leave { idle } => return Step::Leave(self.wait_reason(idle)),
        };
        self.served += 1;
        let is_last = self.served >= self.settings.max_requests;
        self.exchange.set_last(is_last, announced);
        self.exchange.set_serial(self.served);
        self.exchange.outbound(self.handler).begin(request.request_method(), self.served);
        let call = self.handler.prepare(&request);
        let (packet_len, body_length) = (request.packet_len(), request.body_length());
        inbound.begin_body(packet_len, body_length);
        drop(inbound);

        let verdict = self.handler.run(call);

        self.exchange.set_serial(0);
        let keep = self.end_request();
        if let Verdict::Leave(leave) = verdict {
            if !keep {
                return Step::Leave(leave);
            }
            // The server may be sending the next request already. So this is a stop like any other.
            self.leave = Some(leave);
            gate::request_stop();
        }
        if is_last {
            return Step::Leave(Leave::MaxRequests(self.served));
        }
        if gate::is_stopping() && !keep {
            return Step::Leave(self.stop_reason());
        }
        if announced {
            // Only a stop or the idle limit announces the end of a connection beforehand.
            let idle = self.settings.max_idle.unwrap_or_default();
            return Step::Leave(if gate::is_stopping() { self.stop_reason() } else { Leave::Idle(idle) });
        }
        if keep { Step::Next } else { Step::ConnectionEnded }
    }

    /// Clears the request away. Returns whether the connection takes another one.
    fn end_request(&self) -> bool {
        // What the application said after its response was complete.
        self.exchange.flush_errors(self.handler);
        let phase = self.exchange.outbound(self.handler).phase();
        let mut inbound = self.exchange.inbound(self.handler);
        match phase {
            Phase::Ended(End::KeepAlive) => {
                inbound.skip_body();
                true
            }
            Phase::Ended(_) => {
                if let Some(socket) = inbound.socket().filter(|_| !inbound.is_body_complete()).cloned() {
                    drop(inbound);
                    self.handler.detach(|| discard::shut_and_discard(socket.as_fd()));
                }
                false
            }
            Phase::Nothing | Phase::Started | Phase::HeadSent | Phase::Lost => {
                answer::end();
                false
            }
        }
    }

    fn wait_reason(&self, idle: bool) -> Leave {
        match self.settings.max_idle {
            Some(limit) if idle => Leave::Idle(limit),
            _ => self.stop_reason(),
        }
    }

    /// Why a worker that has been asked to leave was asked.
    fn stop_reason(&self) -> Leave {
        if let Some(leave) = self.leave {
            leave
        } else if parent::is_gone() {
            Leave::ParentDied
        } else {
            Leave::Stopped
        }
    }
}

/// What comes after a request.
enum Step {
    Next,
    ConnectionEnded,
    Leave(Leave),
}

/// Waits for a connection for at most a tick. `None`: look around.
fn accept(listener: &Listener) -> Result<Option<OwnedFd>, Errno> {
    if gate::is_stopping() || !gate::wait_readable(listener.fd.as_fd(), TICK)? || gate::check_parent() {
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

/// Waits for a request on the connection and acknowledges it. Runs without the GIL, so that the acknowledgement never
/// waits for another thread of the application.
fn next_request(inbound: &mut Inbound) -> Next<'_> {
    let wait = inbound.wait_packet();
    let announced = match wait {
        Wait::Ready { announced } => announced,
        Wait::Eof => return Next::ConnectionEnded,
        Wait::Leave { idle } => return Next::Leave { idle },
        Wait::CutShort(have) => {
            log::info(format_args!(
                "closing the connection: it ended after {have} bytes of a request packet"
            ));
            return Next::ConnectionEnded;
        }
        Wait::HeaderTimeout(have) => {
            log::warning(format_args!(
                "closing the connection: {have} bytes of a request packet came, and no more for the header timeout"
            ));
            return Next::ConnectionEnded;
        }
    };
    match inbound.packet() {
        Ok(ServerPacket::BeginRequest(request)) => {
            if acknowledge(inbound, &request) {
                Next::Request { request, announced }
            } else {
                Next::ConnectionEnded
            }
        }
        Ok(ServerPacket::AbortRequest) => {
            log::debug(format_args!(
                "the server ended the connection: the client of its last request is gone"
            ));
            Next::ConnectionEnded
        }
        Err(DecodeError::Invalid(invalid)) => {
            log::error(format_args!("closing the connection: not an LSAPI request: {invalid}"));
            Next::ConnectionEnded
        }
        Err(DecodeError::Incomplete { need }) => {
            log::error(format_args!("closing the connection: {need} bytes of a request packet did not come"));
            Next::ConnectionEnded
        }
    }
}

/// Tells the server that its request has arrived. If that cannot be told, the request must not run: the server will send
/// it again.
fn acknowledge(inbound: &Inbound, request: &BeginRequest<'_>) -> bool {
    let Some(socket) = inbound.socket() else { return false };
    answer::begin(socket.as_fd(), request.body_length() != BodyLength::Known(0));
    let sent = match socket.send_now(&REQ_RECEIVED) {
        Ok(sent) if sent == REQ_RECEIVED.len() => Ok(()),
        Ok(sent) => socket.send_all(&REQ_RECEIVED[sent..]),
        Err(errno) => Err(errno),
    };
    if let Err(errno) = sent {
        answer::end();
        log::debug(format_args!("dropping a request whose server is gone: {errno}"));
    }
    sent.is_ok()
}
