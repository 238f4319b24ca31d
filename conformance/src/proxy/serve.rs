//! Standing in an application's place: its descriptor 0, its process, its end.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener as StdListener, UnixStream as StdStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mock_lsws::Address;
use rustix::io::Errno;
use rustix::net::AddressFamily;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::relay::relay;
use super::tampering::Tampering;

/// Time until the next try to accept after one that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// The application behind the proxy.
#[derive(Clone, Debug)]
pub enum Upstream {
    /// A program and its arguments, started on a descriptor 0 of the kind the proxy got.
    Command(Vec<OsString>),
    /// Something that listens already.
    Address(Address),
}

/// Why the proxy did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// Descriptor 0 is no stream socket.
    #[error("descriptor 0 is not a socket ({0}): the proxy is started as the application would be")]
    NoSocket(io::Error),
    /// The application could not be started.
    #[error("{program:?} cannot be started: {source}")]
    Start {
        /// The program.
        program: OsString,
        /// Why not.
        source: io::Error,
    },
    /// The application does not take a connection.
    #[error("{address} takes no connection: {source}")]
    Connect {
        /// Where it should listen.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// Bytes could not be carried.
    #[error("the proxy cannot go on: {0}")]
    Io(#[from] io::Error),
}

/// Runs the proxy until the application ends, the only connection does, or somebody ends it by SIGTERM. Returns the
/// application's exit code, 128 and the signal's number if one ended it; 0 for one it has not started.
///
/// # Errors
/// [`ProxyError`] says what was missing.
pub fn run(upstream: &Upstream, tampering: Tampering) -> Result<u8, ProxyError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(upstream, Arc::new(tampering)))
}

async fn serve(upstream: &Upstream, tampering: Arc<Tampering>) -> Result<u8, ProxyError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let is_listening = match rustix::net::getpeername(&input) {
        Ok(_) => false,
        Err(Errno::NOTCONN) => true,
        Err(errno) => return Err(ProxyError::NoSocket(errno.into())),
    };
    let mut application = Application::start(upstream, is_listening)?;
    let ended = tokio::select! {
        ended = application.carry(input, is_listening, tampering) => ended?,
        _ = terminate.recv() => None,
    };
    match (ended, application.child) {
        (Some(status), _) => Ok(code(status)),
        (None, None) => Ok(0),
        (None, Some(mut child)) => {
            // As it would have had the signal itself.
            if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            }
            Ok(code(child.wait().await?))
        }
    }
}

/// What the proxy stands in front of.
struct Application {
    child: Option<Child>,
    /// The other end of its descriptor 0, where that is a connection.
    connected: Option<UnixStream>,
    /// Where it listens, if it does.
    address: Arc<Address>,
}

impl Application {
    fn start(upstream: &Upstream, is_listening: bool) -> Result<Self, ProxyError> {
        let command = match upstream {
            Upstream::Address(address) => {
                return Ok(Self { child: None, connected: None, address: Arc::new(address.clone()) });
            }
            Upstream::Command(command) => command,
        };
        // A name without a file, which needs no cleaning up.
        let name = format!("lsapi-proxy-{}", std::process::id());
        let address = Arc::new(Address::Unix(format!("\0{name}").into()));
        if is_listening {
            let listener = StdListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
            return Ok(Self { child: Some(start(command, listener.into())?), connected: None, address });
        }
        let (ours, theirs) = StdStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = start(command, theirs.into())?;
        Ok(Self { child: Some(child), connected: Some(UnixStream::from_std(ours)?), address })
    }

    /// Carries what comes over `input`. Returns how the application ended, if it was started here and has.
    async fn carry(
        &mut self,
        input: OwnedFd,
        is_listening: bool,
        tampering: Arc<Tampering>,
    ) -> Result<Option<ExitStatus>, ProxyError> {
        if is_listening {
            let address = Arc::clone(&self.address);
            return tokio::select! {
                carried = carry_all(input, address, tampering) => carried.map(|never| match never {}),
                ended = ended(self.child.as_mut()) => Ok(Some(ended?)),
            };
        }
        let application = match self.connected.take() {
            Some(connected) => connected,
            None => connect(&self.address).await?,
        };
        let application = faulty(application, &tampering)?;
        relay(stream(input)?, application, &tampering).await;
        match &mut self.child {
            Some(child) => Ok(Some(child.wait().await?)),
            None => Ok(None),
        }
    }
}

/// What cannot happen: the end of a loop without one.
enum Never {}

/// Accepts on `listener` and carries each connection to `address`.
async fn carry_all(
    listener: OwnedFd,
    address: Arc<Address>,
    tampering: Arc<Tampering>,
) -> Result<Never, ProxyError> {
    let listener = Listener::new(listener)?;
    let mut connections = JoinSet::new();
    loop {
        // Gone before it was taken, or no descriptor left for it: the next one may do better.
        let Ok(server) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (address, tampering) = (Arc::clone(&address), Arc::clone(&tampering));
        connections.spawn(async move {
            // Refused there is closed here.
            if let Ok(application) = connect(&address).await
                && let Ok(application) = faulty(application, &tampering)
            {
                relay(server, application, &tampering).await;
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

/// The listening socket the proxy was started with.
enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    fn new(socket: OwnedFd) -> io::Result<Self> {
        if rustix::net::sockopt::socket_domain(&socket)? == AddressFamily::UNIX {
            let listener = StdListener::from(socket);
            listener.set_nonblocking(true)?;
            return Ok(Self::Unix(UnixListener::from_std(listener)?));
        }
        let listener = std::net::TcpListener::from(socket);
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(TcpListener::from_std(listener)?))
    }

    async fn accept(&self) -> io::Result<UnixStream> {
        match self {
            Self::Unix(listener) => Ok(listener.accept().await?.0),
            Self::Tcp(listener) => stream(listener.accept().await?.0.into_std()?.into()),
        }
    }
}

/// How `child` ends. Without one that is never.
async fn ended(child: Option<&mut Child>) -> io::Result<ExitStatus> {
    match child {
        Some(child) => child.wait().await,
        None => std::future::pending().await,
    }
}

async fn connect(address: &Address) -> Result<UnixStream, ProxyError> {
    let connected = match address {
        Address::Unix(path) => UnixStream::connect(path).await,
        Address::Tcp { host, port } => match TcpStream::connect((host.as_str(), *port)).await {
            Ok(connected) => connected.into_std().and_then(|connected| stream(connected.into())),
            Err(error) => Err(error),
        },
    };
    connected.map_err(|source| ProxyError::Connect { address: address.to_string(), source })
}

/// The way to the application with the faults there are to be.
fn faulty(application: UnixStream, tampering: &Tampering) -> io::Result<UnixStream> {
    if tampering.faults.is_empty() {
        return Ok(application);
    }
    stream(tampering.faults.wrap(application.into_std()?.into())?)
}

/// A connected socket as a stream. What kind of socket it is does not matter for reading and writing.
fn stream(socket: OwnedFd) -> io::Result<UnixStream> {
    let socket = StdStream::from(socket);
    socket.set_nonblocking(true)?;
    UnixStream::from_std(socket)
}

fn start(command: &[OsString], input: OwnedFd) -> Result<Child, ProxyError> {
    let (program, args) =
        command.split_first().map_or((OsString::new(), &[][..]), |(p, args)| (p.clone(), args));
    // Parent death is not passed on: the application's parent is this process, which goes when the server goes.
    let child = Command::new(&program).args(args).stdin(Stdio::from(input)).spawn();
    child.map_err(|source| ProxyError::Start { program, source })
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}
