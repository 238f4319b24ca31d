//! A response of the runtime's own: a status and a line of plain text.

use crate::log;
use crate::worker::exchange::{Detach, Exchange};
use crate::worker::outbound::{End, Lost, Outbound};

/// What is answered when the application cannot answer.
pub const INTERNAL_ERROR: &[u8] = b"500 Internal Server Error\n";

/// What is answered to whoever asks whether a process is there.
pub(crate) const PONG: &[u8] = b"pong\n";

/// Answers the request under way on `exchange` with `status` and `text`, as far as there is anybody to answer.
pub fn answer<D: Detach>(gil: &D, exchange: &Exchange, status: u16, text: &[u8]) {
    let end = exchange.end();
    if send(gil, &mut exchange.outbound(gil), status, text, end).is_err() {
        log::debug(format_args!("the client or the server is gone; nobody will read that"));
    }
}

/// Answers with `status` and `text`, in the place of whatever has been started and not been sent.
///
/// # Errors
/// [`Lost`] when there is nobody to answer any more.
pub fn send<D: Detach>(
    gil: &D,
    outbound: &mut Outbound,
    status: u16,
    text: &[u8],
    end: End,
) -> Result<(), Lost> {
    let mut head = outbound.restart();
    let pushed = head.push(b"Content-Type", b"text/plain; charset=utf-8");
    debug_assert!(pushed.is_ok(), "a single short header fits");
    outbound.start(status, head, None);
    outbound.declare_length(text.len() as u64);
    outbound.write(gil, text, end)
}
