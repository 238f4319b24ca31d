//! Settings that are numbers: how many of something, and LSAPI_AVOID_FORK, which is a number of several kinds.

use std::ffi::OsStr;
use std::ops::RangeInclusive;

use super::kind::{Kind, Shown};

/// From here on LSAPI_AVOID_FORK is a size, in bytes (lsapi 2.3).
const LEAST_SIZE: u64 = 10 << 20;

/// A whole number.
pub(crate) struct Count {
    pub(super) range: RangeInclusive<u64>,
    /// What it counts, if its name does not say.
    pub(super) unit: &'static str,
    /// More in a variable means the most there is, and not the default.
    pub(super) clamps: bool,
}

impl Kind for Count {
    type Value = u64;

    fn parse(&self, text: &str) -> Option<u64> {
        text.parse().ok().filter(|number| self.range.contains(number))
    }

    fn clamp(&self, text: &OsStr) -> Option<u64> {
        let text = text.to_str().map(str::trim).filter(|_| self.clamps)?;
        // Digits that are too many for a number are too much as well.
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && text.parse().map_or(true, |number: u64| number > *self.range.end()))
            .then(|| *self.range.end())
    }

    fn expects(&self) -> String {
        format!("a whole number from {} to {}", self.range.start(), self.range.end())
    }

    fn show(&self, value: &u64) -> Shown {
        Shown::number(*value, self.unit)
    }

    fn placeholder(&self) -> &'static str {
        if self.unit == "bytes" { "BYTES" } else { "N" }
    }
}

/// A number that turns something off when it is negative.
pub(crate) struct Busy;

impl Kind for Busy {
    type Value = Option<u64>;

    fn parse(&self, text: &str) -> Option<Option<u64>> {
        let number: i64 = text.parse().ok()?;
        Some(u64::try_from(number).ok())
    }

    fn expects(&self) -> String {
        "a whole number, or -1 for no limit".to_owned()
    }

    fn show(&self, value: &Option<u64>) -> Shown {
        value.map_or(Shown::none("no limit"), |number| Shown::number(number, ""))
    }

    fn placeholder(&self) -> &'static str {
        "N"
    }
}

/// The number of a user or group that is not root's.
pub(crate) struct Id {
    /// Whose it is otherwise.
    pub(super) none: &'static str,
}

impl Kind for Id {
    type Value = Option<u32>;

    fn parse(&self, text: &str) -> Option<Option<u32>> {
        // The largest stands for no id.
        Some(Some(text.parse().ok().filter(|id| (1..u32::MAX).contains(id))?))
    }

    fn expects(&self) -> String {
        format!("a number from 1 to {}", u32::MAX - 1)
    }

    fn show(&self, value: &Option<u32>) -> Shown {
        value.map_or(Shown::none(self.none), |id| Shown::number(id, ""))
    }

    fn placeholder(&self) -> &'static str {
        "N"
    }
}

/// Whether forks are avoided, and the memory that has to be free for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Avoid {
    Off,
    On,
    /// With this many bytes free.
    Below(u64),
}

/// LSAPI_AVOID_FORK: a flag that may be a size.
pub(crate) struct AvoidFork;

impl Kind for AvoidFork {
    type Value = Avoid;

    fn parse(&self, text: &str) -> Option<Avoid> {
        Some(match parse_size(text)? {
            0 => Avoid::Off,
            1..LEAST_SIZE => Avoid::On,
            bytes => Avoid::Below(bytes),
        })
    }

    fn expects(&self) -> String {
        "0, 1 or a size such as 512M or 2G".to_owned()
    }

    fn show(&self, value: &Avoid) -> Shown {
        match value {
            Avoid::Off => Shown::word("no"),
            Avoid::On => Shown::word("yes"),
            Avoid::Below(bytes) => Shown::number(*bytes, "bytes"),
        }
    }

    fn placeholder(&self) -> &'static str {
        "0|1|SIZE"
    }
}

/// Bytes in `text`, a number that K, M or G may follow.
fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' | b'k' => (&text[..text.len() - 1], 10),
        b'M' | b'm' => (&text[..text.len() - 1], 20),
        b'G' | b'g' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// An amount of memory, or no limit.
pub(crate) struct Size;

impl Kind for Size {
    type Value = Option<u64>;

    fn parse(&self, text: &str) -> Option<Option<u64>> {
        Some(Some(parse_size(text)?).filter(|&bytes| bytes > 0))
    }

    fn expects(&self) -> String {
        "a size such as 512M or 2G, or 0 for no limit".to_owned()
    }

    fn show(&self, value: &Option<u64>) -> Shown {
        value.map_or(Shown::none("no limit"), |bytes| Shown::number(bytes, "bytes"))
    }

    fn placeholder(&self) -> &'static str {
        "SIZE"
    }
}
