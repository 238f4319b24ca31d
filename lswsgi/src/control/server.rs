//! All connections to the control socket, and the socket itself from the first try to the last. Nothing here waits: the
//! manager polls, and comes when something has happened or is due.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::geteuid;
use serde::Serialize;

use super::client::{Client, Then};
use super::place::{self, NoPlace};
use super::request::{Answer, Kind, Request};
use super::socket::{ControlSocket, NotOpened};
use crate::log::{self, Level};
use crate::settings::Settings;

/// How often a socket that could not be had is tried again, and one that is there is looked after.
const LOOK: Duration = Duration::from_secs(1);

/// Most connections at the same time. One more takes the place of the oldest that has not asked anything.
const MOST_CLIENTS: usize = 32;

/// A connection, for as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(u64);

/// The control socket and its connections.
#[derive(Debug)]
pub(crate) struct Control<'a> {
    settings: &'a Settings,
    socket: Option<ControlSocket>,
    /// Where it is, or was to be.
    path: PathBuf,
    /// When it is looked after next.
    next_look: Instant,
    /// Another group has it: looking is a reason to wake up.
    is_eager: bool,
    /// Why there is no socket, as it was logged last.
    told: String,
    /// Nothing is accepted before.
    paused_until: Option<Instant>,
    clients: BTreeMap<Id, Client>,
    next_id: u64,
    /// Users that were refused, and logged.
    strangers: BTreeSet<u32>,
    /// Something has happened.
    has_news: bool,
}

impl<'a> Control<'a> {
    /// No socket yet; it comes with [`look_after`](Self::look_after).
    pub(crate) fn new(settings: &'a Settings, now: Instant) -> Self {
        Self {
            settings,
            socket: None,
            path: PathBuf::new(),
            next_look: now,
            is_eager: false,
            told: String::new(),
            paused_until: None,
            clients: BTreeMap::new(),
            next_id: 0,
            strangers: BTreeSet::new(),
            has_news: false,
        }
    }

    /// Makes the socket if it is not there: another group may have had it, its folder may not have been there, or somebody has
    /// cleared that. Looks once a second at most, and by itself only for what another group has.
    pub(crate) fn look_after(&mut self, now: Instant) {
        if now < self.next_look {
            return;
        }
        self.next_look = now + LOOK;
        if let Some(socket) = &self.socket {
            if socket.is_there() {
                return;
            }
            log::warning(format_args!(
                "the control socket {} has gone; making it again",
                self.path.display()
            ));
            self.socket = None;
        }
        match self.open() {
            Ok(()) => self.told.clear(),
            Err((level, why)) if why != self.told => {
                match level {
                    Level::Error => log::error(format_args!("{why}")),
                    _ => log::info(format_args!("{why}")),
                }
                self.told = why;
            }
            Err(_) => {}
        }
    }

    /// Tries to make the socket. Returns why there is none, and how much that matters: what was named and cannot be is a
    /// mistake, and so is something else in its place; a place that is not there by itself is none.
    fn open(&mut self) -> Result<(), (Level, String)> {
        self.is_eager = false;
        let is_named = self.settings.operation.control.is_some();
        self.path = place::find(self.settings).map_err(|why| match why {
            // Said by whoever wanted it so.
            NoPlace::Off => (Level::Info, String::new()),
            why if is_named => {
                (Level::Error, format!("no control socket: {why}; choose another with --control"))
            }
            why => (Level::Info, format!("no control socket: {why}; lswsgi ctl needs one (--control)")),
        })?;
        let socket = ControlSocket::open(&self.path).map_err(|why| {
            self.is_eager = matches!(why, NotOpened::Served);
            let level = if self.is_eager { Level::Info } else { Level::Error };
            (level, format!("no control socket {}: {why}", self.path.display()))
        })?;
        log::info(format_args!("control socket {}", self.path.display()));
        self.socket = Some(socket);
        Ok(())
    }

    /// Lets go of the socket, and of every connection.
    pub(crate) fn close(&mut self) {
        self.socket = None;
        self.clients.clear();
    }

