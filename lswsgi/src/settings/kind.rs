//! How the value of a setting is read and shown. The kinds there are have files of their own; leaves names, defaults and
//! where a value comes from to the others.

use std::ffi::OsStr;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use serde::Serialize;
use serde_json::Value as Json;

/// A value as people and programs are told it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Shown {
    /// A number, a word, true or false, or null where there is none.
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

    pub(super) fn word<W: Into<Json>>(word: W) -> Self {
        Self { value: word.into(), unit: "", none: "" }
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
