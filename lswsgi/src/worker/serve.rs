//! The loop over connections and requests.
//!
//! What is done with a request is the [`Handler`]'s; this file decides when one is taken, what is acknowledged, and when
//! the connection or the process ends.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lsapi::{BeginRequest, REQ_RECEIVED, pid_notice};
use rustix::io::Errno;

use crate::board::{self, Order, Place, Slot};
use crate::error::Error;
use crate::rss::Rss;
use crate::settings::Settings;
use crate::sys::{self, title};
use crate::worker::connections::{Arrival, Connections, Greeting};
use crate::worker::exchange::{Detach, Exchange};
use crate::worker::next::{Next, next_request};
use crate::worker::outbound::{End, Phase};
use crate::worker::socket::Socket;
use crate::worker::{Leave, Recycle};
use crate::worker::{answer, discard, gate, page};
use crate::{access_log, log, parent, rotation};

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

impl Verdict {
    const fn leave(self) -> Option<Leave> {
        match self {
            Self::Continue => None,
            Self::Leave(leave) => Some(leave),
        }
    }
}

/// Serves `connections` until there is a reason to leave.
///
/// # Errors
/// When waiting for a connection fails, which nothing but a broken environment causes.
pub(crate) fn serve<H: Handler>(
    handler: &mut H,
    exchange: &Exchange,
    connections: &mut dyn Connections,
    settings: &Settings,
) -> Result<Leave, Error> {
    gate::start_serving();
    access_log::start();
    rotation::follow();
    if parent::is_watched() {
        // Once more: the kernel forgets it when a process changes its user, as an application may when it is imported.
        sys::ask_for_parent_death_signal()
            .map_err(Error::system("cannot ask for the parent's death signal"))?;
    }
    let place = board::place();
    let jitter = settings.max_requests_jitter.min(settings.max_requests.saturating_sub(1));
    // The workers of a group agree on who leaves before it must; one that is alone draws a lot.
    let early = if place.is_some() { 0 } else { fastrand::u64(0..=jitter) };
    // Not before the fork that has made this process: the file tells of whoever has opened it.
    let memory = settings.max_rss.and_then(|limit| match Rss::own() {
        Ok(rss) => Some((limit, rss)),
        Err(error) => {
            log::warning(format_args!("cannot see how much memory this process has (--max-rss): {error}"));
            None
        }
    });
    let mut worker = Worker {
        handler,
        exchange,
        settings,
        slot: board::slot(),
        place,
        max_requests: settings.max_requests - early,
        may_leave_from: settings.max_requests - jitter,
        unacknowledged: Acknowledge::Each,
        announced: false,
        memory,
        ping: settings.operation.ping.as_deref().map(str::as_bytes),
        served: 0,
        leave: None,
    };
    // Of a group, the manager's title says what is served; other processes' lines are not next to it.
    let file = if place.is_some() { None } else { settings.file() };
    title::set_role(title::WORKER, file);
    worker.slot.ready();
    connections.ready();
    let result = worker.serve_connections(connections);
    worker.handler.detach(access_log::finish);
    match &result {
        Ok(leave) => connections.last_done(leave.recycle(), &leave.in_group()),
        Err(error) => connections.last_done(Recycle::Exit, &error.to_string()),
    }
    result
}

struct Worker<'a, H> {
    handler: &'a mut H,
    exchange: &'a Exchange,
    settings: &'a Settings,
    /// Where it shows what it does.
    slot: &'static Slot,
    /// Its place in its group, if it is in one.
    place: Option<Place>,
    /// Requests after which it leaves.
    max_requests: u64,
    /// Requests from which it may, if no other worker of its group does.
    may_leave_from: u64,
    /// `--max-rss`, and what tells how much memory this process has.
    memory: Option<(u64, Rss)>,
    /// `--ping`.
    ping: Option<&'a [u8]>,
    /// What is still to be said of the requests of the present connection.
    unacknowledged: Acknowledge,
    /// The end of the connection was announced before this process began to serve it.
    announced: bool,
    /// Requests served by this process.
    served: u64,
    /// Why to leave, where that came up when the connection had been promised another request.
    leave: Option<Leave>,
}

/// Which requests are acknowledged when they have been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acknowledge {
    Each,
    /// The next one has been, by a PID notice.
    EachButNext,
    None,
}

impl Acknowledge {
    /// What is left when the server has been told who serves it; with LSAPI_ACCEPT_NOTIFY that was all.
    const fn after_pid(accept_notify: bool) -> Self {
        if accept_notify { Self::None } else { Self::EachButNext }
    }
}

