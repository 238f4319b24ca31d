//! An HTTP client that sends bytes as they are and keeps what comes back as it is.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use crate::LONG;
use crate::view::View;

/// A client with one connection.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
    begun: Instant,
    /// Since the first bytes went out, when the last byte came.
    pub(crate) last_byte: Duration,
}

/// How reading a response came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// Its framing says it is complete.
    Complete,
    /// The server has closed the connection.
    Closed,
    /// The client's patience.
    GaveUp,
}

impl Client {
    /// Connects, from a port with five digits: REMOTE_PORT is as long as in the records then.
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        let mut short = Vec::new();
        let stream = loop {
            let stream = TcpStream::connect(server).await.unwrap();
            if stream.local_addr().unwrap().port() >= 10_000 {
                break stream;
            }
            short.push(stream);
        };
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::new(), begun: Instant::now(), last_byte: Duration::ZERO }
    }

    /// Its own port.
    pub(crate) fn port(&self) -> u16 {
        self.stream.local_addr().unwrap().port()
    }

    /// Sends bytes. A server that has closed is no error here; the response tells.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Says that nothing more will come.
    pub(crate) async fn finish_sending(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads until `enough` of what has come is there.
    pub(crate) async fn read_until(&mut self, patience: Duration, enough: impl Fn(&View) -> bool) -> Until {
        let deadline = tokio::time::Instant::now() + patience;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if enough(&View::new(self.received.clone())) {
                return Until::Complete;
            }
            match timeout_at(deadline, self.stream.read(&mut buffer)).await {
                Err(_) => return Until::GaveUp,
                Ok(Ok(count @ 1..)) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    self.last_byte = self.begun.elapsed();
                }
                Ok(Ok(0) | Err(_)) => return Until::Closed,
            }
        }
    }

    /// The next response.
    pub(crate) async fn response(&mut self, head_only: bool, patience: Duration) -> (View, Until) {
        let until = self.read_until(patience, |view| view.end(head_only).is_some()).await;
        let view = View::new(std::mem::take(&mut self.received));
        let Some(end) = view.end(head_only) else { return (view, until) };
        let (response, rest) = view.bytes().split_at(end);
        self.received = rest.to_vec();
        (View::new(response.to_vec()), until)
    }

    /// Whether the server still serves this connection: asks for something that is there. Waits for the end when it
    /// does not.
    pub(crate) async fn is_kept(&mut self, probe: &[u8]) -> bool {
        self.send(probe).await;
        let (response, until) = self.response(false, LONG).await;
        assert!(until != Until::GaveUp, "neither served nor closed, but {:?}", response.status_line());
        assert!(
            until == Until::Closed || response.status() == Some(200),
            "behind the response came {}",
            response.bytes().escape_ascii()
        );
        until == Until::Complete
    }

    /// How long it has been at it.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}
