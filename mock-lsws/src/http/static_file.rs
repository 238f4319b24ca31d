//! Files the server sends itself.
//!
//! Owns what a file looks like in HTTP: its type, its validators, and the part of it that is asked for. Which file it is
//! is the router's.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::byte_range::{self, Part};
use super::head::RequestHead;

/// Bytes read at once.
const BLOCK: usize = 64 << 10;

/// A file, opened for one request.
#[derive(Debug)]
pub(super) struct StaticFile {
    pub(super) status: u16,
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes to send; told also where none are sent (HEAD).
    pub(super) len: u64,
    file: Arc<File>,
    offset: u64,
}

/// Why there is no file to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unavailable {
    /// A page with this status is due.
    Page(u16),
    /// The range that was asked for lies outside the file, which has this length.
    Range {
        /// Bytes.
        len: u64,
    },
}

impl StaticFile {
    /// Opens the file at `path`, as `head` asks for it.
    ///
    /// # Errors
    /// What is due instead.
    pub(super) async fn open(path: PathBuf, head: &RequestHead) -> Result<Self, Unavailable> {
        let media_type = media_type(&path);
        let (file, info) = blocking(move || {
            // Without O_NONBLOCK a named pipe would hold the thread until somebody writes to it.
            let flags = libc::O_NONBLOCK | libc::O_CLOEXEC;
            let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
            let info = file.metadata()?;
            Ok((file, info))
        })
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Unavailable::Page(404),
            io::ErrorKind::PermissionDenied => Unavailable::Page(403),
            _ => Unavailable::Page(500),
        })?;
        if !info.is_file() {
            return Err(Unavailable::Page(403));
        }
        let seconds = u64::try_from(info.mtime()).unwrap_or(0);
        let modified = UNIX_EPOCH + Duration::from_secs(seconds);
        let etag = format!("\"{:x}-{seconds:x}-{:x};;;\"", info.len(), info.ino());
        let mut this = Self {
            status: 200,
            headers: vec![
                (b"etag".to_vec(), etag.clone().into_bytes()),
                (b"last-modified".to_vec(), httpdate::fmt_http_date(modified).into_bytes()),
            ],
            len: info.len(),
            file: Arc::new(file),
            offset: 0,
        };
        if is_unchanged(head, &etag, modified) {
            this.status = 304;
            this.len = 0;
            return Ok(this);
        }
        let part = head.field("range").filter(|_| range_applies(head, &etag, modified));
        match part.map_or(Part::Whole, |range| byte_range::part(range, info.len())) {
            Part::Whole => {}
            Part::Range { first, last } => {
                this.status = 206;
                this.offset = first;
                this.len = last - first + 1;
                let range = format!("bytes {first}-{last}/{}", info.len());
                this.headers.push((b"content-range".to_vec(), range.into_bytes()));
            }
            Part::Outside => return Err(Unavailable::Range { len: info.len() }),
        }
        this.headers.push((b"content-type".to_vec(), media_type.into_bytes()));
        Ok(this)
    }

    /// The next bytes to send; empty at the end, and where the file has become shorter.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) async fn read(&mut self) -> io::Result<Vec<u8>> {
        let want = usize::try_from(self.len).map_or(BLOCK, |len| len.min(BLOCK));
        let (file, offset) = (Arc::clone(&self.file), self.offset);
        let block = blocking(move || {
            let mut block = vec![0; want];
            let len = file.read_at(&mut block, offset)?;
            block.truncate(len);
            Ok(block)
        })
        .await?;
        self.offset += block.len() as u64;
        self.len -= block.len() as u64;
        Ok(block)
    }
}

/// Runs what may wait for a disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn media_type(path: &Path) -> String {
    mime_guess::from_path(path).first_or_octet_stream().essence_str().to_owned()
}

/// Whether the client has this very file. If-None-Match decides where it is there (RFC 9110, 13.2.2).
fn is_unchanged(head: &RequestHead, etag: &str, modified: SystemTime) -> bool {
    match head.field("if-none-match") {
        Some(tags) => tags.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(|tag| {
            let tag = tag.strip_prefix(b"W/").unwrap_or(tag);
            tag == b"*" || tag == etag.as_bytes()
        }),
        None => head.field("if-modified-since").and_then(date).is_some_and(|since| modified <= since),
    }
}

/// Whether If-Range, if there is one, names this very file.
fn range_applies(head: &RequestHead, etag: &str, modified: SystemTime) -> bool {
    head.field("if-range")
        .is_none_or(|condition| condition == etag.as_bytes() || date(condition) == Some(modified))
}

fn date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(str::from_utf8(value).ok()?).ok()
}
