//! The connections of one application, and the requests that wait for one.
//!
//! Free connections are a stack, waiting requests a queue (lsapi 4.3.7). Owns who gets which; how a connection is made is
//! [`Processes`](super::processes::Processes)'.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::limit::{ConnLimit, Fall};
use super::link::Link;
use crate::journal::ServerLog;

/// Connections of one application.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    alarm: Arc<Alarm>,
    log: ServerLog,
}

#[derive(Debug)]
struct State {
    free: Vec<Link>,
    /// Places taken: connections in use and free ones.
    open: u32,
    waiting: VecDeque<oneshot::Sender<Place>>,
    limit: ConnLimit,
    closed: bool,
    /// When a connection was last in use.
    used: Instant,
}

/// The right to one connection: a free one, or a new one to be made. Dropping it gives it to the next who waits.
#[derive(Debug)]
pub(super) struct Place {
    pool: Arc<Pool>,
    /// A free connection, until it is taken out.
    link: Option<Link>,
    /// Given back already.
    given: bool,
}

/// What became of the wish for a place.
#[derive(Debug)]
pub(super) enum Asked {
    /// Here it is.
    Now(Place),
    /// It comes when it is this one's turn. Without a sender the application has become unavailable.
    Later(oneshot::Receiver<Place>),
    /// The application is bad, or being stopped.
    Refused,
}

/// Where in the queue a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Behind the others.
    Last,
    /// Before them: it has waited already, and is sent again.
    First,
}

/// Rings when an idle connection has something to say.
#[derive(Debug, Default)]
pub(super) struct Alarm(Notify);

