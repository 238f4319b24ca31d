//! What a worker shows of itself: the request it runs and since when, written without a system call.
//!
//! In a group all of it is in memory the manager shares, one [`Slot`] a worker; a worker by itself has one of its own. The
//! watchdog and the manager read it. Who does what about it is theirs; what is known about connections is the manager's.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::histogram::Histogram;
use crate::sys;

/// Longest part of "METHOD URL" that is kept, in bytes.
const TEXT: usize = 232;

/// What one worker shows. All zero: nothing yet.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Slot {
    /// What the manager wants of the worker: an [`Order`].
    order: AtomicU32,
    /// Whether the worker may take the connection that has been handed to it: 1, or 0 once somebody has claimed it.
    offer: AtomicU32,
    /// Length of the text.
    len: AtomicU32,
    /// Not 0 from when the end of a response leaves: its connection may end before that has been noted here.
    ending: AtomicU32,
    /// When the request under way began, in ms of the monotonic clock; 0: none is under way.
    began: AtomicU64,
    /// When the last request ended or, before the first, the worker became ready; in ms of the monotonic clock.
    idle_since: AtomicU64,
    /// Requests begun.
    requests: AtomicU64,
    /// Requests begun by all workers that have had this slot.
    all_requests: AtomicU64,
    /// How long the requests of all of these took: from when one has come until the worker is free for the next. Counted then,
    /// which is after the client has seen the end of the response: it may be a request short of what a client has counted.
    pub(crate) took: Histogram,
    /// Odd while the text is being written; a reader that sees it change tries again.
    version: AtomicU64,
    /// Method and URL of the request under way, or of the last one.
    text: [AtomicU64; TEXT / 8],
}

/// What concerns all workers. All zero at start.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Group {
    /// Workers that hold a connection; written by the manager.
    pub(crate) connections: AtomicU32,
    /// The slot, counted from 1, of the worker that is being recycled by LSAPI_MAX_REQS before it must; 0: none. A worker
    /// takes it, the manager gives it back when the replacement is ready.
    pub(crate) recycling: AtomicU32,
    /// How often log files were to be opened anew; written by the manager.
    pub(crate) reopened: AtomicU32,
    /// A line of the access log was not written to its end. Whoever writes the next one ends it.
    pub(crate) torn: AtomicBool,
}

/// What the manager wants of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Order {
    /// Nothing but what it does.
    None = 0,
    /// To give up an idle connection, or the connection after the request under way, and to wait for another.
    Release,
    /// To leave: no request came for LSAPI_MAX_IDLE.
    LeaveIdle,
    /// To leave: more workers are idle than LSAPI_MAX_IDLE_CHILDREN allows.
    LeaveSurplus,
    /// To leave: it is older than `--max-lifetime`.
    LeaveLifetime,
    /// To leave: memory is short.
    LeaveMemory,
    /// To leave: there is new code.
    LeaveReload,
    /// To leave: the group stops.
    LeaveStop,
}

impl Order {
    const ALL: [Self; 8] = [
        Self::None,
        Self::Release,
        Self::LeaveIdle,
        Self::LeaveSurplus,
        Self::LeaveLifetime,
        Self::LeaveMemory,
        Self::LeaveReload,
        Self::LeaveStop,
    ];

    /// Whether the process is to end.
    pub(crate) const fn is_leave(self) -> bool {
        !matches!(self, Self::None | Self::Release)
    }
}

/// A request as seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    /// Method and URL, cut after some 230 bytes.
    pub(crate) text: String,
    /// For how long it has been running.
    pub(crate) age: Duration,
    /// The how-manieth of its process it is, from 1.
    pub(crate) serial: u64,
}

/// Milliseconds of the monotonic clock, never 0. Exact to a tick of the kernel (1 to 10 ms), and read without a system call.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    let (seconds, nanos) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
    (seconds * 1000 + nanos / 1_000_000).max(1)
}

impl Slot {
    /// The slot of a worker without a group.
    pub(crate) const fn new() -> Self {
        Self {
            order: AtomicU32::new(0),
            offer: AtomicU32::new(0),
            len: AtomicU32::new(0),
            ending: AtomicU32::new(0),
            began: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            all_requests: AtomicU64::new(0),
            took: Histogram::new(),
            version: AtomicU64::new(0),
            text: [const { AtomicU64::new(0) }; TEXT / 8],
        }
    }

