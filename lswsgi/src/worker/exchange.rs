//! Both sides of the connection being served, shared between the worker and the objects the application holds.
//!
//! An application may keep `start_response`, `write` or `wsgi.input` beyond their request, or use them from other
//! threads. So both sides are behind locks, which are only ever tried while the GIL is held, and every request has a
//! serial number that such an object must still match. No code of the application runs while the lock of the sending side
//! is held: it might want to write.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use crate::worker::error_text::{ErrorText, Part};
use crate::worker::gate;
use crate::worker::inbound::{Inbound, Limits};
use crate::worker::outbound::{End, Outbound};
use crate::worker::socket::Socket;
use crate::{log, sys};

/// Most error text that waits while another thread has the sending side, in bytes. More goes to standard error.
const MAX_WAITING: usize = 64 * 1024;

/// Letting go of the interpreter lock around something that may wait.
pub trait Detach {
    /// Runs `body` without the GIL and takes it again.
    fn detach<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T;
}

/// The state of one worker's connection and request.
#[derive(Debug)]
pub struct Exchange {
    inbound: Mutex<Inbound>,
    outbound: Mutex<Outbound>,
    errors: Arc<ErrorText>,
    /// Threads that wait for the sending side. Threads that only have something to log would keep it from them for ever.
    wanted: AtomicUsize,
    /// Number of the request under way, counted from 1 over the process's life; 0 between requests.
    serial: AtomicU64,
    /// This is the connection's last request.
    is_last: AtomicBool,
    /// CONN_CLOSE has been sent already.
    announced: AtomicBool,
}

impl Exchange {
    /// A worker's exchange, without a connection yet.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        let errors = Arc::<ErrorText>::default();
        Arc::new(Self {
            inbound: Mutex::new(Inbound::new(limits)),
            outbound: Mutex::new(Outbound::new(Arc::clone(&errors))),
            errors,
            wanted: AtomicUsize::new(0),
            serial: AtomicU64::new(0),
            is_last: AtomicBool::new(false),
            announced: AtomicBool::new(false),
        })
    }

    /// The receiving side, if nobody else is using it at the moment. Never waits.
    pub fn try_inbound(&self) -> Option<MutexGuard<'_, Inbound>> {
        available(self.inbound.try_lock())
    }

    /// The receiving side. Another thread of the application may be reading a body with it; the GIL is let go meanwhile,
    /// and the body timeout bounds the wait.
    pub(crate) fn inbound<D: Detach>(&self, gil: &D) -> MutexGuard<'_, Inbound> {
        obtain(gil, &self.inbound)
    }

    /// The sending side, waiting for another thread's write to end as the peer reads it.
    pub fn outbound<D: Detach>(&self, gil: &D) -> MutexGuard<'_, Outbound> {
        if let Some(guard) = available(self.outbound.try_lock()) {
            return guard;
        }
        self.wanted.fetch_add(1, Ordering::Relaxed);
        let guard = obtain(gil, &self.outbound);
        self.wanted.fetch_sub(1, Ordering::Relaxed);
        guard
    }

    /// Number of the request under way; 0 between requests.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial.load(Ordering::Relaxed)
    }

    pub(crate) fn set_serial(&self, serial: u64) {
        self.serial.store(serial, Ordering::Relaxed);
    }

    pub(crate) fn connect<D: Detach>(&self, gil: &D, socket: Option<Arc<Socket>>) {
        self.inbound(gil).connect(socket.clone());
        self.outbound(gil).connect(socket);
        self.flush_errors(gil);
    }

    /// Takes text for the error log. While a request is under way its whole lines go to the server, otherwise to standard
    /// error. Does not wait for another thread that has the sending side: that one takes the text along.
    pub fn write_errors<D: Detach>(&self, gil: &D, text: &[u8]) {
        // The connection is the parent's, and so is whatever it is sending on it.
        if sys::is_forked() {
            return log::text(log::Level::Info, text);
        }
        let waiting = self.errors.push(text);
        self.leave_errors(gil, Part::Lines, waiting > MAX_WAITING);
    }

    /// Lets error text go that is not a line yet, or had to wait.
    pub fn flush_errors<D: Detach>(&self, gil: &D) {
        if self.errors.is_waiting() && !sys::is_forked() {
            self.leave_errors(gil, Part::All, false);
        }
    }

    fn leave_errors<D: Detach>(&self, gil: &D, mut part: Part, too_much: bool) {
        let is_wanted = || self.wanted.load(Ordering::Relaxed) > 0;
        match available(self.outbound.try_lock()).filter(|_| !is_wanted()) {
            Some(mut outbound) => {
                // Also what others have left here in the meantime.
                while outbound.send_errors(gil, part) && !is_wanted() {}
                if outbound.is_under_way() {
                    return;
                }
                // Without a connection nothing may come that would take the rest of a line along.
                if !outbound.is_connected() {
                    part = Part::All;
                }
            }
            None if too_much => part = Part::All,
            None => return,
        }
        let text = self.errors.take(part);
        if !text.is_empty() {
            gil.detach(|| log::text(log::Level::Info, &text));
        }
    }

    pub(crate) fn set_last(&self, is_last: bool, announced: bool) {
        self.is_last.store(is_last, Ordering::Relaxed);
        self.announced.store(announced, Ordering::Relaxed);
    }

    /// How the response under way has to end, as things stand now: whether the connection can take another request.
    #[must_use]
    pub fn end(&self) -> End {
        if self.announced.load(Ordering::Relaxed) {
            return End::CloseAnnounced;
        }
        // A thread that is reading the body right now keeps the connection from being reused.
        let complete = self.try_inbound().is_some_and(|inbound| inbound.is_body_complete());
        if self.is_last.load(Ordering::Relaxed) || !complete || gate::is_closing() {
            End::Close
        } else {
            End::KeepAlive
        }
    }

    /// Makes the request under way the last one of this connection.
    pub fn end_after_this(&self) {
        self.is_last.store(true, Ordering::Relaxed);
    }
}

fn available<'a, T>(
    tried: Result<MutexGuard<'a, T>, TryLockError<MutexGuard<'a, T>>>,
) -> Option<MutexGuard<'a, T>> {
    match tried {
        Ok(guard) => Some(guard),
        // The state is plain data that is valid after every statement; a panic elsewhere does not spoil it.
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn obtain<'a, T: Send, D: Detach>(gil: &D, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
    loop {
        if let Some(guard) = available(mutex.try_lock()) {
            return guard;
        }
        // A guard cannot cross the boundary, so wait for the lock without the GIL, give it back, and try again.
        gil.detach(|| drop(mutex.lock().unwrap_or_else(PoisonError::into_inner)));
    }
}
