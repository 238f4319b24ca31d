//! Printing to standard error: packets, remarks and what the application logs.

use std::fmt::Display;
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use mock_lsws::{Detail, Direction, Entry};

const SENT: Style = AnsiColor::Cyan.on_default();
const RECEIVED: Style = AnsiColor::Green.on_default();
const LOCAL: Style = Style::new().dimmed();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Prints an entry of the transcript. Colours only reach a terminal.
pub(super) fn entry(entry: &Entry, detail: Detail) {
    stderr(entry_text(entry, detail));
}

/// An entry of the transcript with its colours.
pub(super) fn entry_text(entry: &Entry, detail: Detail) -> String {
    let style = match entry.event.direction() {
        Direction::Sent => SENT,
        Direction::Received => RECEIVED,
        Direction::Local => LOCAL,
    };
    format!("{style}{}{style:#}", entry.show(detail))
}

pub(super) fn error(message: impl Display) {
    stderr(format_args!("mock-lsws: {ERROR}error:{ERROR:#} {message}"));
}

pub(super) fn warning(message: impl Display) {
    stderr(format_args!("mock-lsws: {WARNING}warning:{WARNING:#} {message}"));
}

/// Prints a line, or several. Colours only reach a terminal.
pub(super) fn stderr(line: impl Display) {
    // There is nobody left to tell if this fails.
    let _ = writeln!(anstream::stderr().lock(), "{line}");
}

/// Prints what the application wrote for the server's log.
pub(super) fn application_log(text: &[u8]) {
    let _ = io::stderr().lock().write_all(text);
}
