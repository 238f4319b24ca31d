//! Text the application has written for its error log and that has not left yet.
//!
//! Whole lines leave at once. What is not a line yet waits here, and so does what is written while another thread has the
//! sending side; both leave with the next write. Where they leave to is decided by [`exchange`](super::exchange).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lsapi::limits::MAX_STREAM_PAYLOAD;

/// How much of it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything up to the last end of a line. A line that fills a packet would be cut anyway and is not waited for.
    Lines,
    /// Everything.
    All,
}

/// The text that waits.
#[derive(Debug, Default)]
pub(crate) struct ErrorText {
    text: Mutex<Vec<u8>>,
    /// Whether there is any, so that a response without error text costs no lock.
    waiting: AtomicBool,
}

impl ErrorText {
    /// Adds `text` and returns how many bytes wait now.
    pub(super) fn push(&self, text: &[u8]) -> usize {
        let mut waiting = self.lock();
        waiting.extend_from_slice(text);
        self.waiting.store(!waiting.is_empty(), Ordering::Relaxed);
        waiting.len()
    }

    /// Takes what is to leave now.
    pub(super) fn take(&self, part: Part) -> Vec<u8> {
        if !self.is_waiting() {
            return Vec::new();
        }
        let mut waiting = self.lock();
        let len = match part {
            Part::All => waiting.len(),
            Part::Lines => match waiting.iter().rposition(|&byte| byte == b'\n') {
                Some(at) => at + 1,
                None if waiting.len() >= MAX_STREAM_PAYLOAD => waiting.len(),
                None => 0,
            },
        };
        let rest = waiting.split_off(len);
        self.waiting.store(!rest.is_empty(), Ordering::Relaxed);
        std::mem::replace(&mut *waiting, rest)
    }

    /// Puts back what could not leave, before anything that has come since.
    pub(super) fn put_back(&self, mut text: Vec<u8>) {
        let mut waiting = self.lock();
        text.append(&mut waiting);
        *waiting = text;
        self.waiting.store(!waiting.is_empty(), Ordering::Relaxed);
    }

    /// Whether any text waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        // The text is valid after every statement; a panic elsewhere does not spoil it.
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_leave_whole_and_the_order_is_kept() {
        let text = ErrorText::default();
        assert_eq!(text.push(b"one\ntw"), 6);
        assert_eq!(text.take(Part::Lines), b"one\n");
        assert_eq!(text.take(Part::Lines), b"");
        assert_eq!(text.push(b"o\n"), 4);
        let lost = text.take(Part::Lines);
        text.push(b"three");
        text.put_back(lost);
        assert!(text.is_waiting());
        assert_eq!(text.take(Part::All), b"two\nthree");
        assert!(!text.is_waiting());
        assert_eq!(text.take(Part::All), b"");
    }

    #[test]
    fn a_line_without_end_does_not_grow_without_end() {
        let text = ErrorText::default();
        assert_eq!(text.push(&[b'.'; MAX_STREAM_PAYLOAD - 1]), MAX_STREAM_PAYLOAD - 1);
        assert_eq!(text.take(Part::Lines), b"");
        text.push(b".");
        assert_eq!(text.take(Part::Lines).len(), MAX_STREAM_PAYLOAD);
        assert!(!text.is_waiting());
    }
}
