//! What the server makes of the bytes an application answers with: packet checks, header rules, what the client gets.
//!
//! Owns no socket and no clock: bytes go in, [`Piece`]s come out. When to send again, and on which connection, is the
//! gateway's; how a piece looks in HTTP is the front's.

mod answer;
mod piece;
mod reason;

pub(crate) use answer::{Progress, Reply};
pub(crate) use piece::{Framing, Piece, ReplyHead};
pub(crate) use reason::reason_phrase;
