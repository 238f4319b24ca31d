//! An LSAPI application that does what the URL asks for. It listens on a socket of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lsapi::{BeginRequest, BodyLength, CLOSE_AND_END, RESP_END, ResponseHead, put_stream};
use mock_lsws::Address;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

/// A running application. By the last part of the path:
///
/// * `hold`: answers `held` once it is let go.
/// * `again`: sends the server to `/app/again` instead.
/// * `file`: sends it to `/files/s.txt`.
/// * `big`: 32 MiB, in packets of 16 KiB.
/// * `unread`: answers without reading the body.
/// * `stream`: `one`, and `two` once it is let go.
/// * else: the request's method, URL and body.
pub(crate) struct EchoApp {
    path: PathBuf,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
    _folder: TempDir,
}

struct Shared {
    /// Requests that have come.
    requests: watch::Sender<u64>,
    let_go: Notify,
    /// Bytes of `big` the socket has taken.
    written: AtomicU64,
}

/// Bytes of the body of `big`.
pub(crate) const BIG: u64 = 32 << 20;

impl EchoApp {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let shared = Arc::new(Shared {
            requests: watch::Sender::new(0),
            let_go: Notify::new(),
            written: AtomicU64::new(0),
        });
        let accepting = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                let mut serving = JoinSet::new();
                while let Ok((stream, _)) = listener.accept().await {
                    let shared = Arc::clone(&shared);
                    // A server that leaves in the middle is part of many tests.
                    serving.spawn(async move {
                        let _ = serve(stream, &shared).await;
                    });
                }
            }
        });
        Self { path, shared, accepting, _folder: folder }
    }

    pub(crate) fn address(&self) -> Address {
        Address::Unix(self.path.clone())
    }

    /// Requests that have come so far.
    pub(crate) fn requests(&self) -> u64 {
        *self.shared.requests.borrow()
    }

    /// Waits until `count` requests have come.
    pub(crate) async fn until_requests(&self, count: u64) {
        let mut requests = self.shared.requests.subscribe();
        let seen = tokio::time::timeout(crate::LONG, requests.wait_for(|seen| *seen >= count)).await;
        seen.expect("the request comes").unwrap();
    }

    /// Lets one waiting request go on.
    pub(crate) fn let_go(&self) {
        self.shared.let_go.notify_one();
    }

    pub(crate) fn written(&self) -> u64 {
        self.shared.written.load(Ordering::SeqCst)
    }
}

impl Drop for EchoApp {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A request, taken apart.
struct Request {
    text: String,
    place: String,
    body: u64,
    packet: usize,
}

fn decode(received: &[u8]) -> Option<Request> {
    let begin = BeginRequest::decode(received, lsapi::limits::MAX_REQUEST_PACKET).ok()?;
    let url = String::from_utf8_lossy(begin.env().get(b"REQUEST_URI").unwrap_or_default()).into_owned();
    let method = String::from_utf8_lossy(begin.request_method().unwrap_or_default()).into_owned();
    let BodyLength::Known(body) = begin.body_length() else { panic!("the length is not known") };
    let place = url.rsplit('/').next().unwrap_or_default().to_owned();
    Some(Request { text: format!("{method} {url}\n"), place, body, packet: begin.packet_len() })
}

async fn serve(mut stream: UnixStream, shared: &Shared) -> std::io::Result<()> {
    let mut received = Vec::new();
    loop {
        let request = loop {
            if let Some(request) = decode(&received) {
                break request;
            }
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
        };
        received.drain(..request.packet);
        shared.requests.send_modify(|count| *count += 1);
        if request.place == "unread" {
            // The way that costs no second send (lsapi 4.3.8): no more requests here, and the body runs into nothing.
            let mut answer = head();
            put_stream(b"unread\n", &mut answer);
            answer.extend(CLOSE_AND_END);
            stream.write_all(&answer).await?;
            stream.shutdown().await?;
            return tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(|_| ());
        }
        let len = usize::try_from(request.body).unwrap();
        while received.len() < len {
            if stream.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
        }
        let body: Vec<u8> = received.drain(..len).collect();
        match request.place.as_str() {
            "hold" => {
                shared.let_go.notified().await;
                stream.write_all(&whole(b"held\n")).await?;
            }
            "stream" => {
                let mut first = head();
                put_stream(b"one", &mut first);
                stream.write_all(&first).await?;
                shared.let_go.notified().await;
                let mut second = Vec::new();
                put_stream(b"two", &mut second);
                second.extend(RESP_END);
                stream.write_all(&second).await?;
            }
            "again" => stream.write_all(&elsewhere(b"/app/again")).await?,
            "file" => stream.write_all(&elsewhere(b"/files/s.txt")).await?,
            "big" => {
                stream.write_all(&head()).await?;
                let mut packet = Vec::new();
                put_stream(&[b'b'; 16 << 10], &mut packet);
                for _ in 0..BIG / (16 << 10) {
                    stream.write_all(&packet).await?;
                    shared.written.fetch_add(16 << 10, Ordering::SeqCst);
                }
                stream.write_all(&RESP_END).await?;
            }
            _ => stream.write_all(&whole(&[request.text.as_bytes(), &body].concat())).await?,
        }
    }
}

fn head() -> Vec<u8> {
    let mut head = ResponseHead::default();
    head.push(b"Content-Type", b"text/plain").unwrap();
    let mut out = Vec::new();
    head.encode(200, &mut out).unwrap();
    out
}

fn elsewhere(target: &[u8]) -> Vec<u8> {
    let mut head = ResponseHead::default();
    head.push(b"X-LiteSpeed-Location", target).unwrap();
    let mut out = Vec::new();
    head.encode(200, &mut out).unwrap();
    out.extend(RESP_END);
    out
}

fn whole(body: &[u8]) -> Vec<u8> {
    let mut out = head();
    put_stream(body, &mut out);
    out.extend(RESP_END);
    out
}
