//! Who owns the response of the request under way.
//!
//! An end without RESP_END makes the server send the request again, so whoever is left must be able to answer: normally
//! whichever thread of the application writes; for a crash the signal handler; for a request that has run for too long the
//! watchdog. One atomic decides between them. A writer moves it to WRITING before every write and, after a whole packet, on
//! once the head is out; if it finds the response taken, it parks for ever, because the process is about to end. Whoever
//! takes the response from another thread gives that one a moment to finish what it is writing, because half a packet can
//! only be followed by its other half.
//!
//! What is sent for a response that was taken, and how, is in [`last_words`](super::last_words).

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lsapi::CLOSE_AND_END;
use rustix::event::poll;
use rustix::net::{Shutdown, shutdown};

use crate::sys;
use crate::worker::discard;
use crate::worker::last_words::{self, LastWords};

/// No request is under way, or its response is complete.
const IDLE: u32 = 0;
/// A request is under way and the head of its response has not been written.
const NONE: u32 = 1;
/// A thread is writing.
const WRITING: u32 = 2;
/// The head has been written, and nothing but whole packets since; more are to come.
const BETWEEN: u32 = 3;
/// The same for a response that may be broken off, if the operator wants that.
const OPEN: u32 = 4;
/// Somebody else has taken the response over.
const TAKEN: u32 = 5;

/// The bits of the atomic that hold one of these; the others count requests, so that nobody takes the next one for the one
/// that was meant.
const STATE: u32 = 7;

/// How long a write of another thread may take to end, and the last words to find room. A peer that takes longer is not
/// reading.
const WRITE_GRACE: Duration = Duration::from_secs(1);

/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(1);

static OWNER: AtomicU32 = AtomicU32::new(IDLE);
static SOCKET: AtomicI32 = AtomicI32::new(-1);

/// Whether bytes of the request's body may still arrive; decides if the connection needs the discard.
static BODY_PENDING: AtomicBool = AtomicBool::new(false);

/// A request, told from the one before and the one behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request(u32);

impl Request {
    fn of(owner: u32) -> Self {
        Self(owner & !STATE)
    }
}

/// Prepares what is sent for responses that are taken over, because a crash handler cannot build it.
pub(crate) fn prepare() {
    last_words::prepare();
}

/// Moves the request under way to `state`. Does not return if somebody has taken its response over.
fn go_on(state: u32) {
    let owner = OWNER.load(Ordering::SeqCst);
    let next = (owner & !STATE) | state;
    if owner & STATE == TAKEN || !replace(owner, next) {
        leave_to_the_other();
    }
}

fn replace(owner: u32, next: u32) -> bool {
    OWNER.compare_exchange(owner, next, Ordering::SeqCst, Ordering::SeqCst).is_ok()
}

/// The process is about to end, and that is for somebody else to do.
fn leave_to_the_other() -> ! {
    loop {
        std::thread::park();
    }
}

/// A request is to be acknowledged on `socket`.
pub(crate) fn begin(socket: BorrowedFd<'_>, body_pending: bool) {
    let owner = OWNER.load(Ordering::SeqCst);
    if owner & STATE == TAKEN {
        leave_to_the_other();
    }
    SOCKET.store(socket.as_raw_fd(), Ordering::SeqCst);
    BODY_PENDING.store(body_pending, Ordering::SeqCst);
    if !replace(owner, (owner & !STATE).wrapping_add(STATE + 1) | NONE) {
        leave_to_the_other();
    }
}

/// The request's body has been read to its end.
pub(crate) fn body_received() {
    BODY_PENDING.store(false, Ordering::SeqCst);
}

/// Takes the right to write. Does not return if somebody else has taken the response over.
pub(crate) fn start_write() {
    go_on(WRITING);
}

/// How far the response has come with a write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Written {
    /// Error text only: the head has not been written.
    NoHead,
    /// The head, now or earlier.
    Head,
    /// The head of a response of no declared length to a request that may be run again.
    OpenHead,
    /// RESP_END.
    End,
}

/// Gives the right back: whole packets have been written.
pub(crate) fn end_write(written: Written) {
    go_on(match written {
        Written::NoHead => NONE,
        Written::Head => BETWEEN,
        Written::OpenHead => OPEN,
        Written::End => IDLE,
    });
}

/// The request is over without a whole response: the connection is lost.
pub(crate) fn end() {
    go_on(IDLE);
}

/// The request under way, or the last one.
pub(crate) fn current() -> Request {
    Request::of(OWNER.load(Ordering::SeqCst))
}

/// Whether the response of `request` is complete or lost, and only the application's work goes on.
pub(crate) fn is_complete(request: Request) -> bool {
    OWNER.load(Ordering::SeqCst) == request.0 | IDLE
}

/// What has been done about a response that was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The whole answer has been sent.
    Answered,
    /// Its end has been sent.
    EndedEarly,
    /// It has been broken off, as the operator wishes.
    BrokenOff,
    /// It was complete, or the connection was lost before.
    Nothing,
    /// The connection has been closed in the middle of a write: the peer does not read.
    NotRead,
}

/// Takes the response of `request` from whoever has it and sends what is left to be said: `words` if no head was written,
/// else its end, unless it `may_break` off. Nothing of it can be written afterwards, and the process must end. `None`: the
/// request is over, or somebody else has taken it. Async-signal-safe; takes up to two seconds.
pub(crate) fn take_over(request: Request, words: LastWords, may_break: bool) -> Option<Taken> {
    let deadline = Instant::now() + WRITE_GRACE;
    let state = loop {
        let owner = OWNER.load(Ordering::SeqCst);
        if Request::of(owner) != request {
            return None;
        }
        match owner & STATE {
            TAKEN => return None,
            WRITING if Instant::now() < deadline => {
                // Sleeps, in the way a signal handler may.
                let _ = GLANCE.try_into().map(|glance| poll(&mut [], Some(&glance)));
            }
            state if replace(owner, request.0 | TAKEN) => break state,
            _ => {}
        }
    };
    let Some(socket) = sys::borrow_descriptor(SOCKET.load(Ordering::SeqCst)) else {
        return Some(Taken::Nothing);
    };
    // What the write before this took of the grace is not lost for this one: its end has shown that the peer reads.
    let deadline = Instant::now() + WRITE_GRACE;
    match state {
        NONE => last_words::send(socket, words.bytes(), deadline),
        OPEN if may_break => {
            let _ = shutdown(socket, Shutdown::Both);
            return Some(Taken::BrokenOff);
        }
        BETWEEN | OPEN => last_words::send(socket, &CLOSE_AND_END, deadline),
        WRITING => {
            let _ = shutdown(socket, Shutdown::Both);
            return Some(Taken::NotRead);
        }
        _ => return Some(Taken::Nothing),
    }
    Some(if state == NONE { Taken::Answered } else { Taken::EndedEarly })
}

/// Discards what may still come of the body of the request whose response was taken over. Async-signal-safe.
pub(crate) fn discard_body() {
    if BODY_PENDING.load(Ordering::SeqCst)
        && let Some(socket) = sys::borrow_descriptor(SOCKET.load(Ordering::SeqCst))
    {
        discard::shut_and_discard(socket);
    }
}

/// Answers for a process that is about to die: 500 if no head was written, else the end of the response. Called in a
/// signal handler.
pub(crate) fn for_crash() {
    let request = current();
    if !is_complete(request)
        && let Some(Taken::Answered | Taken::EndedEarly) = take_over(request, LastWords::Crashed, false)
    {
        discard_body();
    }
}
