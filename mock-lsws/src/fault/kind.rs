//! One fault, and how it is written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::config::parse_size;

/// What happens to the bytes of one direction. Positions are counted from 0 at the beginning of the connection, over all
/// requests on it.
///
/// ```
/// use std::time::Duration;
/// use mock_lsws::fault::Fault;
///
/// let fault: Fault = "latency=20ms~5ms".parse()?;
/// assert_eq!(fault, Fault::Latency { time: Duration::from_millis(20), jitter: Duration::from_millis(5) });
/// assert_eq!("cut=100".parse::<Fault>()?.to_string(), "cut=100");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// `latency=20ms~5ms`: each piece arrives later by this time, give or take the jitter. Order is kept.
    Latency {
        /// The time.
        time: Duration,
        /// By how much it varies, no more than the time itself.
        jitter: Duration,
    },
    /// `bandwidth=64K`: no more than this many bytes a second.
    Bandwidth {
        /// Bytes a second, at least 1.
        rate: u64,
    },
    /// `slice=7`: in writes of this many bytes at most.
    Slice {
        /// Bytes, at least 1.
        size: usize,
    },
    /// `cut=100`: after this many bytes the connection is closed, in both directions.
    Cut {
        /// Bytes that still arrive.
        after: u64,
    },
    /// `reset=100`: after this many bytes whoever gets them sees a reset of the connection (ECONNRESET), and may lose what of
    /// them is not read yet. Over a Unix socket it is one for an application that has sent something; for one that has not,
    /// or does not within a second, it is a close.
    Reset {
        /// Bytes that still arrive.
        after: u64,
    },
    /// `half-close=100`: after this many bytes whoever gets them sees the end. The rest is dropped, the other direction goes
    /// on.
    HalfClose {
        /// Bytes that still arrive.
        after: u64,
    },
    /// `never-read=100`: after this many bytes nothing more is taken from whoever sends them, and nothing arrives.
    NeverRead {
        /// Bytes that still arrive.
        after: u64,
    },
    /// `corrupt=12` or `corrupt=12^80`: the byte at this position is another one.
    Corrupt {
        /// Its position.
        at: u64,
        /// The bits that change, hexadecimal; 01 if nothing is said, never 00.
        xor: u8,
    },
    /// `duplicate=2` or `duplicate=*`: this packet, counted from 1, comes twice; `*` is every packet. The body of a request,
    /// which is in no packet, does not.
    Duplicate {
        /// Which one; `None` is every one.
        number: Option<u64>,
    },
}

/// Names, with the values they take as people are told them.
const KINDS: [(&str, &str); 9] = [
    ("latency", "20ms, or 20ms~5ms with jitter"),
    ("bandwidth", "bytes a second, 64K for example"),
    ("slice", "bytes a write, 7 for example"),
    ("cut", "bytes that still arrive, 100 for example"),
    ("reset", "bytes that still arrive, 100 for example"),
    ("half-close", "bytes that still arrive, 100 for example"),
    ("never-read", "bytes that still arrive, 100 for example"),
    ("corrupt", "the position of a byte, 12, or 12^80 with the bits that change in hexadecimal"),
    ("duplicate", "the number of a packet from 1, or * for every packet"),
];

impl Fault {
    /// The word it is written with.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Bandwidth { .. } => "bandwidth",
            Self::Slice { .. } => "slice",
            Self::Cut { .. } => "cut",
            Self::Reset { .. } => "reset",
            Self::HalfClose { .. } => "half-close",
            Self::NeverRead { .. } => "never-read",
            Self::Corrupt { .. } => "corrupt",
            Self::Duplicate { .. } => "duplicate",
        }
    }

    fn parse(name: &str, value: &str) -> Option<Self> {
        let bytes = || parse_size(value);
        Some(match name {
            "latency" => {
                let (time, jitter) = value.split_once('~').unwrap_or((value, "0ms"));
                let (time, jitter) = (parse_time(time)?, parse_time(jitter)?);
                return (jitter <= time).then_some(Self::Latency { time, jitter });
            }
            "bandwidth" => Self::Bandwidth { rate: bytes().filter(|rate| *rate > 0)? },
            "slice" => Self::Slice { size: value.parse().ok().filter(|size| *size > 0)? },
            "cut" => Self::Cut { after: bytes()? },
            "reset" => Self::Reset { after: bytes()? },
            "half-close" => Self::HalfClose { after: bytes()? },
            "never-read" => Self::NeverRead { after: bytes()? },
            "corrupt" => {
                let (at, xor) = value.split_once('^').unwrap_or((value, "01"));
                let xor = u8::from_str_radix(xor, 16).ok().filter(|xor| *xor != 0)?;
                Self::Corrupt { at: at.parse().ok()?, xor }
            }
            "duplicate" if value == "*" => Self::Duplicate { number: None },
            "duplicate" => Self::Duplicate { number: Some(value.parse().ok().filter(|number| *number > 0)?) },
            _ => return None,
        })
    }
}

