//! A server's pool of connections in small.
//!
//! What it does is what LiteSpeed does, and no more:
//! * idle connections are a stack: the one used last is used next; a new one is made when none is idle;
//! * one request at a time on a connection; it goes back on the stack after RESP_END unless CONN_CLOSE came;
//! * an idle connection on which something has arrived (CONN_CLOSE, or its end) is closed at once and not used again;
//! * a request is sent once. The one exception: a connection *from the stack* that turns out to have been closed before the
//!   first byte of an answer (lsapi 1.7: nothing has accepted the request) is replaced, and the request sent on the next one.
//!
//! The real server would try up to three times whatever had happened; a request that needs that counts as lost here.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lsapi::{PacketType, RequestBuilder};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::support::{Connection, Event, Response};

/// How often idle connections are looked at: the real server waits for events on all of them.
const LOOK: Duration = Duration::from_millis(1);

/// The pool. Threads share it.
pub(crate) struct Pool {
    socket: PathBuf,
    idle: Mutex<Vec<Pooled>>,
}

struct Pooled {
    connection: Connection,
    /// The worker at the other end, as far as it is known.
    worker: Option<u32>,
}

/// A request that was accepted, or sent on a new connection, and got no complete answer.
#[derive(Debug)]
pub(crate) struct Lost {
    /// What came of the answer.
    pub(crate) response: Response,
    /// The worker that had it, as far as it is known.
    pub(crate) worker: Option<u32>,
}

/// Does `body`, and meanwhile closes the idle connections of `pools` on which something arrives.
pub(crate) fn tended<T>(pools: &[Pool], body: impl FnOnce() -> T) -> T {
    /// Also when `body` panics.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                pools.iter().for_each(Pool::tend);
                std::thread::sleep(LOOK);
            }
        });
        let _over = Over(&over);
        body()
    })
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "only {:?} came of worker {:?}", self.response.names(), self.worker)
    }
}

impl Pool {
    /// An empty pool of connections to `socket`.
    pub(crate) const fn new(socket: PathBuf) -> Self {
        Self { socket, idle: Mutex::new(Vec::new()) }
    }

    /// Sends a GET request. The application answers with the pid of its process.
    pub(crate) fn get(&self, target: &str) -> Result<Response, Box<Lost>> {
        let request = RequestBuilder::get(target).encode();
        loop {
            let (mut pooled, was_idle) = match self.take() {
                Some(pooled) => (pooled, true),
                None => (Pooled::new(&self.socket), false),
            };
            // A failure shows in what is read.
            pooled.connection.send_until_closed(&request);
            let mut response = Response::default();
            while pooled.connection.next(&mut response) != Event::End {
                if response.packets.last() == Some(&PacketType::RespEnd) {
                    self.give_back(pooled, &response);
                    return Ok(response);
                }
            }
            // CONN_CLOSE alone accepts nothing: it says that the connection ends.
            let accepted = response.packets.iter().any(|&packet| packet != PacketType::ConnClose);
            if accepted || !was_idle {
                let notice = response.notice.and_then(|pid| pid.try_into().ok());
                return Err(Box::new(Lost { response, worker: notice.or(pooled.worker) }));
            }
        }
    }

    fn tend(&self) {
        self.idle.lock().expect("no thread panics with the lock").retain(Pooled::is_silent);
    }

    fn take(&self) -> Option<Pooled> {
        self.tend();
        self.idle.lock().expect("no thread panics with the lock").pop()
    }

    fn give_back(&self, mut pooled: Pooled, response: &Response) {
        if !response.packets.contains(&PacketType::ConnClose) {
            pooled.worker = response.text().parse().ok();
            self.idle.lock().expect("no thread panics with the lock").push(pooled);
        }
    }
}

impl Pooled {
    fn new(socket: &Path) -> Self {
        Self { connection: Connection::to(socket), worker: None }
    }

    /// Whether nothing has come on it since its last answer.
    fn is_silent(&self) -> bool {
        is_silent(&self.connection)
    }
}

/// Whether nothing has come that has not been read, not even the end.
pub(crate) fn is_silent(connection: &Connection) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(&connection.stream, PollFlags::IN)], Some(&now)) == Ok(0)
}
