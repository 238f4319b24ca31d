//! The options of the table, as they were typed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::table::TABLE;

/// Which options of the table were typed, and with which values.
#[derive(Clone, Debug, Default)]
pub struct Given(BTreeMap<&'static str, OsString>);

impl Given {
    /// What was typed for `option`.
    pub(super) fn get(&self, option: &str) -> Option<&OsStr> {
        self.0.get(option).map(OsString::as_os_str)
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        TABLE.iter().fold(command, |command, setting| command.arg(setting.arg()))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for option in TABLE.iter().map(|setting| setting.option()) {
            if matches.value_source(option) == Some(ValueSource::CommandLine)
                && let Some(value) = matches.get_raw(option).and_then(Iterator::last)
            {
                self.0.insert(option, value.to_owned());
            }
        }
        Ok(())
    }
}