/// `20ms` or `1.5s`.
fn parse_time(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1e-3),
        None => (text.strip_suffix('s')?, 1.0),
    };
    let seconds: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(seconds * unit).ok().filter(|time| *time <= LONGEST)
}

/// The longest latency there is.
const LONGEST: Duration = Duration::from_secs(600);

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let Some((_, values)) = KINDS.iter().find(|(known, _)| *known == name) else {
            let known = KINDS.map(|(known, _)| known).join(", ");
            return Err(format!("there is no fault `{name}`; there are {known}"));
        };
        Self::parse(name, value).ok_or_else(|| format!("`{name}` takes {values}, not `{value}`"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.name())?;
        match *self {
            Self::Latency { time, jitter } if jitter.is_zero() => write!(f, "{}s", time.as_secs_f64()),
            Self::Latency { time, jitter } => {
                write!(f, "{}s~{}s", time.as_secs_f64(), jitter.as_secs_f64())
            }
            Self::Bandwidth { rate } => write!(f, "{rate}"),
            Self::Slice { size } => write!(f, "{size}"),
            Self::Cut { after }
            | Self::Reset { after }
            | Self::HalfClose { after }
            | Self::NeverRead { after } => write!(f, "{after}"),
            Self::Corrupt { at, xor } => write!(f, "{at}^{xor:02x}"),
            Self::Duplicate { number: Some(number) } => write!(f, "{number}"),
            Self::Duplicate { number: None } => f.write_str("*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_fault() -> impl Strategy<Value = Fault> {
        let time = || (0..=LONGEST.as_micros() as u64).prop_map(Duration::from_micros);
        prop_oneof![
            (time(), time())
                .prop_map(|(one, other)| Fault::Latency { time: one.max(other), jitter: one.min(other) }),
            (1..u64::MAX).prop_map(|rate| Fault::Bandwidth { rate }),
            (1..usize::MAX).prop_map(|size| Fault::Slice { size }),
            any::<u64>().prop_map(|after| Fault::Cut { after }),
            any::<u64>().prop_map(|after| Fault::Reset { after }),
            any::<u64>().prop_map(|after| Fault::HalfClose { after }),
            any::<u64>().prop_map(|after| Fault::NeverRead { after }),
            (any::<u64>(), 1..=u8::MAX).prop_map(|(at, xor)| Fault::Corrupt { at, xor }),
            proptest::option::of(1..u64::MAX).prop_map(|number| Fault::Duplicate { number }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(fault in any_fault()) {
            prop_assert_eq!(fault.to_string().parse::<Fault>(), Ok(fault));
        }

        #[test]
        fn no_text_is_a_panic(text in ".{0,40}", number in "[0-9.~^*KMGms]{0,12}", kind in 0..9_usize) {
            let _ = text.parse::<Fault>();
            let _ = format!("{}={number}", KINDS[kind].0).parse::<Fault>();
        }
    }

    #[test]
    fn values_have_units_where_people_write_them() {
        let cases = [
            ("latency=1.5s", Fault::Latency { time: Duration::from_millis(1500), jitter: Duration::ZERO }),
            ("bandwidth=64K", Fault::Bandwidth { rate: 65536 }),
            ("cut=0", Fault::Cut { after: 0 }),
            ("corrupt=12", Fault::Corrupt { at: 12, xor: 1 }),
            ("corrupt=12^80", Fault::Corrupt { at: 12, xor: 0x80 }),
            ("duplicate=*", Fault::Duplicate { number: None }),
        ];
        for (text, fault) in cases {
            assert_eq!(text.parse(), Ok(fault), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        let cases = [
            ("", "there is no fault ``"),
            ("latncy=1s", "there are latency, bandwidth"),
            ("latency", "20ms~5ms"),
            ("latency=20", "20ms~5ms"),
            ("latency=1ms~2ms", "20ms~5ms"),
            ("latency=1e9s", "20ms~5ms"),
            ("bandwidth=0", "bytes a second"),
            ("slice=0", "bytes a write"),
            ("cut=-1", "bytes that still arrive"),
            ("corrupt=1^00", "bits that change"),
            ("duplicate=0", "from 1"),
        ];
        for (text, said) in cases {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
