//! What the server makes of the bytes an application answers with: packet checks, header rules, what the client gets.
//!
//! Owns no socket and no clock: bytes go in, [`Piece`]s come out. When to send again, and on which connection, is the
//! gateway's; how a piece looks in HTTP is the front's.
//!
//! ```text
//! bytes ─ packets (server's own checks) ─ head (header lines, CGI text) ─ answer (over all sends) ─ pieces
//! ```

mod answer;
mod head;
mod packets;
mod piece;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod recorded_tests;
mod status;

pub(crate) use answer::{Progress, Reply};
pub(crate) use piece::{Framing, Piece, ReplyHead};
pub(crate) use status::reason_phrase;
