//! The head of a response as bytes.

use std::time::SystemTime;

use crate::reply::{Framing, reason_phrase};

/// What the server calls itself.
const SERVER: &str = "LiteSpeed/1.9.1 Open";

/// The head of one response. Written in the order of the real server: the response's own headers, its length, those
/// that follow the length, date and server, those of the request's context, and the connection's.
#[derive(Debug)]
pub(super) struct ResponseHead<'a> {
    /// Minor version of HTTP: 0 or 1.
    pub(super) minor: u8,
    pub(super) status: u16,
    /// Names in lower case.
    pub(super) headers: &'a [(Vec<u8>, Vec<u8>)],
    pub(super) framing: Framing,
    /// Whether ranges of the file can be asked for.
    pub(super) accepts_ranges: bool,
    /// `www-authenticate` or `location`, where the server itself adds one.
    pub(super) of_context: Option<(&'a str, Vec<u8>)>,
    pub(super) keep_alive: bool,
}

impl ResponseHead<'_> {
    pub(super) fn encode(&self) -> Vec<u8> {
        let Self { minor, status, .. } = self;
        let mut head = Vec::with_capacity(256);
        head.extend(format!("HTTP/1.{minor} {status} {}\r\n", reason_phrase(*status)).bytes());
        for (name, value) in self.headers {
            line(&mut head, name, value);
        }
        match self.framing {
            Framing::None => {}
            Framing::Length(len) => line(&mut head, b"content-length", len.to_string().as_bytes()),
            // An HTTP/1.0 client knows no chunks; the end of the connection ends the body.
            Framing::Open if self.minor == 0 => {}
            Framing::Open => line(&mut head, b"transfer-encoding", b"chunked"),
        }
        if self.accepts_ranges {
            line(&mut head, b"accept-ranges", b"bytes");
        }
        line(&mut head, b"date", httpdate::fmt_http_date(SystemTime::now()).as_bytes());
        line(&mut head, b"server", SERVER.as_bytes());
        if let Some((name, value)) = &self.of_context {
            line(&mut head, name.as_bytes(), value);
        }
        line(&mut head, b"connection", if self.keep_alive { b"Keep-Alive" } else { b"close" });
        head.extend(b"\r\n");
        head
    }
}

fn line(head: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        head.extend(part);
    }
}

/// The head of an interim response, which carries nothing else.
pub(super) fn interim(status: u16) -> Vec<u8> {
    format!("HTTP/1.1 {status} {}\r\n\r\n", reason_phrase(status)).into_bytes()
}