    /// Empties the slot for another worker, but for what counts for all of them. Only while none uses it.
    pub(crate) fn reset(&self) {
        self.ending.store(0, Ordering::Relaxed);
        for word in [&self.began, &self.requests, &self.idle_since] {
            word.store(0, Ordering::Relaxed);
        }
        self.len.store(0, Ordering::Relaxed);
        self.offer.store(0, Ordering::SeqCst);
        self.order.store(Order::None as u32, Ordering::SeqCst);
    }

    /// The worker is ready for requests.
    pub(crate) fn ready(&self) {
        self.idle_since.store(now(), Ordering::Release);
    }

    /// A request begins. Only the worker's main thread calls this.
    pub(crate) fn begin(&self, method: &[u8], url: [&[u8]; 2]) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version | 1, Ordering::Relaxed);
        std::sync::atomic::fence(Ordering::Release);
        let mut bytes = [0; TEXT];
        let method = &method[..method.len().min(32)];
        bytes[..method.len()].copy_from_slice(method);
        bytes[method.len()] = b' ';
        let mut len = method.len() + 1;
        for part in url {
            let part = &part[..part.len().min(TEXT - len)];
            bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        for (word, chunk) in self.text.iter().zip(bytes[..len.next_multiple_of(8)].as_chunks().0) {
            word.store(u64::from_ne_bytes(*chunk), Ordering::Relaxed);
        }
        self.len.store(u32::try_from(len).unwrap_or(0), Ordering::Relaxed);
        self.requests.store(self.requests.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.all_requests.store(self.all_requests.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.ending.store(0, Ordering::Relaxed);
        self.began.store(now(), Ordering::Relaxed);
        self.version.store((version | 1) + 1, Ordering::Release);
    }

    /// The end of the response to the request under way is about to leave.
    pub(crate) fn ending(&self) {
        self.ending.store(1, Ordering::Relaxed);
    }

    /// Whether the end of the response to the last request has left, or is about to.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed) != 0
    }

    /// The request under way has ended.
    pub(crate) fn end(&self) {
        self.idle_since.store(now(), Ordering::Relaxed);
        self.began.store(0, Ordering::Release);
    }

    /// Requests begun so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests begun so far by this worker and those that have had its slot before.
    pub(crate) fn all_requests(&self) -> u64 {
        self.all_requests.load(Ordering::Relaxed)
    }

    /// For how long the request under way has been running; `None`: none is.
    pub(crate) fn busy_for(&self) -> Option<Duration> {
        let began = self.began.load(Ordering::Acquire);
        (began != 0).then(|| Duration::from_millis(now().saturating_sub(began)))
    }

    /// For how long the worker has been without a request; `None` while it has one, and before it was ready.
    pub(crate) fn idle_for(&self) -> Option<Duration> {
        // In this order: a request that has just ended has left its end behind.
        let is_idle = self.began.load(Ordering::Acquire) == 0;
        let since = self.idle_since.load(Ordering::Acquire);
        (is_idle && since != 0).then(|| Duration::from_millis(now().saturating_sub(since)))
    }

    /// The request under way. `None`: none is, or it changes too fast to be caught, and so is not old.
    pub(crate) fn running(&self) -> Option<Running> {
        for _ in 0..100 {
            let version = self.version.load(Ordering::Acquire);
            let age = self.busy_for()?;
            let serial = self.requests();
            let words = self.text.each_ref().map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
            let len = self.len.load(Ordering::Relaxed) as usize;
            std::sync::atomic::fence(Ordering::Acquire);
            if version.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == version {
                let bytes = words.as_flattened();
                let text = String::from_utf8_lossy(&bytes[..len.min(bytes.len())]).into_owned();
                return Some(Running { text, age, serial });
            }
        }
        None
    }

    /// Gives an order. The worker looks at it when it is signalled.
    pub(crate) fn order(&self, order: Order) {
        self.order.store(order as u32, Ordering::SeqCst);
    }

    /// The order given last. Async-signal-safe.
    pub(crate) fn ordered(&self) -> Order {
        let number = self.order.load(Ordering::SeqCst) as usize;
        Order::ALL.get(number).copied().unwrap_or(Order::None)
    }

    /// The manager hands the worker a connection. One at a time, until the worker has said what became of it.
    pub(crate) fn offer(&self) {
        self.offer.store(1, Ordering::SeqCst);
    }

    /// Claims the connection that was offered: the worker to serve it or the manager, if the worker does nothing, to give it to
    /// another. Only the first gets it.
    pub(crate) fn claim(&self) -> bool {
        self.offer.swap(0, Ordering::SeqCst) == 1
    }

    /// Takes a [`Order::Release`] off that has been followed; any other order stays.
    pub(crate) fn released(&self) {
        let (release, none) = (Order::Release as u32, Order::None as u32);
        let _ = self.order.compare_exchange(release, none, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// The memory of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Board {
    /// What concerns all workers.
    pub(crate) group: &'static Group,
    /// One for each worker there may be.
    pub(crate) slots: &'static [Slot],
}

impl Board {
    /// Memory for `count` workers, shared with every process forked from here on.
    ///
    /// # Errors
    /// When there is no memory.
    pub(crate) fn new(count: usize) -> io::Result<Self> {
        Ok(Self { group: &sys::map(1)?[0], slots: sys::map(count)? })
    }
}

/// Where the worker of this process shows itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// What concerns all workers.
    pub(crate) group: &'static Group,
    /// This worker's own.
    pub(crate) slot: &'static Slot,
    /// Number of the slot, from 0.
    pub(crate) number: u32,
}

static PLACE: OnceLock<Place> = OnceLock::new();

/// The slot of a worker without a group.
static ALONE: Slot = Slot::new();

impl Board {
    /// Gives the worker of this process the slot `number`, once. `None`: there is no such slot.
    pub(crate) fn take_place(&self, number: u32) -> Option<Place> {
        let slot = self.slots.get(number as usize)?;
        Some(*PLACE.get_or_init(|| Place { group: self.group, slot, number }))
    }
}

/// The place of this process's worker in its group, if it is in one.
pub(crate) fn place() -> Option<Place> {
    PLACE.get().copied()
}

/// The slot of this process's worker. Async-signal-safe.
pub(crate) fn slot() -> &'static Slot {
    PLACE.get().map_or(&ALONE, |place| place.slot)
}

