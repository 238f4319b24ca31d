//! A head the server does not take.

/// A head that is refused, and with what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {reason}")]
pub(crate) struct Refusal {
    /// 400, 414, 431, 501 or 505.
    pub(crate) status: u16,
    /// Why, for the log.
    pub(crate) reason: &'static str,
}

impl Refusal {
    pub(super) const fn new(status: u16, reason: &'static str) -> Self {
        Self { status, reason }
    }

    pub(super) const fn bad(reason: &'static str) -> Self {
        Self::new(400, reason)
    }
}
