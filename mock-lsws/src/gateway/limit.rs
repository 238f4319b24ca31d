//! How many connections an application is trusted with (lsapi 4.3.5).
//!
//! Protocol violations on new connections lower the limit; at none the application is bad for a while. Owns no clock and
//! no connection.

use std::time::Duration;

use tokio::time::Instant;

/// How long after a loss the limit stays where it is, and how often an application is restarted where no retryTimeout
/// is configured.
const QUIET: Duration = Duration::from_secs(10);

/// `maxConns` as it is at the moment.
#[derive(Debug)]
pub(super) struct ConnLimit {
    configured: u32,
    now: u32,
    retry_timeout: Duration,
    /// When it was lowered last.
    lowered: Option<Instant>,
    /// When the application was restarted for it last.
    restarted: Option<Instant>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Working,
    /// Every request is refused until then.
    Bad(Instant),
    /// Started again by the next request.
    NotStarted,
}

/// What a violation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fall {
    /// The new limit.
    pub(super) limit: u32,
    /// What happens to the application.
    pub(super) then: Then,
}

/// What happens to an application that lost a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing: most connections are left.
    Nothing,
    /// It is restarted.
    Restart,
    /// It would be restarted, but that was done a moment ago.
    TooSoon,
}

impl ConnLimit {
    pub(super) const fn new(configured: u32, retry_timeout: Duration) -> Self {
        Self {
            configured,
            now: configured,
            retry_timeout,
            lowered: None,
            restarted: None,
            state: State::Working,
        }
    }

    /// Connections allowed at the moment.
    pub(super) const fn now(&self) -> u32 {
        self.now
    }

    /// `maxConns` as configured.
    pub(super) const fn configured(&self) -> u32 {
        self.configured
    }

    /// A new connection broke the protocol.
    pub(super) fn lower(&mut self, at: Instant) -> Fall {
        self.now = self.now.saturating_sub(1);
        self.lowered = Some(at);
        let mut then = Then::Nothing;
        if self.now.saturating_mul(2) < self.configured {
            let pause = if self.retry_timeout.is_zero() { QUIET } else { self.retry_timeout };
            let soon = self.restarted.is_some_and(|before| at.saturating_duration_since(before) < pause);
            then = if soon { Then::TooSoon } else { Then::Restart };
            if !soon {
                self.restarted = Some(at);
            }
        }
        if self.now == 0 {
            let bad = !self.retry_timeout.is_zero();
            self.state = if bad { State::Bad(at + self.retry_timeout) } else { State::NotStarted };
        }
        Fall { limit: self.now, then }
    }

    /// Whether a request may be sent. One that comes when the bad time is over begins with all connections.
    pub(super) fn admits(&mut self, at: Instant) -> bool {
        match self.state {
            State::Working => return true,
            State::Bad(until) if at < until => return false,
            State::Bad(_) | State::NotStarted => {}
        }
        self.state = State::Working;
        self.now = self.configured;
        true
    }

    /// Called every second while requests wait. True: one more is allowed.
    pub(super) fn raise(&mut self, at: Instant) -> bool {
        let quiet = self.lowered.is_some_and(|lowered| at.saturating_duration_since(lowered) >= QUIET);
        let raise = self.state == State::Working && quiet && self.now < self.configured;
        self.now += u32::from(raise);
        raise
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn below_half_the_application_is_restarted_but_not_over_and_over() {
        let start = Instant::now();
        let mut limit = ConnLimit::new(4, Duration::from_secs(5));
        assert_eq!(limit.lower(start), Fall { limit: 3, then: Then::Nothing });
        assert_eq!(limit.lower(start), Fall { limit: 2, then: Then::Nothing });
        assert_eq!(limit.lower(start), Fall { limit: 1, then: Then::Restart });
        assert_eq!(limit.lower(after(start, 4)), Fall { limit: 0, then: Then::TooSoon });
    }

    #[test]
    fn at_none_it_is_bad_for_the_retry_timeout_and_then_begins_anew() {
        let start = Instant::now();
        let mut limit = ConnLimit::new(1, Duration::from_secs(5));
        assert!(limit.admits(start));
        limit.lower(start);
        assert!(!limit.admits(after(start, 4)));
        assert!(!limit.raise(after(start, 60)), "only a request ends the bad time");
        assert!(limit.admits(after(start, 5)));
        assert_eq!(limit.now(), 1);
    }

    #[test]
    fn without_a_retry_timeout_the_next_request_starts_it_again() {
        let start = Instant::now();
        let mut limit = ConnLimit::new(2, Duration::ZERO);
        assert_eq!(limit.lower(start).then, Then::Nothing);
        assert_eq!(limit.lower(start).then, Then::Restart);
        assert_eq!(limit.now(), 0);
        assert!(limit.admits(start));
        assert_eq!(limit.now(), 2);
    }

    #[test]
    fn it_comes_back_one_at_a_time_after_ten_quiet_seconds() {
        let start = Instant::now();
        let mut limit = ConnLimit::new(4, Duration::from_secs(5));
        limit.lower(start);
        limit.lower(after(start, 3));
        assert!(!limit.raise(after(start, 12)));
        assert!(limit.raise(after(start, 13)));
        assert!(limit.raise(after(start, 14)));
        assert!(!limit.raise(after(start, 15)), "no more than configured");
        assert_eq!(limit.now(), 4);
    }
}
