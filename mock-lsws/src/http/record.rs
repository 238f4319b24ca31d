//! One request that is over, for logs and tests.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::gateway::ExchangeRecord;

/// One request that is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestRecord {
    /// Who asked.
    pub client: SocketAddr,
    /// When its head was complete.
    pub started: SystemTime,
    /// From there to the last byte of the response.
    pub time_taken: Duration,
    /// The request line without its line end; empty for a head that was refused before it had one.
    pub request_line: Vec<u8>,
    /// Who it was, where the server asked for a password.
    pub user: Option<Vec<u8>>,
    /// Value of the Referer header.
    pub referer: Option<Vec<u8>>,
    /// Value of the User-Agent header.
    pub user_agent: Option<Vec<u8>>,
    /// Status of the response; 0 if none was sent.
    pub status: u16,
    /// Bytes of the body that were written, without chunk framing.
    pub body_bytes: u64,
    /// Whether the client got the whole response.
    pub complete: bool,
    /// What passed between server and applications: one entry, more after internal redirects, none for files.
    pub exchanges: Vec<ExchangeRecord>,
}

impl RequestRecord {
    /// How often applications were sent the request.
    #[must_use]
    pub fn sends(&self) -> u32 {
        self.exchanges.iter().map(|exchange| exchange.sends).sum()
    }
}

type Observe = dyn Fn(&RequestRecord) + Send + Sync;

/// Who is told about each request.
#[derive(Clone)]
pub(crate) struct Observer(Option<Arc<Observe>>);

impl Observer {
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    pub(crate) fn new(observe: impl Fn(&RequestRecord) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    pub(crate) fn tell(&self, record: &RequestRecord) {
        if let Some(observe) = &self.0 {
            observe(record);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
