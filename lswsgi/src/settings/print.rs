//! `--print-config`: every setting, its value, and where it came from.

use std::ffi::OsString;
use std::io::{self, Write as _};

use serde::Serialize;

use super::effective::Effective;
use super::group::DEFAULT_FREE_MEMORY;
use super::kind::Shown;
use super::table::{self, TABLE};
use crate::cli::Arguments;
use crate::error::Error;

/// One setting.
#[derive(Serialize)]
struct Entry {
    #[serde(skip)]
    heading: &'static str,
    setting: &'static str,
    #[serde(flatten)]
    value: Shown,
    origin: String,
    /// Variables that stand for it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    variables: &'static [&'static str],
    #[serde(skip_serializing_if = "str::is_empty")]
    meaning: &'static str,
}

/// Prints the settings on standard output, and what is wrong with the environment on standard error.
///
/// # Errors
/// [`Error::System`] if they cannot be written.
pub fn print_config(arguments: &Arguments, json: bool) -> Result<(), Error> {
    let effective = Effective::read(arguments, &|name| std::env::var_os(name));
    effective.set_up_log();
    let entries = entries(arguments, effective);
    let text = if json { as_json(&entries) } else { Ok(as_table(&entries)) };
    text.and_then(|text| io::stdout().write_all(text.as_bytes()))
        .map_err(Error::system("cannot write the settings"))
}

fn entries(arguments: &Arguments, effective: Effective) -> Vec<Entry> {
    let word = |setting, value: Option<OsString>, none, option: &str| Entry {
        heading: "What is served, and where",
        setting,
        origin: if value.is_some() { option } else { "default" }.to_owned(),
        value: value.map_or(Shown::none(none), |value| Shown::word(value.to_string_lossy())),
        variables: &[],
        meaning: "",
    };
    let application = effective.settings.application.as_ref();
    let path = application.map(|application| application.path.clone().into_os_string());
    let callable = application.map(|application| application.callable.clone().into());
    let address = arguments.address.clone().map(OsString::from);
    let mut entries = vec![
        word("application", path, "the script each request names", "-m"),
        word("callable", callable, "as each request says", "-m"),
        word("address", address, "the socket on descriptor 0", "-a"),
    ];
    // The rows are those of the table, in its order.
    entries.extend(TABLE.iter().zip(effective.rows).map(|(setting, row)| Entry {
        heading: setting.heading(),
        setting: row.name,
        value: row.value,
        origin: row.origin.to_string(),
        variables: setting.variables(),
        meaning: setting.help(),
    }));
    if let Some(at) = entries.iter().position(|entry| entry.setting == table::AVOID_FORK.option) {
        let limit = effective.settings.group.min_free_memory;
        let (Entry { heading, origin, .. }, is_default) = (&entries[at], limit == DEFAULT_FREE_MEMORY);
        let entry = Entry {
            heading,
            setting: "min-free-memory",
            value: Shown::number(limit, "bytes"),
            origin: if is_default { "default".to_owned() } else { origin.clone() },
            variables: &[],
            meaning: "Memory that must be free to fork one more worker, unless a tenth of all is",
        };
        entries.insert(at + 1, entry);
    }
    entries
}

fn as_table(entries: &[Entry]) -> String {
    let values: Vec<String> = entries.iter().map(|entry| entry.value.to_string()).collect();
    let names = entries.iter().map(|entry| entry.setting.len()).max().unwrap_or(0);
    let wide = values.iter().map(|value| value.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    let mut heading = "";
    for (entry, value) in entries.iter().zip(&values) {
        if entry.heading != heading {
            let line = if heading.is_empty() { "" } else { "\n" };
            heading = entry.heading;
            text += &format!("{line}{heading}\n");
        }
        text += &format!("  {:<names$}  {value:<wide$}  {}\n", entry.setting, entry.origin);
    }
    text
}

fn as_json(entries: &[Entry]) -> io::Result<String> {
    Ok(serde_json::to_string_pretty(entries)? + "\n")
}
