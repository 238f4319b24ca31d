//! How the value of a setting is read and shown. Leaves names, defaults and where a value comes from to the others.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser as _};
use serde::Serialize;
use serde_json::Value as Json;

/// Longest time that can be given, in seconds: 136 years, so that adding it to a point in time is always possible.
const LONGEST: f64 = u32::MAX as f64;

/// From here on LSAPI_AVOID_FORK is a size, in bytes (lsapi 2.3).
const LEAST_SIZE: u64 = 10 << 20;

/// A value as people and programs are told it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Shown {
    /// A number, a word, or null where there is none.
    value: Json,
    /// What a number counts.
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'static str,
    /// What stands for null where people read.
    #[serde(skip)]
    none: &'static str,
}

impl Shown {
    pub(super) fn number<N: Into<Json>>(number: N, unit: &'static str) -> Self {
        Self { value: number.into(), unit, none: "" }
    }

    pub(super) fn word<W: Into<String>>(word: W) -> Self {
        Self { value: Json::String(word.into()), unit: "", none: "" }
    }

    pub(super) const fn none(none: &'static str) -> Self {
        Self { value: Json::Null, unit: "", none }
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Json::Null => f.write_str(self.none),
            Json::Bool(value) => f.write_str(if *value { "yes" } else { "no" }),
            Json::String(word) => f.write_str(word),
            number if self.unit.is_empty() => write!(f, "{number}"),
            Json::Number(bytes) if self.unit == "bytes" => {
                let bytes = bytes.as_u64().unwrap_or_default();
                let units = [(30, "GiB"), (20, "MiB"), (0, "bytes")];
                let fits = |&&(shift, _): &&(u32, &str)| bytes.trailing_zeros() >= shift || shift == 0;
                let (shift, unit) = units.iter().find(fits).unwrap_or(&(0, "bytes"));
                write!(f, "{} {unit}", bytes >> shift)
            }
            number => write!(f, "{number} {}", self.unit),
        }
    }
}

/// A kind of value.
pub(crate) trait Kind: Send + Sync + Sized + 'static {
    /// What it is in the program.
    type Value: Clone + Send + Sync;

    /// The value that was typed; `None` if it cannot be used.
    fn parse(&self, text: &str) -> Option<Self::Value>;

    /// The same, of any bytes.
    fn parse_bytes(&self, text: &OsStr) -> Option<Self::Value> {
        self.parse(text.to_str()?.trim())
    }

    /// The value in a variable, where older rules may hold.
    fn parse_variable(&self, text: &OsStr) -> Option<Self::Value> {
        self.parse_bytes(text)
    }

    /// The nearest value there is, for a variable whose number is too large.
    fn clamp(&self, _text: &OsStr) -> Option<Self::Value> {
        None
    }

    /// What `parse` takes, after "is not".
    fn expects(&self) -> String;

    /// The value for people and programs.
    fn show(&self, value: &Self::Value) -> Shown;

    /// What stands for the value in help.
    fn placeholder(&self) -> &'static str;

    /// Tells the command line parser about it.
    fn describe(&'static self, arg: clap::Arg) -> clap::Arg {
        let parser = OsStringValueParser::new().try_map(|text| {
            let usable = self.parse_bytes(&text).is_some();
            if usable { Ok(text) } else { Err(format!("not {}", self.expects())) }
        });
        // A negative number is a value that may be wrong, and not an unknown option.
        arg.value_name(self.placeholder()).value_parser(parser).allow_negative_numbers(true)
    }
}

/// A whole number.
pub(crate) struct Count {
    pub(super) range: RangeInclusive<u64>,
    /// What it counts, if its name does not say.
    pub(super) unit: &'static str,
}

impl Kind for Count {
    type Value = u64;

    fn parse(&self, text: &str) -> Option<u64> {
        text.parse().ok().filter(|number| self.range.contains(number))
    }

    fn clamp(&self, text: &OsStr) -> Option<u64> {
        // Too long for a number is too large as well.
        let text = text.to_str()?.trim();
        let number = text.parse::<u128>().ok().filter(|&number| number > (*self.range.end()).into());
        number.map(|_| *self.range.end())
    }