    /// What to wait for.
    pub(crate) fn poll_fds(&self, now: Instant) -> impl Iterator<Item = PollFd<'_>> {
        let listener = self.socket.iter().filter(move |_| !self.is_paused(now));
        let listener = listener.map(|socket| PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN));
        listener.chain(self.clients.values().map(Client::poll_fd))
    }

    /// Something has happened. Takes in what `poll` has found out about [`poll_fds`](Self::poll_fds), given in the same order.
    pub(crate) fn polled(&mut self, now: Instant, results: &[PollFlags]) {
        self.has_news = true;
        let results = results.iter().skip(usize::from(self.socket.is_some() && !self.is_paused(now)));
        for (client, flags) in self.clients.values_mut().zip(results) {
            if flags.intersects(PollFlags::HUP | PollFlags::ERR) {
                client.hung_up();
            }
        }
    }

    /// When to come back at the latest.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let clients = self.clients.values().filter_map(Client::due);
        let paused = self.paused_until.filter(|_| self.socket.is_some() && self.is_paused(now));
        clients.chain(paused).chain(self.is_eager.then_some(self.next_look)).min()
    }

    /// Whether nobody is let in for want of descriptors.
    fn is_paused(&self, now: Instant) -> bool {
        self.paused_until.is_some_and(|until| now < until)
    }

    /// Accepts, reads and writes as far as that is possible at once. Returns the requests that have come whole.
    pub(crate) fn read(&mut self, now: Instant) -> Vec<(Id, Request)> {
        let is_due = self.clients.values().filter_map(Client::due).any(|due| due <= now);
        if !self.has_news && !is_due {
            return Vec::new();
        }
        self.has_news = false;
        let mut requests = Vec::new();
        self.clients.retain(|&id, client| {
            requests.extend(client.advance(now).map(|request| (id, request)));
            !client.is_over()
        });
        // As many as there may be; whoever is still outside then is there the next time.
        for _ in 0..MOST_CLIENTS {
            let oldest = self.clients.iter().find(|(_, client)| client.is_reading()).map(|(&id, _)| id);
            let has_room = self.clients.len() < MOST_CLIENTS || oldest.is_some();
            // Those who will be answered in a moment make room for whoever is still outside.
            if !has_room && !requests.is_empty() {
                self.has_news = true;
                break;
            }
            let Some(stream) = self.accept(now) else { break };
            let refusal = self.stranger(&stream).map(|refusal| (Kind::Peer, refusal)).or_else(|| {
                let message = || format!("{MOST_CLIENTS} others are waiting for answers; try again later");
                (!has_room).then(|| (Kind::Busy, message()))
            });
            let mut client = Client::new(stream, now);
            if let Some((kind, message)) = refusal {
                client.answer(Answer::<()>::refuse(kind, message).encode(), Then::Close, now);
                continue;
            }
            if self.clients.len() >= MOST_CLIENTS {
                oldest.and_then(|oldest| self.clients.remove(&oldest));
            }
            let id = Id(self.next_id);
            self.next_id += 1;
            // Most have sent their request already.
            requests.extend(client.advance(now).map(|request| (id, request)));
            if !client.is_over() {
                self.clients.insert(id, client);
            }
        }
        requests
    }

    /// Whether somebody still waits for this answer.
    pub(crate) fn is_there(&self, id: Id) -> bool {
        self.clients.contains_key(&id)
    }

    /// Answers a request.
    pub(crate) fn answer<T: Serialize>(&mut self, id: Id, answer: &Answer<T>, then: Then, now: Instant) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        client.answer(answer.encode(), then, now);
        if client.is_over() {
            self.clients.remove(&id);
        }
    }

    fn accept(&mut self, now: Instant) -> Option<OwnedFd> {
        if self.is_paused(now) {
            return None;
        }
        match self.socket.as_ref()?.accept() {
            Ok(stream) => Some(stream),
            // The next poll tells of whoever comes after one that has changed its mind.
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => None,
            Err(errno) => {
                log::error(format_args!("cannot accept a control connection: {errno}"));
                self.paused_until = Some(now + LOOK);
                None
            }
        }
    }

    /// Why the peer is not let in, unless it is root or the user of this process. The kernel says who it was when it connected.
    fn stranger(&mut self, stream: &OwnedFd) -> Option<String> {
        let own = geteuid().as_raw();
        // Not rustix's, which has no form for a peer without a pid here, as in another container.
        let peer = match getsockopt(stream, PeerCredentials) {
            Ok(peer) if peer.uid() == 0 || peer.uid() == own => return None,
            Ok(peer) => peer,
            Err(errno) => return Some(format!("nobody can tell who you are: {errno}")),
        };
        let uid = peer.uid();
        let refusal = format!("user {uid} may not do that: only root and user {own} may");
        if self.strangers.insert(uid) {
            log::warning(format_args!(
                "control socket {}: process {} refused: {refusal}",
                self.path.display(),
                peer.pid()
            ));
        }
        Some(refusal)
    }
}

impl Drop for Control<'_> {
    fn drop(&mut self) {
        for client in std::mem::take(&mut self.clients).into_values().filter(Client::is_held) {
            // Who waits for the end of the process waits for that, and not for what it does shortly before.
            std::mem::forget(client);
        }
    }
}
