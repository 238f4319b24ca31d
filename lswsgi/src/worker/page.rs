//! A response of the runtime's own: a status and a line of plain text.

use crate::worker::exchange::Detach;
use crate::worker::outbound::{End, Lost, Outbound};

/// What is answered when the application cannot answer.
pub const INTERNAL_ERROR: &[u8] = b"500 Internal Server Error\n";

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