    fn expects(&self) -> String {
        match (self.range.start(), self.range.end()) {
            (0, &u64::MAX) => "a whole number".to_owned(),
            (least, &u64::MAX) => format!("a whole number of at least {least}"),
            (least, most) => format!("a whole number from {least} to {most}"),
        }
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
        let (digits, shift) = match text.as_bytes().last()? {
            b'K' | b'k' => (&text[..text.len() - 1], 10),
            b'M' | b'm' => (&text[..text.len() - 1], 20),
            b'G' | b'g' => (&text[..text.len() - 1], 30),
            _ => (text, 0),
        };
        let bytes = digits.parse::<u64>().ok()?.checked_mul(1 << shift)?;
        Some(match bytes {
            0 => Avoid::Off,
            1..LEAST_SIZE => Avoid::On,
            _ => Avoid::Below(bytes),
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

/// Yes or no.
pub(crate) struct Flag {
    /// A variable means yes by being there, whatever it says. Otherwise it says 0 or 1.
    pub(super) by_presence: bool,
}

impl Kind for Flag {
    type Value = bool;

    fn parse(&self, text: &str) -> Option<bool> {
        match text {
            "yes" => Some(true),
            "no" => Some(false),
            number => number.parse::<i64>().ok().map(|number| number != 0),
        }
    }

    fn parse_variable(&self, text: &OsStr) -> Option<bool> {
        if self.by_presence { Some(true) } else { self.parse_bytes(text) }
    }

    fn expects(&self) -> String {
        "1 or 0".to_owned()
    }

    fn show(&self, value: &bool) -> Shown {
        Shown { value: Json::Bool(*value), unit: "", none: "" }
    }

    fn placeholder(&self) -> &'static str {
        "yes|no"
    }

    fn describe(&'static self, arg: clap::Arg) -> clap::Arg {
        let arg = arg.value_name(self.placeholder()).num_args(0..=1).require_equals(true);
        arg.default_missing_value("yes").value_parser(["yes", "no"]).hide_possible_values(true)
    }
}

/// One of a few words.
pub(crate) struct Choice<T> {
    /// All of them, with bars between.
    words: &'static str,
    kind: PhantomData<fn() -> T>,
}

impl<T> Choice<T> {
    pub(super) const fn of(words: &'static str) -> Self {
        Self { words, kind: PhantomData }
    }
}

impl<T: ValueEnum + Send + Sync + 'static> Kind for Choice<T> {
    type Value = T;

    fn parse(&self, text: &str) -> Option<T> {
        T::from_str(text, true).ok()
    }

    fn expects(&self) -> String {
        self.words.replace('|', " or ")
    }

    fn show(&self, value: &T) -> Shown {
        Shown::word(name(value))
    }

    fn placeholder(&self) -> &'static str {
        self.words
    }

    fn describe(&'static self, arg: clap::Arg) -> clap::Arg {
        let names = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let arg = arg.value_name(self.words).hide_possible_values(true).ignore_case(true);
        arg.value_parser(PossibleValuesParser::new(names))
    }
}

/// A file or folder.
pub(crate) struct Path(
    /// What stands for it in help.
    pub(super) &'static str,
);

impl Kind for Path {
    type Value = Option<PathBuf>;

    fn parse(&self, text: &str) -> Option<Self::Value> {
        Some(Some(PathBuf::from(text)))
    }

    fn parse_bytes(&self, text: &OsStr) -> Option<Self::Value> {
        Some(Some(PathBuf::from(text)))
    }

    fn expects(&self) -> String {
        "a path".to_owned()
    }

    fn show(&self, value: &Self::Value) -> Shown {
        value.as_ref().map_or(Shown::none("none"), |path| Shown::word(path.to_string_lossy()))
    }

    fn placeholder(&self) -> &'static str {
        self.0
    }

    fn describe(&'static self, arg: clap::Arg) -> clap::Arg {
        arg.value_name(self.0).value_parser(OsStringValueParser::new())
    }
}

fn name<T: ValueEnum>(value: &T) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// A number of seconds, with a fraction or without.
fn seconds(text: &str) -> Option<Duration> {
    // No signs, exponents or words: what a person would write.
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 = text.parse().ok().filter(|&seconds| plain && seconds <= LONGEST)?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn show_seconds(time: Duration) -> Shown {
    if time.subsec_nanos() == 0 {
        Shown::number(time.as_secs(), "s")
    } else {
        Shown::number(time.as_secs_f64(), "s")
    }
}
