//! The response on its way out, as it comes: the body to standard output or a file, log texts to standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use lsapi::AppPacket;
use mock_lsws::{Packet, Response};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::error::RunError;
use super::output;

/// After how long somebody at a terminal is told how much has come, and how often from then on.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Where a response goes.
pub(super) struct ResponseWriter {
    /// Asynchronous, because whoever reads a pipe may stop reading, and a signal has to be able to end that.
    out: Box<dyn AsyncWrite + Unpin>,
    /// Whether status and headers go out as well.
    include: bool,
    has_head: bool,
    progress: Option<Progress>,
}

impl ResponseWriter {
    /// Writes to the file, which is emptied now, or to standard output.
    pub(super) async fn open(path: Option<&Path>, include: bool) -> Result<Self, RunError> {
        let out: Box<dyn AsyncWrite + Unpin> = match path {
            Some(path) => {
                let file = tokio::fs::File::create(path).await;
                Box::new(file.map_err(|source| RunError::Output { path: path.to_owned(), source })?)
            }
            None => Box::new(tokio::io::stdout()),
        };
        let is_seen = path.is_none() && io::stdout().is_terminal();
        let progress = (io::stderr().is_terminal() && !is_seen).then(Progress::new);
        Ok(Self { out, include, has_head: false, progress })
    }

    /// Writes what a packet of `response` has for the client, as curl would, and prints what it has for the log.
    pub(super) async fn packet(&mut self, response: &Response, packet: &Packet) -> io::Result<()> {
        match packet.decode() {
            AppPacket::RespHeader(_) if self.include && !self.has_head => {
                self.has_head = true;
                self.write(&head_text(response)).await
            }
            AppPacket::RespStream(body) => {
                if let Some(progress) = &mut self.progress {
                    progress.add(body.len());
                }
                self.write(body).await
            }
            AppPacket::Stderr(text) => {
                output::application_log(text);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Each piece at once: somebody may wait for it.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes).await?;
        self.out.flush().await
    }

    /// Cleans up behind the last piece.
    pub(super) fn finish(self) {
        if let Some(progress) = self.progress {
            progress.finish();
        }
    }
}

fn head_text(response: &Response) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {}\r\n", response.http_status()).into_bytes();
    for header in &response.headers {
        text.extend_from_slice(&header.line);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// How much of a body has come, for somebody at a terminal.
struct Progress {
    bytes: usize,
    last: Instant,
    is_shown: bool,
}

impl Progress {
    fn new() -> Self {
        Self { bytes: 0, last: Instant::now(), is_shown: false }
    }

    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        if self.last.elapsed() >= TELL_EVERY {
            (self.last, self.is_shown) = (Instant::now(), true);
            let _ = write!(io::stderr(), "\r{} MB so far", self.bytes / 1_000_000);
        }
    }

    fn finish(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