impl Place {
    /// Whether this worker may be the one that is being recycled before it must.
    pub(crate) fn take_recycling(&self) -> bool {
        let (free, own) = (0, self.number + 1);
        let taken = self.group.recycling.compare_exchange(free, own, Ordering::SeqCst, Ordering::SeqCst);
        taken.is_ok() || taken == Err(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_seen_while_it_runs_and_cut_if_it_is_long() {
        let board = Board::new(2).unwrap();
        let slot = &board.slots[1];
        assert_eq!(slot.running(), None);
        slot.begin(b"GET", [b"/a", b"?b=\xff"]);
        let seen = slot.running().unwrap();
        assert_eq!((seen.text.as_str(), seen.serial), ("GET /a?b=\u{fffd}", 1));
        assert_eq!(slot.idle_for(), None);
        slot.begin(&[b'M'; 999], [&[b'u'; 999], b"more"]);
        assert_eq!(slot.running().unwrap().text.len(), TEXT);
        slot.end();
        assert_eq!(slot.running(), None);
        assert!(slot.idle_for().is_some());
        assert_eq!(slot.requests(), 2);
    }

    #[test]
    fn a_reader_never_sees_two_requests_mixed() {
        static SLOT: Slot = Slot::new();
        let writer = std::thread::spawn(|| {
            for round in 0..50_000_u32 {
                let letter = [b'a' + (round % 26) as u8];
                SLOT.begin(&letter, [&letter.repeat(1 + round as usize % 200), b""]);
            }
        });
        while !writer.is_finished() {
            if let Some(seen) = SLOT.running() {
                let first = seen.text.chars().next().unwrap();
                assert!(seen.text.chars().all(|c| c == first || c == ' '), "{}", seen.text);
            }
        }
        writer.join().unwrap();
    }

    #[test]
    fn a_connection_is_claimed_once() {
        let slot = Slot::new();
        assert!(!slot.claim());
        slot.offer();
        assert!(slot.claim());
        assert!(!slot.claim());
    }

    #[test]
    fn an_order_to_leave_survives_the_end_of_a_release() {
        let slot = Slot::new();
        slot.order(Order::Release);
        slot.released();
        assert_eq!(slot.ordered(), Order::None);
        slot.order(Order::LeaveStop);
        slot.released();
        assert_eq!(slot.ordered(), Order::LeaveStop);
        assert!(Order::ALL.iter().enumerate().all(|(number, order)| *order as usize == number));
    }
}
