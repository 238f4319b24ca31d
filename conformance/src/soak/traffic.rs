//! What a subject is sent in a soak, and what becomes of each exchange.
//!
//! Each client has one connection at a time, as one slot of a server's pool: it closes it when CONN_CLOSE comes or it ends,
//! and sends a request again only if the connection, used before, turns out to have been closed before anything was accepted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use lsapi::PacketType;
use mock_lsws::{Ack, Address, Connection, End, HttpRequest, Incoming, Response, Transcript, within};
use serde::Serialize;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longest pause of a client between two exchanges, in ms.
const PAUSE: u64 = 20;

/// How many exchanges that were not as expected are kept.
const EXAMPLES: usize = 5;

/// Longest body that is sent, in bytes.
const LONGEST: usize = 100_000;

/// The size of the large response.
const LARGE: usize = 1 << 20;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Small,
    Post,
    Large,
    Stream,
    Slow,
    Exception,
    Crash,
    /// The client leaves in the middle of the response.
    Leave,
    /// The client leaves in the middle of the request's body.
    Abort,
    /// What is sent is no LSAPI.
    Garbage,
}

/// Each kind, and how often it comes in a hundred.
const MIX: [(Kind, u32); 10] = [
    (Kind::Small, 60),
    (Kind::Post, 10),
    (Kind::Large, 5),
    (Kind::Stream, 8),
    (Kind::Slow, 4),
    (Kind::Exception, 4),
    (Kind::Crash, 1),
    (Kind::Leave, 4),
    (Kind::Abort, 2),
    (Kind::Garbage, 2),
];

impl Kind {
    /// Its name in reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Post => "post",
            Self::Large => "large",
            Self::Stream => "streamed",
            Self::Slow => "slow",
            Self::Exception => "failing",
            Self::Crash => "crashing",
            Self::Leave => "left by the client",
            Self::Abort => "aborted",
            Self::Garbage => "garbage",
        }
    }

    fn pick(random: &mut Rng) -> Self {
        let all: u32 = MIX.iter().map(|part| part.1).sum();
        let mut at = random.u32(..all);
        for (kind, weight) in MIX {
            if at < weight {
                return kind;
            }
            at -= weight;
        }
        Self::Small
    }
}

/// What has become of the exchanges so far.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Counts {
    /// All, by what was asked for.
    pub(super) exchanges: BTreeMap<Kind, u64>,
    /// Requests sent again, as a server may.
    pub(super) sent_again: u64,
    /// How many were not as expected.
    pub(super) unexpected: u64,
    /// The first of these.
    pub(super) examples: Vec<String>,
}

impl Counts {
    /// All exchanges.
    pub(super) fn all(&self) -> u64 {
        self.exchanges.values().sum()
    }

    /// Notes something that should not have happened.
    pub(super) fn unexpected(&mut self, what: String) {
        self.unexpected += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(what);
        }
    }
}

/// What the clients have in common.
pub(super) struct Traffic {
    address: Address,
    /// Variables the subject wants in every request.
    request_env: Vec<(String, String)>,
    /// Whether crashes are asked for.
    crashes: bool,
    over: AtomicBool,
    counts: Mutex<Counts>,
    /// Keeps nothing: a soak takes no memory here.
    transcript: Transcript,
}

impl Traffic {
    pub(super) fn new(address: Address, request_env: Vec<(String, String)>, crashes: bool) -> Self {
        let transcript = Transcript::observed(|_| {});
        let (over, counts) = (AtomicBool::new(false), Mutex::default());
        Self { address, request_env, crashes, over, counts, transcript }
    }

    /// Lets every client end with the exchange it is in.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One client, which goes on until the traffic ends.
    pub(super) async fn client(&self, seed: u64) {
        let mut random = Rng::with_seed(seed);
        let mut connection = None;
        while !self.over.load(Ordering::Relaxed) {
            let kind = Kind::pick(&mut random);
            if kind == Kind::Crash && !self.crashes {
                continue;
            }
            let result = self.exchange(kind, &mut connection, &mut random).await;
            {
                let mut counts = self.counts();
                *counts.exchanges.entry(kind).or_default() += 1;
                if let Err(what) = result {
                    counts.unexpected(format!("{kind:?}: {what}"));
                }
            }
            let pause = Duration::from_millis(random.u64(..PAUSE));
            connection = match connection {
                Some(idle) => still_idle(idle, pause).await,
                None => {
                    tokio::time::sleep(pause).await;
                    None
                }
            };
        }
    }

    async fn exchange(
        &self,
        kind: Kind,
        connection: &mut Option<Connection>,
        random: &mut Rng,
    ) -> Result<(), String> {
        match kind {
            Kind::Leave => self.leave(connection.take()).await,
            Kind::Abort => self.abort(connection.take()).await,
            Kind::Garbage => {
                // A worker has one connection at a time: it would not come to the next while this one keeps its own.
                drop(connection.take());
                self.garbage().await
            }
            Kind::Small => self.ask("/", connection, expect(200, |body| body == b"ok")).await,
            Kind::Large => self.ask("/large", connection, expect(200, |body| body.len() == LARGE)).await,
            Kind::Stream => {
                self.ask("/stream", connection, expect(200, |body| body.ends_with(b"piece 19\n"))).await
            }
            Kind::Slow => self.ask("/slow", connection, expect(200, |body| body == b"ok")).await,
            Kind::Exception => self.ask("/exception", connection, expect(500, |_| true)).await,
            // A subject may answer for a crash, and need not.
            Kind::Crash => {
                let crashed = |response: &Response| {
                    response.http_status() >= 500 || matches!(response.end, End::Eof | End::Reset)
                };
                self.ask("/crash", connection, crashed).await
            }
            Kind::Post => {
                let mut body = vec![0; random.usize(..LONGEST)];
                random.fill(&mut body);
                let request = self.request("POST", "/echo").body(body.clone());
                self.send(&request, connection, expect(200, |answer| answer == body)).await
            }
        }
    }

