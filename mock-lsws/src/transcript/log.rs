//! Collecting entries, from several connections at once.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::entry::{Entry, Event};

/// Payload kept in full. What comes after is kept in its first bytes only: an application that never stops sending
/// must not fill the memory.
const KEEP: usize = 64 << 20;

/// Bytes kept of an entry beyond that: enough for a packet header and an idea of what follows.
const KEEP_AFTER: usize = 64;

/// Entries of connections that are kept. What comes after is only counted: packets of eight bytes fill the memory too.
const MOST: usize = 500_000;

/// A list of entries that all connections of an exchange write into. Clones share it.
#[derive(Clone)]
pub struct Transcript {
    shared: Arc<Shared>,
}

struct Shared {
    start: Instant,
    state: Mutex<State>,
    observer: Option<Observer>,
}

type Observer = Box<dyn Fn(&Entry) + Send + Sync>;

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    connections: u32,
    kept: usize,
    left_out: usize,
}

impl Transcript {
    /// An empty one; its time starts now.
    #[must_use]
    pub fn new() -> Self {
        Self::with(None)
    }

    /// One that calls `observer` with each entry as it happens, and keeps none: an exchange of any length takes no memory.
    #[must_use]
    pub fn observed(observer: impl Fn(&Entry) + Send + Sync + 'static) -> Self {
        Self::with(Some(Box::new(observer)))
    }

    fn with(observer: Option<Observer>) -> Self {
        let shared = Shared { start: Instant::now(), state: Mutex::default(), observer };
        Self { shared: Arc::new(shared) }
    }

    /// Time since its start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.shared.start.elapsed()
    }

    /// The entries so far, in order. Of a transcript that has become too long the last says how many are missing.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let state = self.state();
        let mut entries = state.entries.clone();
        if state.left_out > 0 {
            let text = format!("{} more entries are not kept", state.left_out);
            entries.push(Entry { at: self.elapsed(), connection: 0, event: Event::Note(text) });
        }
        entries
    }

    /// Adds a remark that belongs to no connection: a process started, a signal was sent.
    pub fn note(&self, text: impl Into<String>) {
        self.add(0, Event::Note(text.into()));
    }

    /// Leaves out what happened on `connection` from `since` on, a time on this transcript's clock: something that is
    /// repeated often and went well would only hide what did not.
    pub fn forget(&self, connection: u32, since: Duration) {
        let mut state = self.state();
        let from = state.entries.partition_point(|entry| entry.at < since);
        let mut later = state.entries.split_off(from);
        later.retain(|entry| entry.connection != connection);
        state.entries.append(&mut later);
    }

    /// Begins a connection and returns its number.
    pub(crate) fn open(&self, address: &str) -> u32 {
        let number = {
            let mut state = self.state();
            state.connections += 1;
            state.connections
        };
        self.add(number, Event::Opened { address: address.to_owned() });
        number
    }

    pub(crate) fn add(&self, connection: u32, event: Event) {
        let entry = {
            let mut state = self.state();
            // With the lock held, so that entries are in the order of their times.
            let at = self.elapsed();
            if self.shared.observer.is_none() {
                state.keep(at, connection, event);
                return;
            }
            Entry { at, connection, event }
        };
        // Outside the lock: an observer may look at the transcript.
        if let Some(observer) = &self.shared.observer {
            observer(&entry);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, at: Duration, connection: u32, mut event: Event) {
        if let Some(bytes) = event.bytes_mut() {
            if self.kept >= KEEP && bytes.kept.len() > KEEP_AFTER {
                bytes.omitted += bytes.kept.len() - KEEP_AFTER;
                bytes.kept = bytes.kept.iter().take(KEEP_AFTER).copied().collect();
            }
            self.kept += bytes.kept.len();
        }
        // Remarks are few, and what they say about the end of a process is wanted.
        if self.entries.len() < MOST || connection == 0 {
            self.entries.push(Entry { at, connection, event });
        } else {
            self.left_out += 1;
        }
    }
}

impl Default for Transcript {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.state().entries).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_transcript_keeps_the_start_of_each_entry() {
        let transcript = Transcript::new();
        transcript.state().kept = KEEP;
        transcript.add(1, Event::Received { bytes: vec![7; 1000].into() });
        let entries = transcript.entries();
        let bytes = entries[0].event.bytes().unwrap();
        assert_eq!((bytes.kept().len(), bytes.omitted(), bytes.len()), (KEEP_AFTER, 1000 - KEEP_AFTER, 1000));
    }

    #[test]
    fn a_transcript_without_end_is_cut_and_says_so() {
        let transcript = Transcript::new();
        for _ in 0..MOST + 2 {
            transcript.add(1, Event::HalfClosed);
        }
        transcript.note("the end");
        let entries = transcript.entries();
        assert_eq!(entries.len(), MOST + 2);
        let texts: Vec<_> = entries[MOST..].iter().map(|entry| format!("{:?}", entry.event)).collect();
        assert!(
            texts[0].contains("the end") && texts[1].contains("2 more entries are not kept"),
            "{texts:?}"
        );
    }

    #[test]
    fn what_is_forgotten_leaves_the_rest_in_its_order() {
        let transcript = Transcript::new();
        let (one, other) = (transcript.open("one"), transcript.open("other"));
        let since = transcript.elapsed();
        transcript.add(one, Event::HalfClosed);
        transcript.add(other, Event::HalfClosed);
        transcript.add(one, Event::HalfClosed);
        transcript.forget(one, since);
        transcript.note("after");
        let connections: Vec<_> = transcript.entries().iter().map(|entry| entry.connection).collect();
        assert_eq!(connections, [one, other, other, 0]);
    }

    #[test]
    fn observers_see_entries_as_they_happen() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let transcript = Transcript::observed(move |entry| sink.lock().unwrap().push(entry.connection));
        assert_eq!(transcript.open("here"), 1);
        assert_eq!(transcript.open("there"), 2);
        transcript.note("done");
        assert_eq!(*seen.lock().unwrap(), [1, 2, 0]);
        assert!(transcript.entries().is_empty(), "who sees them keeps them");
    }
}
