//! One response on its way to the client.
//!
//! Owns how statuses, headers and bodies become bytes of HTTP for this client, and counts them. Where they come from is
//! the answer's.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;

use super::head::RequestHead;
use super::page::Page;
use super::response_head::{self, ResponseHead};
use super::static_file::{StaticFile, Unavailable};
use super::writer::Writer;
use crate::reply::{Framing, ReplyHead};

/// One response on its way to the client.
#[derive(Debug)]
pub(super) struct Delivery<'a> {
    writer: Writer<'a>,
    /// Minor version of HTTP.
    minor: u8,
    /// Whether bodies are held back.
    head_only: bool,
    /// Whether the connection stays open behind the response.
    keep_alive: bool,
    /// The realm the client has logged in to.
    realm: Option<String>,
    /// Whether the body goes out in chunks.
    chunked: bool,
    /// 0 before the head is there.
    status: u16,
    body_bytes: u64,
    complete: bool,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(writer: Writer<'a>, minor: u8, head_only: bool, keep_alive: bool) -> Self {
        Self {
            writer,
            minor,
            head_only,
            keep_alive,
            realm: None,
            chunked: false,
            status: 0,
            body_bytes: 0,
            complete: false,
        }
    }

    pub(super) fn logged_in(&mut self, realm: String) {
        self.realm = Some(realm);
    }

    /// The connection closes behind the response.
    pub(super) const fn close(&mut self) {
        self.keep_alive = false;
    }

    pub(super) const fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Status of the response, 0 if none was begun.
    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    /// Bytes of the body so far.
    pub(super) const fn body_bytes(&self) -> u64 {
        self.body_bytes
    }

    /// Whether all of it has been written.
    pub(super) const fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether enough is waiting to be written now.
    pub(super) const fn is_full(&self) -> bool {
        self.writer.is_full()
    }

    /// Writes what waits.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        self.writer.flush().await
    }

    /// An interim response, at once.
    pub(super) async fn interim(&mut self, status: u16) -> io::Result<()> {
        self.status = status;
        self.writer.push(response_head::interim(status));
        self.flush().await
    }

    /// The head of an application's response.
    pub(super) fn head(&mut self, head: &ReplyHead) {
        if self.minor == 0 && head.framing == Framing::Open {
            self.keep_alive = false;
        }
        self.chunked = self.minor > 0 && head.framing == Framing::Open;
        let of_context = self.realm.as_deref().map(|realm| ("www-authenticate", challenge(realm)));
        self.begin(head.status, &head.headers, head.framing, false, of_context);
    }

    /// A part of its body: one chunk, where it goes out in chunks.
    pub(super) fn body(&mut self, bytes: Bytes) {
        if bytes.is_empty() || self.head_only {
            return;
        }
        self.body_bytes += bytes.len() as u64;
        if self.chunked {
            self.writer.push(format!("{:x}\r\n", bytes.len()));
            self.writer.push(bytes);
            self.writer.push(Bytes::from_static(b"\r\n"));
        } else {
            self.writer.push(bytes);
        }
    }

    /// The end of the body.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        if self.chunked && !self.head_only {
            self.writer.push(Bytes::from_static(b"0\r\n\r\n"));
        }
        self.finish().await
    }

    /// A page of the server's own.
    pub(super) async fn page(&mut self, status: u16) -> io::Result<()> {
        self.own(status, None, None).await
    }

    /// 301 to `url`.
    pub(super) async fn moved(&mut self, url: Vec<u8>) -> io::Result<()> {
        self.own(301, None, Some(("location", url))).await
    }

    /// 401: the client is to log in.
    pub(super) async fn unauthorized(&mut self, realm: &str) -> io::Result<()> {
        self.own(401, None, Some(("www-authenticate", challenge(realm)))).await
    }

    /// 405: a file can only be read.
    pub(super) async fn read_only(&mut self) -> io::Result<()> {
        self.own(405, Some(("allow", "GET, HEAD".to_owned())), None).await
    }

    /// The file at `path`, as `head` asks for it.
    pub(super) async fn file(&mut self, path: PathBuf, head: &RequestHead) -> io::Result<()> {
        let mut file = match StaticFile::open(path, head).await {
            Ok(file) => file,
            Err(Unavailable::Page(status)) => return self.page(status).await,
            Err(Unavailable::Range { len }) => {
                return self.own(416, Some(("content-range", format!("bytes */{len}"))), None).await;
            }
        };
        let has_body = file.status != 304;
        let framing = if has_body { Framing::Length(file.len) } else { Framing::None };
        let of_context = self.realm.as_deref().map(|realm| ("www-authenticate", challenge(realm)));
        self.begin(file.status, &file.headers, framing, has_body, of_context);
        while !self.head_only && file.len > 0 {
            let block = file.read().await?;
            if block.is_empty() {
                // It became shorter than the head says: only a cut connection tells.
                self.keep_alive = false;
                return self.flush().await;
            }
            self.body(block.into());
            if self.is_full() {
                self.flush().await?;
            }
        }
        self.finish().await
    }

    async fn own(
        &mut self,
        status: u16,
        header: Option<(&str, String)>,
        of_context: Option<(&str, Vec<u8>)>,
    ) -> io::Result<()> {
        let mut page = Page::new(status);
        page.headers.extend(header.map(|(name, value)| (name.into(), value.into())));
        self.keep_alive &= page.keeps_connection;
        self.begin(status, &page.headers, Framing::Length(page.body.len() as u64), false, of_context);
        self.body(page.body.into());
        self.finish().await
    }

    fn begin(
        &mut self,
        status: u16,
        headers: &[(Vec<u8>, Vec<u8>)],
        framing: Framing,
        accepts_ranges: bool,
        of_context: Option<(&str, Vec<u8>)>,
    ) {
        self.status = status;
        let (minor, keep_alive) = (self.minor, self.keep_alive);
        let head = ResponseHead { minor, status, headers, framing, accepts_ranges, of_context, keep_alive };
        self.writer.push(head.encode());
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.flush().await?;
        self.complete = true;
        Ok(())
    }
}

fn challenge(realm: &str) -> Vec<u8> {
    format!("Basic realm=\"{}\"", realm.replace('\\', "\\\\").replace('"', "\\\"")).into_bytes()
}
