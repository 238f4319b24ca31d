//! What passes on a connection, written into the transcript of the exchange that uses it.

use lsapi::DecodeError;

use crate::packet::Packet;
use crate::transcript::{Bytes, Event, SentKind, Transcript};

/// One connection as one exchange sees it. Without a transcript it does nothing.
#[derive(Debug, Default)]
pub(super) struct Tap {
    transcript: Option<(Transcript, u32)>,
    /// Bytes of a packet that is not whole yet.
    partial: Vec<u8>,
    /// Bytes came that are no packet: where the next one would begin is not known.
    lost: bool,
}

impl Tap {
    /// Begins with a connection to `address`.
    pub(super) fn open(transcript: Option<&Transcript>, address: &str) -> Self {
        let transcript = transcript.map(|transcript| (transcript.clone(), transcript.open(address)));
        Self { transcript, ..Self::default() }
    }

    fn add(&self, event: impl FnOnce() -> Event) {
        if let Some((transcript, number)) = &self.transcript {
            transcript.add(*number, event());
        }
    }

    /// Bytes were taken by the socket, in two pieces.
    pub(super) fn sent(&self, kind: SentKind, first: &[u8], second: &[u8]) {
        self.add(|| Event::Sent { kind, bytes: [first, second].concat().into() });
    }

    /// A write failed.
    pub(super) fn send_failed(&self, reason: &std::io::Error) {
        self.add(|| Event::SendFailed { reason: reason.to_string() });
    }

    /// Bytes arrived.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        let Some((transcript, number)) = &self.transcript else { return };
        if self.lost {
            return;
        }
        self.partial.extend_from_slice(bytes);
        let mut used = 0;
        while let Some(rest) = self.partial.get(used..).filter(|rest| !rest.is_empty()) {
            match Packet::take(rest, transcript.elapsed()) {
                Ok(packet) => {
                    used += packet.bytes().len();
                    transcript.add(*number, Event::Received { bytes: packet.bytes().to_vec().into() });
                }
                Err(DecodeError::Incomplete { .. }) => break,
                Err(DecodeError::Invalid(invalid)) => {
                    let event = Event::Invalid { reason: invalid.to_string(), bytes: rest.to_vec().into() };
                    transcript.add(*number, event);
                    used = self.partial.len();
                    self.lost = true;
                }
            }
        }
        self.partial.drain(..used);
    }

    /// The application ended the connection.
    pub(super) fn ended(&mut self, reset: bool) {
        let partial = Bytes::from(std::mem::take(&mut self.partial));
        self.add(|| if reset { Event::Reset { partial } } else { Event::Eof { partial } });
    }

    /// The server closed it.
    pub(super) fn closed(&self) {
        self.add(|| Event::Closed { reset: false });
    }
}
