//! The client's end of a control socket: two tasks, so that a caller who gives up waiting leaves no half frame behind.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::link;
use super::message::{Message, Request};

/// A request on its way out.
type Frame = (Vec<u8>, Vec<OwnedFd>);

/// Sends requests; what comes back goes to the function it was started with.
#[derive(Debug)]
pub(crate) struct Pipe {
    socket: Arc<UnixStream>,
    /// Set before the last call of the function, so that who finds it unset and waits is told.
    ended: Arc<AtomicBool>,
    outgoing: mpsc::UnboundedSender<Frame>,
}

impl Pipe {
    /// Takes over `socket`. `take` gets every message, and `None` once no more can come.
    pub(crate) fn start(
        socket: StdUnixStream,
        take: impl FnMut(Option<Message>) + Send + 'static,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = Arc::new(UnixStream::from_std(socket)?);
        let (outgoing, frames) = mpsc::unbounded_channel();
        tokio::spawn(write_frames(Arc::clone(&socket), frames));
        let ended = Arc::new(AtomicBool::new(false));
        tokio::spawn(read_messages(Arc::clone(&socket), Arc::clone(&ended), take));
        Ok(Self { socket, ended, outgoing })
    }

    /// Queues a request; whoever waits for the answer has to be registered before. The descriptors are closed here once they have been sent.
    ///
    /// # Errors
    /// When the other side is gone.
    pub(crate) fn send(&self, request: &Request, fds: Vec<OwnedFd>) -> io::Result<()> {
        let frame = link::encode(request)?;
        if self.ended.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.outgoing.send((frame, fds)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Ends the conversation at once, for both sides.
    pub(crate) fn close(&self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }
}

async fn write_frames(socket: Arc<UnixStream>, mut frames: mpsc::UnboundedReceiver<Frame>) {
    while let Some((bytes, mut fds)) = frames.recv().await {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let send = || {
                let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
                link::send_with_fds(socket.as_fd(), rest, &fds)
            };
            let Ok(sent) = socket.async_io(Interest::WRITABLE, send).await else {
                // Nothing can be sent any more; the receiver goes, and senders are told so.
                return;
            };
            fds.clear();
            rest = rest.get(sent..).unwrap_or_default();
        }
    }
}

async fn read_messages(
    socket: Arc<UnixStream>,
    ended: Arc<AtomicBool>,
    mut take: impl FnMut(Option<Message>),
) {
    while let Ok(message) = read_message(&socket).await {
        take(Some(message));
    }
    ended.store(true, Ordering::SeqCst);
    take(None);
}

async fn read_message(socket: &UnixStream) -> io::Result<Message> {
    let mut length = [0; link::LENGTH];
    read_exact(socket, &mut length).await?;
    let mut json = vec![0; link::decode_length(length)?];
    read_exact(socket, &mut json).await?;
    link::decode(&json)
}

async fn read_exact(socket: &UnixStream, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        socket.readable().await?;
        match socket.try_read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => buffer = buffer.get_mut(read..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
