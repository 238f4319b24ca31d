//! One setting after the other: from the option, else from the variable, else the default.
//!
//! What a variable says wrong is a warning and the default: a server's configuration must not keep an application from being
//! served. On the command line it is a usage error, which the parser has found before.

use std::ffi::OsString;
use std::fmt;

use super::given::Given;
use super::kind::{Kind, Shown};
use super::table::{Setting, TABLE};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nobody said anything.
    Default,
    /// Somebody said something about another setting.
    Because(String),
    /// A variable that cannot be used.
    Unusable(&'static str),
    /// A variable.
    Variable(&'static str),
    /// The option of this name.
    Option(&'static str),
}

impl Origin {
    /// A default that follows from something else.
    pub(super) fn default_because(why: &str) -> Self {
        Self::Because(format!("default, because {why}"))
    }

    /// The setting as a reason for another.
    pub(super) fn condition(&self) -> String {
        match self {
            Self::Option(name) => format!("--{name} is given"),
            Self::Variable(name) => format!("{name} is set"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Because(reason) => f.write_str(reason),
            Self::Unusable(name) => write!(f, "default, because {name} cannot be used"),
            Self::Variable(name) => f.write_str(name),
            Self::Option(name) => write!(f, "--{name}"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

/// One line of `--print-config`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// The option without its dashes.
    pub(super) name: &'static str,
    pub(super) value: Shown,
    pub(super) origin: Origin,
}

/// Reads settings, and remembers what it has read.
pub(super) struct Reader<'a> {
    given: &'a Given,
    env: &'a dyn Fn(&str) -> Option<OsString>,
    rows: Vec<Row>,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(given: &'a Given, env: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { given, env, rows: Vec::new(), warnings: Vec::new() }
    }

    /// The setting's value, or its default.
    pub(super) fn read<K: Kind>(&mut self, setting: &'static Setting<K>) -> Found<K::Value> {
        self.read_or(setting, setting.default.clone(), Origin::Default)
    }

    /// The setting's value, or `default` for the reason in `origin`.
    pub(super) fn read_or<K: Kind>(
        &mut self,
        setting: &'static Setting<K>,
        default: K::Value,
        origin: Origin,
    ) -> Found<K::Value> {
        let found = self.find(setting, default, origin);
        self.rows.push(Row {
            name: setting.option,
            value: setting.kind.show(&found.value),
            origin: found.origin.clone(),
        });
        found
    }

    /// Shows another value for a setting that has been read: what it means with the others.
    pub(super) fn show<K: Kind>(&mut self, setting: &'static Setting<K>, value: &K::Value) {
        self.change(setting, value, |origin| origin);
    }

    /// Shows another value for a setting that has been read, which another setting overrules for the reason `why`.
    pub(super) fn overrule<K: Kind>(&mut self, setting: &'static Setting<K>, value: &K::Value, why: &str) {
        self.change(setting, value, |origin| Origin::Because(format!("{origin}, overruled because {why}")));
    }

    /// Shows another value for a setting that has been read, and warns: what was said does not go together.
    pub(super) fn correct<K: Kind>(&mut self, setting: &'static Setting<K>, value: &K::Value, wrong: &str) {
        let mut warning = None;
        let used = setting.kind.show(value);
        if let Some(row) = self.rows.iter().find(|row| row.name == setting.option) {
            let sign = if matches!(row.origin, Origin::Option(_)) { " " } else { "=" };
            warning = Some(format!("{}{sign}{} {wrong}: using {used}", row.origin, row.value));
        }
        self.warnings.extend(warning);
        self.change(setting, value, |origin| Origin::Because(format!("{origin}, corrected")));
    }

    /// Everything read, in the order of the table, and what was wrong with it.
    pub(super) fn finish(mut self) -> (Vec<Row>, Vec<String>) {
        let place = |row: &Row| TABLE.iter().position(|setting| setting.option() == row.name);
        self.rows.sort_by_key(place);
        (self.rows, self.warnings)
    }

    fn change<K: Kind>(
        &mut self,
        setting: &'static Setting<K>,
        value: &K::Value,
        origin: impl FnOnce(Origin) -> Origin,
    ) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.name == setting.option) {
            row.value = setting.kind.show(value);
            row.origin = origin(row.origin.clone());
        }
    }

    fn find<K: Kind>(
        &mut self,
        setting: &'static Setting<K>,
        default: K::Value,
        origin: Origin,
    ) -> Found<K::Value> {
        let given = self.given.get(setting.option).and_then(|text| setting.kind.parse_bytes(text));
        if let Some(value) = given {
            return Found { value, origin: Origin::Option(setting.option) };
        }
        let variables = setting.variables.iter();
        let found = variables.copied().find_map(|name| (self.env)(name).map(|text| (name, text)));
        let Some((name, text)) = found else { return Found { value: default, origin } };
        if let Some(value) = setting.kind.parse_variable(&text) {
            return Found { value, origin: Origin::Variable(name) };
        }
        let clamped = setting.kind.clamp(&text);
        let (value, origin) = match clamped {
            Some(value) => (value, Origin::Variable(name)),
            None => (default, Origin::Unusable(name)),
        };
        self.warnings.push(format!(
            "{name}={} is not {}: using {}",
            text.to_string_lossy(),
            setting.kind.expects(),
            setting.kind.show(&value)
        ));
        Found { value, origin }
    }
}
