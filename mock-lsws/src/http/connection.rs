//! One client connection, from its first head to its end.
//!
//! Owns keep-alive, pipelining, the time a head may take, and closing without loss. What a request is answered with is
//! the answer's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustix::net::Shutdown;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{After, Client, request_line};
use super::delivery::Delivery;
use super::front::Front;
use super::head::Refusal;
use super::record::RequestRecord;
use super::writer::Writer;
use super::{HeadLimits, ParsedHead, RequestHead};
use crate::config::HttpLimits;
use crate::journal::{Level, Note};
use crate::request::Addresses;

/// Bytes read at once.
const READ_BLOCK: usize = 8 << 10;

/// How long the server listens to a client it has nothing more to say to, so that the response is not lost to a reset.
const LINGER: Duration = Duration::from_secs(2);

/// Serves one client until it leaves, the connection is done, or the server stops.
pub(crate) async fn serve_connection(
    fronts: watch::Receiver<Arc<Front>>,
    stream: TcpStream,
    client: SocketAddr,
    mut stopping: watch::Receiver<bool>,
) {
    // Without it small responses wait for acknowledgements; a client that left at once needs neither.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let mut buffer = BytesMut::new();
    let mut requests = 0;
    let unread = loop {
        let limits = fronts.borrow().limits;
        let incoming = read_head(&stream, &limits, &mut buffer, requests == 0, &mut stopping).await;
        // A restart may have brought another since the last request.
        let front = Arc::clone(&fronts.borrow());
        let addresses = Addresses { client, server: front.announced.unwrap_or(local) };
        let this = Client { front: &front, stream: &stream, addresses };
        match incoming {
            Incoming::Head(head) => {
                requests += 1;
                let may_stay = requests < front.limits.max_keep_alive_requests && !*stopping.borrow();
                match this.answer(&head, &mut buffer, may_stay).await {
                    After::Next => {}
                    After::Close { unread } => break unread || !buffer.is_empty(),
                }
            }
            Incoming::Refused(refusal) => {
                refuse(&this, &buffer, &refusal).await;
                break true;
            }
            Incoming::Nothing => break false,
        }
    };
    // A request behind one that closes is not answered, but it counts: closing on it would be a reset.
    if unread || rustix::io::ioctl_fionread(&stream).is_ok_and(|waiting| waiting > 0) {
        linger(&stream, &mut stopping).await;
    }
}

/// What a client sent where a request could begin.
enum Incoming {
    Head(Box<RequestHead>),
    Refused(Refusal),
    /// It left, sent nothing, or was too slow.
    Nothing,
}

/// Waits for the next head.
async fn read_head(
    stream: &TcpStream,
    limits: &HttpLimits,
    buffer: &mut BytesMut,
    is_first: bool,
    stopping: &mut watch::Receiver<bool>,
) -> Incoming {
    let head_limits = HeadLimits { head: limits.max_req_header_size, url: limits.max_req_url_len };
    let idle = if is_first { limits.conn_timeout } else { limits.keep_alive_timeout };
    let begun = Instant::now();
    // One limit for the whole head: a byte now and then does not win time.
    let (idle_end, head_end) = (begun + idle, begun + limits.conn_timeout.max(idle));
    // Bytes that were looked at without finding a whole head.
    let mut seen = 0;
    loop {
        if is_worth_parsing(buffer, seen, head_limits.head) {
            match RequestHead::parse(buffer, head_limits) {
                Ok(ParsedHead::Complete(head, len)) => {
                    buffer.advance(len.min(buffer.len()));
                    return Incoming::Head(Box::new(head));
                }
                Ok(ParsedHead::Partial) => seen = buffer.len(),
                Err(refusal) => return Incoming::Refused(refusal),
            }
        }
        let wait = async {
            buffer.reserve(READ_BLOCK);
            loop {
                stream.readable().await?;
                match stream.try_read_buf(buffer) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
        };
        let is_idle = seen == 0;
        tokio::select! {
            read = timeout_at(if is_idle { idle_end } else { head_end }, wait) => match read {
                Ok(Ok(1..)) => {}
                _ => return Incoming::Nothing,
            },
            // A head that has begun is a request under way.
            _ = stopping.wait_for(|stop| *stop), if is_idle => return Incoming::Nothing,
        }
    }
}

/// Whether `buffer` may hold a whole head, or something to refuse, that it did not hold when it had `seen` bytes. Parsing
/// after every byte would let a slow client keep a processor busy.
fn is_worth_parsing(buffer: &[u8], seen: usize, limit: usize) -> bool {
    // The end may have begun in what was seen.
    let new = buffer.get(seen.saturating_sub(3)..).unwrap_or_default();
    buffer.len() > seen
        && (buffer.len() >= (2 * seen).min(seen + READ_BLOCK)
            || buffer.len() > limit
            || new.windows(2).any(|two| two == b"\n\n")
            || new.windows(3).any(|three| three == b"\n\r\n"))
}

/// Answers what is not a request.
async fn refuse(client: &Client<'_>, bytes: &[u8], refusal: &Refusal) {
    let front = client.front;
    let note = format!(
        "refused a request of {} with {}: {}",
        client.addresses.client, refusal.status, refusal.reason
    );
    front.log.note(&Note::new(Level::Info, note));
    let clock = std::time::Instant::now();
    let writer = Writer::new(client.stream, front.limits.conn_timeout);
    let mut delivery = Delivery::new(writer, 1, false, false);
    // A client that does not wait for the page has its reasons.
    let _ = delivery.page(refusal.status).await;
    front.tell(&RequestRecord {
        time_taken: clock.elapsed(),
        status: delivery.status(),
        body_bytes: delivery.body_bytes(),
        complete: delivery.is_complete(),
        ..RequestRecord::new(client.addresses.client, request_line(bytes))
    });
}

/// Says that nothing more comes, and reads what the client still sends: closing with bytes unread would reset the
/// connection, and the client could lose the response.
async fn linger(stream: &TcpStream, stopping: &mut watch::Receiver<bool>) {
    if rustix::net::shutdown(stream, Shutdown::Write).is_err() {
        return;
    }
    let mut dropped = vec![0; READ_BLOCK];
    let rest = async {
        while stream.readable().await.is_ok() {
            match stream.try_read(&mut dropped) {
                Ok(1..) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
    };
    tokio::select! {
        _ = timeout(LINGER, rest) => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
}
