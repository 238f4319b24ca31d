//! Settings that are words: flags, choices and paths.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{OsStringValueParser, PossibleValuesParser};

use super::kind::{Kind, Shown};

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
        Shown::word(*value)
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
        match self.words.rsplit_once('|') {
            Some((words, last)) => format!("{} or {last}", words.replace('|', ", ")),
            None => self.words.to_owned(),
        }
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

/// Where the control socket is, or that there is none.
pub(crate) struct Control;

/// Where the control socket is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlSocket {
    /// Nowhere.
    Off,
    /// There.
    At(PathBuf),
}

impl Kind for Control {
    type Value = Option<ControlSocket>;

    fn parse(&self, text: &str) -> Option<Self::Value> {
        self.parse_bytes(OsStr::new(text))
    }

    fn parse_bytes(&self, text: &OsStr) -> Option<Self::Value> {
        Some(Some(if text == "off" { ControlSocket::Off } else { ControlSocket::At(PathBuf::from(text)) }))
    }

    fn expects(&self) -> String {
        "a path or off".to_owned()
    }

    fn show(&self, value: &Self::Value) -> Shown {
        match value {
            None => Shown::none("beside the application"),
            Some(ControlSocket::Off) => Shown::word("off"),
            Some(ControlSocket::At(path)) => Shown::word(path.to_string_lossy()),
        }
    }

    fn placeholder(&self) -> &'static str {
        "PATH|off"
    }

    fn describe(&'static self, arg: clap::Arg) -> clap::Arg {
        arg.value_name(self.placeholder()).value_parser(OsStringValueParser::new())
    }
}

/// The path of a URL, or nothing.
pub(crate) struct UrlPath;

impl Kind for UrlPath {
    type Value = Option<String>;

    fn parse(&self, text: &str) -> Option<Self::Value> {
        text.starts_with('/').then(|| Some(text.to_owned()))
    }

    fn expects(&self) -> String {
        "a path that begins with /".to_owned()
    }

    fn show(&self, value: &Self::Value) -> Shown {
        value.as_ref().map_or(Shown::none("none"), |path| Shown::word(path.as_str()))
    }

    fn placeholder(&self) -> &'static str {
        "PATH"
    }
}

fn name<T: ValueEnum>(value: &T) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}