impl<H: Handler> Worker<'_, H> {
    fn serve_connections(&mut self, connections: &mut dyn Connections) -> Result<Leave, Error> {
        loop {
            let arrival = self.handler.detach(|| connections.next())?;
            match arrival {
                Arrival::Connection(fd, greeting) => {
                    let leave = self.serve_connection(fd, greeting, connections)?;
                    self.slot.released();
                    if let Some(leave) = leave {
                        return Ok(leave);
                    }
                    connections.ended();
                }
                Arrival::Leave(leave) => return Ok(leave),
                Arrival::Nothing if gate::must_leave() => return Ok(self.stop_reason()),
                Arrival::Nothing => {
                    log::tick();
                    rotation::follow();
                }
            }
        }
    }

    /// Serves one connection. `None`: it has ended, and the process may take another.
    fn serve_connection(
        &mut self,
        fd: OwnedFd,
        greeting: Greeting,
        connections: &mut dyn Connections,
    ) -> Result<Option<Leave>, Error> {
        let socket = Arc::new(Socket::new(fd).map_err(Error::system("cannot prepare the connection"))?);
        if socket.is_hung_up() {
            // The server has given this connection up and has sent its request, if any, on another one.
            log::debug(format_args!("dropping a connection its peer has closed already"));
            return Ok(None);
        }
        if self.greet(&socket, greeting).is_err() {
            log::debug(format_args!("dropping a connection its peer has just closed"));
            return Ok(None);
        }
        self.exchange.connect(self.handler, Some(socket));
        let begun = connections.take_begun();
        self.announced = begun.announced;
        if !begun.read.is_empty() {
            self.exchange.inbound(self.handler).put(begun.read);
        }
        let leave = loop {
            let step = self.serve_request();
            if self.settings.operation.watch_imports {
                connections.may_have_imported();
            }
            match step {
                Step::Next => {}
                Step::ConnectionEnded => break None,
                Step::Leave(leave) => break Some(leave),
            }
        };
        self.exchange.connect(self.handler, None);
        self.handler.detach(access_log::flush);
        // LSAPI_KEEP_LISTEN=0 (lsapi 2.3).
        Ok(leave.or_else(|| self.settings.one_connection.then_some(Leave::ConnectionEnded)))
    }

    /// Says what is to be said before anything has been read (lsapi 1.7).
    fn greet(&mut self, socket: &Socket, greeting: Greeting) -> Result<(), Errno> {
        let pid;
        let (words, unacknowledged) = match (greeting, self.settings.accept_notify) {
            (Greeting::Pid, notify) => {
                pid = pid_notice(rustix::process::getpid().as_raw_pid());
                (&pid[..], Acknowledge::after_pid(notify))
            }
            (Greeting::Said, notify) => (&[][..], Acknowledge::after_pid(notify)),
            (Greeting::Accepted, true) => (&REQ_RECEIVED[..], Acknowledge::None),
            (Greeting::None, true) => (&[][..], Acknowledge::None),
            (Greeting::Accepted | Greeting::None, false) => (&[][..], Acknowledge::Each),
        };
        self.unacknowledged = unacknowledged;
        if words.is_empty() { Ok(()) } else { socket.send_all(words) }
    }

    fn serve_request(&mut self) -> Step {
        let mut inbound = self.exchange.inbound(self.handler);
        let next = {
            let (inbound, acknowledge) = (&mut *inbound, self.unacknowledged == Acknowledge::Each);
            self.handler.detach(move || {
                access_log::flush();
                next_request(inbound, acknowledge)
            })
        };
        let (request, announced) = match next {
            Next::Request { request, announced } => {
                (request, announced | std::mem::take(&mut self.announced))
            }
            Next::ConnectionEnded => return Step::ConnectionEnded,
            Next::Leave { idle } => return self.after_announcement(idle),
        };
        self.slot.begin(request.request_method().unwrap_or_default(), url(&request));
        title::set_busy(true);
        // The exact clock, which is read without a system call too.
        let began = Instant::now();
        if self.unacknowledged == Acknowledge::EachButNext {
            self.unacknowledged = Acknowledge::Each;
        }
        self.served += 1;
        if access_log::is_on() {
            access_log::begin(&request, url(&request), self.served);
        }
        let is_last = self.is_last_request();
        self.exchange.set_last(is_last || self.is_crowded(), announced);
        self.exchange.set_serial(self.served);
        self.exchange.outbound(self.handler).begin(request.request_method(), self.served);
        let call = (!self.is_ping(&request)).then(|| self.handler.prepare(&request));
        let (packet_len, body_length) = (request.packet_len(), request.body_length());
        inbound.begin_body(packet_len, body_length);
        drop(inbound);

        let verdict = match call {
            Some(call) => self.handler.run(call),
            None => {
                page::answer(self.handler, self.exchange, 200, page::PONG);
                Verdict::Continue
            }
        };

        self.exchange.set_serial(0);
        let keep = self.end_request();
        let took = began.elapsed();
        self.slot.took.count(took);
        if access_log::is_on() {
            access_log::end(self.exchange.outbound(self.handler).ending(), took);
        }
        if self.settings.slow_request.is_some_and(|limit| took >= limit) {
            self.report_slow(took);
        }
        self.slot.end();
        title::set_busy(false);
        let is_large = || (!is_last && !gate::is_stopping()).then(|| self.outgrown()).flatten();
        if let Some(leave) = verdict.leave().or_else(is_large) {
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
            // Only a stop, a release or the idle limit announces the end of a connection beforehand.
            return self.after_announcement(!gate::is_released());
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

    /// Whether this worker leaves after the request that has just come.
    fn is_last_request(&self) -> bool {
        if self.served < self.may_leave_from {
            return false;
        }
        // Also one that must leave keeps others from doing so before they must.
        let is_alone_in_it = self.place.is_some_and(|place| place.take_recycling());
        is_alone_in_it || self.served >= self.max_requests
    }

    /// Why to leave, if this process has more memory than it may (`--max-rss`).
    fn outgrown(&self) -> Option<Leave> {
        let (limit, rss) = self.memory.as_ref()?;
        let bytes = rss.bytes().filter(|bytes| bytes > limit)?;
        if self.served == 1 {
            log::warning(format_args!(
                "{} MiB of memory used after the first request, and --max-rss allows {}: a process serves no more than that",
                bytes >> 20,
                limit >> 20
            ));
        }
        Some(Leave::MaxRss(bytes))
    }

    /// Whether this is a request that is answered without the application (`--ping`).
    fn is_ping(&self, request: &BeginRequest<'_>) -> bool {
        let Some(path) = self.ping else { return false };
        // As the client wrote it, and as the server took it apart.
        let uri = request.env().get(b"REQUEST_URI").and_then(|uri| uri.split(|&byte| byte == b'?').next());
        let script = request.script_name().unwrap_or_default();
        let rest = request.env().get(b"PATH_INFO").unwrap_or_default();
        matches!(request.request_method(), Some(b"GET" | b"HEAD"))
            && (uri == Some(path) || path.strip_prefix(script) == Some(rest))
    }

    /// Whether so many workers have a connection that this one gives its own up (LSAPI_MAX_BUSY_WORKER).
    fn is_crowded(&self) -> bool {
        match (self.place, self.settings.group.max_busy_workers) {
            (Some(place), Some(limit)) => place.group.connections.load(Ordering::Relaxed) >= limit,
            _ => false,
        }
    }

    fn report_slow(&self, took: Duration) {
        if let Some(request) = self.slot.running() {
            log::warning(format_args!(
                "slow request: {} took {:.3} s (LSAPI_SLOW_REQ_MSECS)",
                request.text,
                took.as_secs_f64()
            ));
        }
    }

    /// What follows the end of a connection that was announced, because nothing came for the `idle` limit or otherwise.
    fn after_announcement(&self, idle: bool) -> Step {
        match self.settings.max_idle {
            _ if gate::is_stopping() => Step::Leave(self.stop_reason()),
            Some(limit) if idle => Step::Leave(Leave::Idle(limit)),
            _ => Step::ConnectionEnded,
        }
    }

    /// Why a worker that has been asked to leave was asked.
    fn stop_reason(&self) -> Leave {
        if let Some(leave) = self.leave {
            return leave;
        }
        match self.slot.ordered() {
            Order::LeaveIdle => Leave::Idle(self.settings.max_idle.unwrap_or_default()),
            Order::LeaveSurplus => Leave::Surplus,
            Order::LeaveLifetime => Leave::Lifetime,
            Order::LeaveMemory => Leave::MemoryShort,
            Order::LeaveReload => Leave::Reload,
            Order::None | Order::Release if gate::is_reloading() => Leave::Reload,
            Order::None | Order::Release if parent::is_gone() => Leave::ParentDied,
            Order::None | Order::Release | Order::LeaveStop => Leave::Stopped,
        }
    }
}

/// What of a request says where it goes, as the client wrote it if the server tells.
fn url<'a>(request: &BeginRequest<'a>) -> [&'a [u8]; 2] {
    let env = request.env();
    match env.get(b"REQUEST_URI") {
        Some(uri) => [uri, b""],
        None => [request.script_name().unwrap_or_default(), env.get(b"PATH_INFO").unwrap_or_default()],
    }
}

/// What comes after a request.
enum Step {
    Next,
    ConnectionEnded,
    Leave(Leave),
}