    fn request(&self, method: &str, path: &str) -> HttpRequest {
        let request = HttpRequest::new(method, path).header("Host", "soak");
        self.request_env.iter().fold(request, |request, (name, value)| request.env(name, value.as_bytes()))
    }

    async fn connect(&self) -> Result<Connection, String> {
        Connection::connect(&self.address, &self.transcript).await.map_err(|error| error.to_string())
    }

    async fn ask(
        &self,
        path: &str,
        connection: &mut Option<Connection>,
        is_right: impl Fn(&Response) -> bool,
    ) -> Result<(), String> {
        self.send(&self.request("GET", path), connection, is_right).await
    }

    /// Sends a request and judges its response. The connection is kept if it can be used again.
    async fn send(
        &self,
        request: &HttpRequest,
        connection: &mut Option<Connection>,
        is_right: impl Fn(&Response) -> bool,
    ) -> Result<(), String> {
        loop {
            let was_used = connection.is_some();
            let mut current = match connection.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            // A failure shows in what is read.
            let _ = current.send_request(&request.to_raw(), request.body_bytes()).await;
            let response = current.read_response(within(PATIENCE)).await;
            let is_closed = matches!(response.end, End::Eof | End::Reset);
            if was_used && is_closed && accepted_nothing(&response) {
                self.counts().sent_again += 1;
                continue;
            }
            if !is_right(&response) || response.is_broken() {
                return Err(describe(&response));
            }
            if response.is_complete() && response.conn_close.is_none() {
                *connection = Some(current);
            }
            return Ok(());
        }
    }

    async fn leave(&self, connection: Option<Connection>) -> Result<(), String> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let request = self.request("GET", "/large");
        let _ = connection.send_request(&request.to_raw(), b"").await;
        // The acknowledgement, the header, and a part of the body.
        for _ in 0..4 {
            if let Incoming::TimedOut = connection.next_packet(within(PATIENCE)).await {
                return Err(format!("nothing came for {PATIENCE:?}"));
            }
        }
        connection.close();
        Ok(())
    }

    async fn abort(&self, connection: Option<Connection>) -> Result<(), String> {
        let mut connection = match connection {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let request = self.request("POST", "/echo").body(vec![b'x'; LONGEST]);
        let _ = connection.send_request(&request.to_raw(), &request.body_bytes()[..LONGEST / 2]).await;
        connection.abort();
        Ok(())
    }

    async fn garbage(&self) -> Result<(), String> {
        let mut connection = self.connect().await?;
        let _ = connection.send(b"GET / HTTP/1.1\r\nHost: soak\r\n\r\n").await;
        loop {
            match connection.next_packet(within(PATIENCE)).await {
                Incoming::Eof { .. } | Incoming::Reset { .. } => return Ok(()),
                // A new process may have introduced itself, or have been leaving anyway.
                Incoming::Packet(packet)
                    if matches!(packet.packet_type(), PacketType::StderrStream | PacketType::ConnClose) => {}
                other => return Err(format!("no end of the connection, but {other:?}")),
            }
        }
    }
}

/// The connection, if nothing comes on it for the length of `pause`.
async fn still_idle(mut connection: Connection, pause: Duration) -> Option<Connection> {
    match connection.next_packet(within(pause)).await {
        Incoming::TimedOut => Some(connection),
        _ => {
            connection.close();
            None
        }
    }
}

/// A complete response of this status, with a body like that.
fn expect(status: u16, body: impl Fn(&[u8]) -> bool) -> impl Fn(&Response) -> bool {
    move |response| response.is_complete() && response.http_status() == status && body(&response.body)
}

/// Whether no byte has come that accepts a request: CONN_CLOSE only says that the connection ends.
fn accepted_nothing(response: &Response) -> bool {
    response.packets.iter().all(|packet| packet.packet_type() == PacketType::ConnClose)
}

fn describe(response: &Response) -> String {
    let ack = if response.ack == Ack::None { "not acknowledged" } else { "acknowledged" };
    let status = response.status.map_or_else(|| "no status".to_owned(), |status| format!("status {status}"));
    let violations: Vec<String> = response.violations().iter().map(ToString::to_string).collect();
    format!(
        "{ack}, {status}, {} bytes, end: {:?} {}",
        response.body.len(),
        response.end,
        violations.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_about_as_often_as_it_should() {
        let mut random = Rng::with_seed(7);
        let mut counts: BTreeMap<Kind, u32> = BTreeMap::new();
        (0..10_000).for_each(|_| *counts.entry(Kind::pick(&mut random)).or_default() += 1);
        assert_eq!(counts.len(), MIX.len());
        assert!(counts[&Kind::Small] > 5500 && counts[&Kind::Crash] < 200, "{counts:?}");
    }
}
