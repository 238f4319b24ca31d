//! An HTTP client that sends bytes as they are.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::LONG;

/// A client with one connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    received: Vec<u8>,
}

/// One response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status_line: String,
    /// In order, as they came, but the date.
    pub(crate) headers: Vec<(String, String)>,
    /// Without its framing.
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn status(&self) -> u16 {
        self.status_line.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn parse_head(head: &str) -> Self {
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .filter(|(name, _)| name != "date")
            .collect();
        Self { status_line, headers, body: Vec::new() }
    }
}

impl Client {
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(server).await.unwrap(), received: Vec::new() }
    }

    /// Sends bytes. A server that has closed is no error here; the response tells.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Sends a request without a body and returns its response.
    pub(crate) async fn get(&mut self, target: &str) -> Response {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: example.com\r\n\r\n")).await;
        self.response().await
    }

    /// Says that nothing more will come.
    pub(crate) async fn finish_sending(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Reads more. `false`: the server has closed.
    pub(crate) async fn read_more(&mut self) -> bool {
        let read = timeout(LONG, self.stream.read_buf(&mut self.received)).await.expect("something comes");
        matches!(read, Ok(1..))
    }

    /// The next response, to a request that was not HEAD.
    pub(crate) async fn response(&mut self) -> Response {
        let mut response = self.head().await;
        let no_body = [204, 304].contains(&response.status()) || response.status() < 200;
        if no_body {
        } else if response.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                response.body.extend(chunk);
            }
        } else if let Some(len) = response.header("content-length") {
            let len = len.parse().expect("a length");
            response.body = self.take(len).await;
        } else {
            response.body = self.rest().await;
        }
        response
    }

    /// The head of the next response.
    pub(crate) async fn head(&mut self) -> Response {
        let end = loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            assert!(self.read_more().await, "closed in the head: {}", self.received.escape_ascii());
        };
        let head = String::from_utf8_lossy(&self.received[..end]).into_owned();
        self.received.drain(..end + 4);
        Response::parse_head(&head)
    }

    /// The next chunk of a body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") {
                break end;
            }
            assert!(self.read_more().await, "closed in a chunk: {}", self.received.escape_ascii());
        };
        let size = String::from_utf8_lossy(&self.received[..end]).into_owned();
        let size = usize::from_str_radix(&size, 16).expect("a chunk size");
        self.take(end + 2).await;
        let chunk = self.take(size).await;
        assert_eq!(self.take(2).await, b"\r\n");
        (size > 0).then_some(chunk)
    }

    async fn take(&mut self, len: usize) -> Vec<u8> {
        while self.received.len() < len {
            assert!(self.read_more().await, "closed in a body");
        }
        self.received.drain(..len).collect()
    }

    /// Everything until the server closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.read_more().await {}
        std::mem::take(&mut self.received)
    }

    /// The server has closed, and nothing more came.
    pub(crate) async fn assert_closed(&mut self) {
        let rest = self.rest().await;
        assert!(rest.is_empty(), "before the end came {}", rest.escape_ascii());
    }
}
