//! An application that plays a script: it sends fixed bytes at fixed points, whatever the server says, and keeps what
//! the server said.
//!
//! It listens on a socket of its own, so the server under test only connects to it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mock_lsws::Address;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use crate::LONG;

/// What the application does next on one connection.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Waits until this many bytes have come on this connection in all.
    Receive(usize),
    /// Waits for the next request, with its body.
    Request,
    /// Sends these bytes in one write. A server that has closed is no error: the script goes on.
    Send(Vec<u8>),
    /// Sends bytes one at a time, with a pause behind each.
    Bytewise(Vec<u8>, Duration),
    /// Does nothing for a while.
    Sleep(Duration),
    /// Waits until the test lets it go on.
    Gate(Gate),
    /// Sends the same bytes again and again until the server closes.
    SendForEver(Vec<u8>),
    /// Waits until the server closes its side.
    ServerCloses,
    /// Closes the connection.
    Close,
}

/// Where an application waits until the test lets it go on. Each opening lets one through.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    /// Closed.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets one through.
    pub(crate) fn open(&self) {
        self.0.add_permits(1);
    }

    async fn pass(&self) {
        self.0.acquire().await.unwrap().forget();
    }
}

/// What came on one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    /// Everything, in order.
    pub(crate) received: Vec<u8>,
    /// The server has closed its side.
    pub(crate) closed: bool,
}

impl Link {
    /// How many requests the server has begun on it.
    pub(crate) fn requests(&self) -> usize {
        let mut at = 0;
        let mut count = 0;
        while let Some(end) = packet_end(&self.received, at) {
            count += usize::from(self.received[at + 2] == BEGIN_REQUEST);
            at = end;
        }
        count
    }
}

const BEGIN_REQUEST: u8 = 1;

/// Where the packet at `at`, with the body behind it, ends. `None`: its first 16 bytes are not all there.
fn packet_end(bytes: &[u8], at: usize) -> Option<usize> {
    let word =
        |offset: usize| Some(i32::from_le_bytes(bytes.get(at + offset..at + offset + 4)?.try_into().ok()?));
    assert!(
        bytes.get(at..at + 2).is_none_or(|magic| magic == b"LS"),
        "no packet at byte {at} of what the server sent"
    );
    let length = usize::try_from(word(4)?).ok()?;
    if bytes.get(at + 2) != Some(&BEGIN_REQUEST) {
        return Some(at + length);
    }
    Some(at + length + usize::try_from(word(12)?).unwrap_or(0))
}

/// A running application.
pub(crate) struct PlayedApp {
    path: PathBuf,
    links: watch::Receiver<Vec<Link>>,
    accepting: JoinHandle<()>,
    _folder: TempDir,
}

impl PlayedApp {
    /// Listens, and plays `script(n)` on its n-th connection. Behind the end of its script a connection stays open and is
    /// read until the server closes it.
    pub(crate) fn start(script: impl Fn(usize) -> Vec<Step> + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (sender, links) = watch::channel(Vec::new());
        let accepting = tokio::spawn(async move {
            let mut players = JoinSet::new();
            for number in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                sender.send_modify(|links: &mut Vec<Link>| links.push(Link::default()));
                players.spawn(play(stream, number, script(number), sender.clone()));
            }
        });
        Self { path, links, accepting, _folder: folder }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> Address {
        Address::Unix(self.path.clone())
    }

    /// What has come so far, connection by connection.
    pub(crate) fn links(&self) -> Vec<Link> {
        self.links.borrow().clone()
    }

    /// How many requests have been begun, on all connections.
    pub(crate) fn requests(&self) -> usize {
        self.links.borrow().iter().map(Link::requests).sum()
    }

    /// Waits for something to come.
    pub(crate) async fn until(&self, what: &str, seen: impl FnMut(&Vec<Link>) -> bool) -> Result<(), String> {
        let mut links = self.links.clone();
        match tokio::time::timeout(LONG, links.wait_for(seen)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("the application never saw {what}")),
        }
    }
}

impl Drop for PlayedApp {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn play(stream: UnixStream, number: usize, script: Vec<Step>, links: watch::Sender<Vec<Link>>) {
    let mut news = links.subscribe();
    let (read_half, mut write_half) = stream.into_split();
    let reader = Reader(tokio::spawn(read(read_half, number, links)).abort_handle());
    let mut taken = 0;
    for step in script {
        match step {
            Step::Receive(total) => drop(news.wait_for(|links| links[number].received.len() >= total).await),
            Step::Request => {
                let whole = |links: &Vec<Link>| {
                    let received = &links[number].received;
                    packet_end(received, taken).filter(|&end| received.len() >= end)
                };
                let Ok(seen) = news.wait_for(|links| whole(links).is_some()).await else { return };
                taken = whole(&seen).unwrap_or(taken);
            }
            Step::Send(bytes) => send(&mut write_half, &bytes).await,
            Step::Bytewise(bytes, gap) => {
                for byte in bytes {
                    send(&mut write_half, &[byte]).await;
                    tokio::time::sleep(gap).await;
                }
            }
            Step::Sleep(time) => tokio::time::sleep(time).await,
            Step::Gate(gate) => gate.pass().await,
            Step::SendForEver(bytes) => while write_half.write_all(&bytes).await.is_ok() {},
            Step::ServerCloses => drop(news.wait_for(|links| links[number].closed).await),
            Step::Close => return,
        }
    }
    drop(news.wait_for(|links| links[number].closed).await);
    drop(reader);
}

/// The task that reads; it has a half of the socket, so it has to end for the socket to close.
struct Reader(AbortHandle);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn read(mut from: OwnedReadHalf, number: usize, links: watch::Sender<Vec<Link>>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer).await.unwrap_or(0);
        links.send_modify(|links| match count {
            0 => links[number].closed = true,
            count => links[number].received.extend_from_slice(&buffer[..count]),
        });
        if count == 0 {
            return;
        }
    }
}

async fn send(to: &mut OwnedWriteHalf, bytes: &[u8]) {
    // The server may have closed already: several scripts are about just that.
    let _ = to.write_all(bytes).await;
}
