//! Settings that are times.

use std::time::Duration;

use super::kind::{Kind, Shown};

/// Longest time there is, in seconds: 136 years, so that adding it to a point in time is always possible. More is the same.
const LONGEST: f64 = u32::MAX as f64;

/// A time above 0, in seconds.
pub(crate) struct Seconds;

impl Kind for Seconds {
    type Value = Duration;

    fn parse(&self, text: &str) -> Option<Duration> {
        seconds(text).filter(|time| !time.is_zero())
    }

    fn expects(&self) -> String {
        "a number of seconds above 0, such as 10 or 0.5".to_owned()
    }

    fn show(&self, value: &Duration) -> Shown {
        show_seconds(*value)
    }

    fn placeholder(&self) -> &'static str {
        "SECONDS"
    }
}

/// A time in seconds after which something ends; 0: never.
pub(crate) struct Limit {
    /// Less than 0 means 0, and is no mistake.
    pub(super) negative: bool,
}

impl Kind for Limit {
    type Value = Option<Duration>;

    fn parse(&self, text: &str) -> Option<Self::Value> {
        let below = || text.parse::<i64>().ok().filter(|&number| self.negative && number < 0);
        seconds(text)
            .or_else(|| below().map(|_| Duration::ZERO))
            .map(|time| Some(time).filter(|time| !time.is_zero()))
    }

    fn expects(&self) -> String {
        "a number of seconds, such as 300 or 0.5, or 0 for no limit".to_owned()
    }

    fn show(&self, value: &Self::Value) -> Shown {
        value.map_or(Shown::none("no limit"), show_seconds)
    }

    fn placeholder(&self) -> &'static str {
        "SECONDS"
    }
}

/// A time in milliseconds; 0: off.
pub(crate) struct Milliseconds;

impl Kind for Milliseconds {
    type Value = Option<Duration>;

    fn parse(&self, text: &str) -> Option<Self::Value> {
        let number: u32 = text.parse().ok()?;
        Some(Some(Duration::from_millis(number.into())).filter(|time| !time.is_zero()))
    }

    fn expects(&self) -> String {
        "a whole number of milliseconds, or 0 for off".to_owned()
    }

    fn show(&self, value: &Self::Value) -> Shown {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        value.map_or(Shown::none("off"), |time| Shown::number(millis(time), "ms"))
    }

    fn placeholder(&self) -> &'static str {
        "MS"
    }
}

/// A number of seconds, with a fraction or without.
fn seconds(text: &str) -> Option<Duration> {
    // No signs, exponents or words: what a person would write.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = text.parse().ok().filter(|_| plain)?;
    Duration::try_from_secs_f64(seconds.min(LONGEST)).ok()
}

fn show_seconds(time: Duration) -> Shown {
    if time.subsec_nanos() == 0 {
        Shown::number(time.as_secs(), "s")
    } else {
        Shown::number(time.as_secs_f64(), "s")
    }
}