impl Alarm {
    /// Waits until it rings; at once if it did since the last time.
    pub(super) async fn ringing(&self) {
        self.0.notified().await;
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

impl Pool {
    pub(super) fn new(limit: ConnLimit, log: ServerLog) -> Arc<Self> {
        let state = State {
            free: Vec::new(),
            open: 0,
            waiting: VecDeque::new(),
            limit,
            closed: false,
            used: Instant::now(),
        };
        Arc::new(Self { state: Mutex::new(state), alarm: Arc::default(), log })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waker(&self) -> Waker {
        Arc::clone(&self.alarm).into()
    }

    /// Asks for a connection.
    pub(super) fn ask(self: &Arc<Self>, turn: Turn) -> Asked {
        let (mut dead, mut state) = (Vec::new(), self.state());
        if state.closed || !state.limit.admits(Instant::now()) {
            return Asked::Refused;
        }
        // What has just become free belongs to those who wait already.
        let is_next = turn == Turn::First || state.waiting.is_empty();
        let place = if is_next { self.take(&mut state, &mut dead) } else { None };
        if let Some(place) = place {
            drop(state);
            return Asked::Now(place);
        }
        let (sender, receiver) = oneshot::channel();
        match turn {
            Turn::Last => state.waiting.push_back(sender),
            Turn::First => state.waiting.push_front(sender),
        }
        drop(state);
        if !is_next {
            // Those before it may all have left.
            self.serve();
        }
        Asked::Later(receiver)
    }

    /// A free connection that is still there, or the right to make one. What is found dead goes to `dead`, to be closed
    /// without the lock.
    fn take(self: &Arc<Self>, state: &mut State, dead: &mut Vec<Link>) -> Option<Place> {
        let waker = self.waker();
        while let Some(mut link) = state.free.pop() {
            if link.is_usable(&waker, &self.log) {
                link.forget_waker();
                return Some(Place::new(self, Some(link)));
            }
            state.open = state.open.saturating_sub(1);
            dead.push(link);
        }
        if state.open >= state.limit.now() {
            return None;
        }
        state.open += 1;
        Some(Place::new(self, None))
    }

    /// Gives what is free to those who wait, the first first.
    fn serve(self: &Arc<Self>) {
        loop {
            let mut dead = Vec::new();
            let (place, waiter) = {
                let mut state = self.state();
                while state.waiting.front().is_some_and(oneshot::Sender::is_closed) {
                    state.waiting.pop_front();
                }
                if state.waiting.is_empty() {
                    return;
                }
                let Some(place) = self.take(&mut state, &mut dead) else { return };
                (place, state.waiting.pop_front())
            };
            if let Some(waiter) = waiter
                && let Err(mut place) = waiter.send(place)
            {
                // It has just left. Its drop would come here again, as deep as there are some like it.
                place.given = true;
                self.put_back(place.link.take());
            }
        }
    }

    /// Takes back a connection, or the place of one that is gone.
    fn put_back(&self, mut link: Option<Link>) {
        let usable = link.as_mut().is_some_and(|link| link.is_usable(&self.waker(), &self.log));
        let mut state = self.state();
        state.used = Instant::now();
        if usable && !state.closed && state.open <= state.limit.now() {
            state.free.extend(link);
        } else {
            state.open = state.open.saturating_sub(1);
            // Closed without the lock.
            drop(state);
            drop(link);
        }
    }

    /// How long no connection has been in use; `None` while one is, or a request waits for one.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        let state = self.state();
        let is_used = state.open as usize > state.free.len() || !state.waiting.is_empty();
        (!is_used).then(|| state.used.elapsed())
    }

    /// Whether more than two connections in five are in use.
    pub(super) fn is_busy(&self) -> bool {
        let state = self.state();
        let in_use = state.open.saturating_sub(u32::try_from(state.free.len()).unwrap_or(u32::MAX));
        u64::from(in_use) * 5 > u64::from(state.limit.configured()) * 2
    }

    /// Connections there are, in use or free.
    pub(super) fn open(&self) -> u32 {
        self.state().open
    }

    /// A new connection broke the protocol. Where none is left, those who wait are turned away.
    pub(super) fn lower(&self) -> Fall {
        let mut state = self.state();
        let fall = state.limit.lower(Instant::now());
        if fall.limit == 0 {
            state.waiting.clear();
        }
        fall
    }

    /// Closes the free connections.
    pub(super) fn drop_free(self: &Arc<Self>) {
        self.remove(|_| true);
    }

    /// Turns away who waits, and closes what is free, for good.
    pub(super) fn close(self: &Arc<Self>) {
        {
            let mut state = self.state();
            state.closed = true;
            state.waiting.clear();
        }
        self.drop_free();
    }

    fn remove(self: &Arc<Self>, mut is_over: impl FnMut(&mut Link) -> bool) {
        let over: Vec<Link> = {
            let mut state = self.state();
            let over: Vec<_> = state.free.extract_if(.., |link| is_over(link)).collect();
            state.open = state.open.saturating_sub(u32::try_from(over.len()).unwrap_or(u32::MAX));
            over
        };
        if !over.is_empty() {
            drop(over);
            self.serve();
        }
    }

    /// What rings when an idle connection has something to say.
    pub(super) fn alarm(&self) -> Arc<Alarm> {
        Arc::clone(&self.alarm)
    }

    /// Removes free connections the application has closed or spoilt.
    pub(super) fn sweep(self: &Arc<Self>) {
        let waker = self.waker();
        self.remove(|link| !link.is_usable(&waker, &self.log));
    }

    /// What is done once a second: connections that were idle longer than `keep_alive` are closed, and a lowered limit
    /// rises while requests wait.
    pub(super) fn tick(self: &Arc<Self>, keep_alive: Option<Duration>) {
        let now = Instant::now();
        if let Some(keep_alive) = keep_alive {
            self.remove(|link| now.saturating_duration_since(link.idle_since) > keep_alive);
        }
        let raised = {
            let mut state = self.state();
            !state.waiting.is_empty() && state.limit.raise(now)
        };
        if raised {
            self.serve();
        }
    }
}

impl Place {
    fn new(pool: &Arc<Pool>, link: Option<Link>) -> Self {
        Self { pool: Arc::clone(pool), link, given: false }
    }

    /// The free connection that came with it.
    pub(super) const fn take_link(&mut self) -> Option<Link> {
        self.link.take()
    }

    /// Whether it still counts: the limit may have been lowered below it.
    pub(super) fn is_within_limit(&self) -> bool {
        let mut state = self.pool.state();
        !state.closed && state.limit.admits(Instant::now()) && state.open <= state.limit.now()
    }

    /// Puts a connection that can take the next request back.
    pub(super) fn recycle(mut self, mut link: Link) {
        link.idle_since = Instant::now();
        self.link = Some(link);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.given {
            self.pool.put_back(self.link.take());
            self.pool.serve();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::connection::Socket;

    fn pool(max_conns: u32) -> Arc<Pool> {
        Pool::new(ConnLimit::new(max_conns, Duration::from_secs(10)), ServerLog::silent())
    }

    fn link(name: &str) -> (Link, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Link::new(Socket::new(ours.into()).unwrap(), name.into(), None), theirs)
    }

    #[track_caller]
    fn now(asked: Asked) -> Place {
        match asked {
            Asked::Now(place) => place,
            other => panic!("no place at once: {other:?}"),
        }
    }

    #[track_caller]
    fn later(asked: Asked) -> oneshot::Receiver<Place> {
        match asked {
            Asked::Later(place) => place,
            other => panic!("a place at once: {other:?}"),
        }
    }

    fn name(place: &Place) -> Option<&str> {
        place.link.as_ref().map(|link| &*link.address)
    }

    #[tokio::test]
    async fn the_connection_used_last_is_used_next() {
        let pool = pool(2);
        let (first, second) = (now(pool.ask(Turn::Last)), now(pool.ask(Turn::Last)));
        let ((a, _a), (b, _b)) = (link("a"), link("b"));
        first.recycle(a);
        second.recycle(b);
        let (first, second) = (now(pool.ask(Turn::Last)), now(pool.ask(Turn::Last)));
        assert_eq!((name(&first), name(&second)), (Some("b"), Some("a")));
    }

    #[tokio::test]
    async fn who_waits_gets_the_recycled_connection_first_come_first_served() {
        let pool = pool(1);
        let place = now(pool.ask(Turn::Last));
        let (mut first, mut second) = (later(pool.ask(Turn::Last)), later(pool.ask(Turn::Last)));
        let mut again = later(pool.ask(Turn::First));
        let (a, _a) = link("a");
        place.recycle(a);
        for waiting in [&mut again, &mut first, &mut second] {
            // At once, and nobody else in between.
            let mut place = waiting.try_recv().unwrap();
            assert_eq!(name(&place), Some("a"));
            let link = place.take_link().unwrap();
            place.recycle(link);
        }
        assert_eq!(name(&now(pool.ask(Turn::Last))), Some("a"));
    }

    #[tokio::test]
    async fn nobody_overtakes_who_waits() {
        let pool = pool(1);
        let place = now(pool.ask(Turn::Last));
        let (mut first, left) = (later(pool.ask(Turn::Last)), later(pool.ask(Turn::Last)));
        // The moment in which the place is free, and those who wait are not told yet.
        pool.put_back(None);
        let mut second = later(pool.ask(Turn::Last));
        let first = first.try_recv().unwrap();
        assert!(second.try_recv().is_err());
        drop((first, left));
        assert!(second.try_recv().is_ok());
        // Its place was given back already.
        std::mem::forget(place);
    }

    #[tokio::test]
    async fn a_place_without_a_connection_goes_to_the_next_too() {
        let pool = pool(1);
        let place = now(pool.ask(Turn::Last));
        let mut waiting = later(pool.ask(Turn::Last));
        drop(place);
        assert_eq!(name(&waiting.try_recv().unwrap()), None);
        assert_eq!(pool.open(), 0);
    }

    #[tokio::test]
    async fn waiters_that_leave_lose_neither_a_place_nor_a_connection() {
        let pool = pool(1);
        let place = now(pool.ask(Turn::Last));
        let leavers: Vec<_> = (0..10_000).map(|_| later(pool.ask(Turn::Last))).collect();
        // One leaves with what it was given in its hands.
        let holder = later(pool.ask(Turn::First));
        let mut last = later(pool.ask(Turn::Last));
        let (a, _a) = link("a");
        place.recycle(a);
        drop(leavers);
        drop(holder);
        assert_eq!(name(&last.try_recv().unwrap()), Some("a"));
    }

    #[tokio::test]
    async fn connections_the_application_left_or_spoilt_are_not_used() {
        let pool = pool(4);
        let garbage = b"HTTP/1.1 200 OK\r\n\r\n";
        let conn_close = b"LS\x08\x00\x08\x00\x00\x00";
        let late = b"LS\x06\x00\x0c\x00\x00\x00late";
        let places: Vec<_> = (0..4).map(|_| now(pool.ask(Turn::Last))).collect();
        let (links, mut ends): (Vec<_>, Vec<_>) =
            ["gone", "garbage", "conn_close", "late"].into_iter().map(link).unzip();
        for (place, link) in places.into_iter().zip(links) {
            place.recycle(link);
        }
        ends[3].write_all(late).unwrap();
        ends[2].write_all(conn_close).unwrap();
        ends[1].write_all(garbage).unwrap();
        ends.remove(0);
        let alarm = pool.alarm();
        while pool.open() > 1 {
            alarm.ringing().await;
            pool.sweep();
        }
        let late = now(pool.ask(Turn::Last));
        assert_eq!((name(&late), name(&now(pool.ask(Turn::Last)))), (Some("late"), None));
    }

    #[tokio::test]
    async fn idle_connections_are_closed_after_the_keep_alive_time() {
        let pool = pool(1);
        let (mut a, end) = link("a");
        now(pool.ask(Turn::Last)).recycle(a);
        pool.tick(Some(Duration::from_secs(60)));
        assert_eq!(pool.open(), 1);
        pool.tick(None);
        assert_eq!(pool.open(), 1);
        let mut place = now(pool.ask(Turn::Last));
        a = place.take_link().unwrap();
        place.recycle(a);
        tokio::time::sleep(Duration::from_millis(2)).await;
        pool.tick(Some(Duration::from_millis(1)));
        assert_eq!(pool.open(), 0);
        assert_eq!(std::io::Read::read(&mut &end, &mut [0]).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_lowered_limit_closes_what_is_too_much_and_turns_all_away_at_none() {
        let pool = pool(2);
        let (first, second) = (now(pool.ask(Turn::Last)), now(pool.ask(Turn::Last)));
        let waiting = later(pool.ask(Turn::Last));
        assert_eq!(pool.lower().limit, 1);
        assert!(!first.is_within_limit());
        let (a, _a) = link("a");
        first.recycle(a);
        assert_eq!(pool.open(), 1, "the connection was closed, and nobody got its place");
        assert!(second.is_within_limit());
        assert_eq!(pool.lower().limit, 0);
        assert!(waiting.await.is_err());
        assert!(matches!(pool.ask(Turn::Last), Asked::Refused));
    }

    #[tokio::test]
    async fn a_limit_that_rises_lets_the_next_in() {
        let pool = pool(2);
        let long_ago = Instant::now().checked_sub(Duration::from_secs(20)).unwrap();
        pool.state().limit.lower(long_ago);
        let _first = now(pool.ask(Turn::Last));
        let mut waiting = later(pool.ask(Turn::Last));
        pool.tick(None);
        assert!(waiting.try_recv().is_ok());
    }
}
