//! `--print-config`: every setting, its value, and where it came from.

use std::ffi::OsString;
use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::Value as Json;

use super::effective::Effective;
use super::kind::Shown;
use crate::cli::Arguments;
use crate::error::Error;

/// One setting as JSON.
#[derive(Serialize)]
struct Entry<'a> {
    setting: &'a str,
    /// Null: no limit, off, or not named.
    value: &'a Json,
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'a str,
    origin: String,
}

/// A line: setting, value, origin.
struct Line {
    name: &'static str,
    value: Shown,
    origin: String,
}

/// Prints the settings on standard output, and what is wrong with the environment on standard error.
///
/// # Errors
/// [`Error::System`] if they cannot be written.
pub fn print_config(arguments: &Arguments, json: bool) -> Result<(), Error> {
    let effective = Effective::read(arguments, &|name| std::env::var_os(name));
    effective.set_up_log();
    let lines = lines(arguments, effective);
    let text = if json { as_json(&lines) } else { Ok(as_table(&lines)) };
    text.and_then(|text| io::stdout().write_all(text.as_bytes()))
        .map_err(Error::system("cannot write the settings"))
}

fn lines(arguments: &Arguments, effective: Effective) -> Vec<Line> {
    let word = |name, value: Option<OsString>, none, option| Line {
        name,
        origin: if value.is_some() { option } else { "default" }.to_owned(),
        value: value.map_or(Shown::none(none), |value| Shown::word(value.to_string_lossy())),
    };
    let application = effective.settings.application.as_ref();
    let path = application.map(|application| application.path.clone().into_os_string());
    let callable = application.map(|application| application.callable.clone().into());
    let address = arguments.address.clone().map(OsString::from);
    let mut lines = vec![
        word("application", path, "the script each request names", "-m"),
        word("callable", callable, "as each request says", "-m"),
        word("address", address, "the socket on descriptor 0", "-a"),
    ];
    let rows = effective.rows.into_iter();
    lines.extend(rows.map(|row| Line { name: row.name, value: row.value, origin: row.origin.to_string() }));
    lines
}

fn as_table(lines: &[Line]) -> String {
    let values: Vec<String> = lines.iter().map(|line| line.value.to_string()).collect();
    let width = |lengths: &mut dyn Iterator<Item = usize>| lengths.max().unwrap_or(0);
    let names = width(&mut lines.iter().map(|line| line.name.len()));
    let wide = width(&mut values.iter().map(|value| value.chars().count()));
    let row = |name: &str, value: &str, origin: &str| format!("{name:<names$}  {value:<wide$}  {origin}\n");
    let rows = lines.iter().zip(&values).map(|(line, value)| row(line.name, value, &line.origin));
    row("setting", "value", "from") + &rows.collect::<String>()
}

fn as_json(lines: &[Line]) -> io::Result<String> {
    let entries: Vec<Entry<'_>> = lines
        .iter()
        .map(|line| Entry {
            setting: line.name,
            value: &line.value.value,
            unit: line.value.unit,
            origin: line.origin.clone(),
        })
        .collect();
    Ok(serde_json::to_string_pretty(&entries)? + "\n")
}
