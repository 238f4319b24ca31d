//! Entries as text.

use std::fmt;

use super::describe::describe;
use super::entry::{Bytes, Direction, Entry};
use super::log::Transcript;
use crate::hexdump::Hexdump;

/// How much of an entry is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Detail {
    /// Its time, direction and name.
    Names,
    /// Everything in it, in words.
    #[default]
    Decoded,
    /// Also its bytes in hex and ASCII.
    Hex,
}

/// Columns before the second and further lines of an entry.
const INDENT: usize = 16;

/// Shows one entry, in one or more lines, without a final line break.
#[derive(Clone, Copy, Debug)]
pub struct ShowEntry<'a> {
    entry: &'a Entry,
    detail: Detail,
}

impl Entry {
    /// Shows the entry at a level of detail.
    #[must_use]
    pub const fn show(&self, detail: Detail) -> ShowEntry<'_> {
        ShowEntry { entry: self, detail }
    }
}

impl fmt::Display for ShowEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { at, connection, event } = self.entry;
        let arrow = match event.direction() {
            Direction::Sent => "->",
            Direction::Received => "<-",
            Direction::Local => "--",
        };
        write!(f, "{:9.3} ms {arrow} ", at.as_secs_f64() * 1000.0)?;
        // The first connection is the usual one and goes without a number.
        if *connection > 1 {
            write!(f, "#{connection} ")?;
        }
        let described = describe(event);
        f.write_str(&described.name)?;
        if self.detail == Detail::Names {
            return Ok(());
        }
        if !described.summary.is_empty() {
            write!(f, "  {}", described.summary)?;
        }
        for line in &described.lines {
            write!(f, "\n{:INDENT$}{line}", "")?;
        }
        if self.detail < Detail::Hex {
            return Ok(());
        }
        if let Some(bytes) = event.bytes().filter(|bytes| !bytes.is_empty()) {
            write!(f, "\n{}", Hexdump::indented(bytes.kept(), INDENT))?;
            omitted(bytes, f)?;
        }
        Ok(())
    }
}

fn omitted(bytes: &Bytes, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match bytes.omitted() {
        0 => Ok(()),
        more => write!(f, "\n{:INDENT$}and {more} bytes that were not kept", ""),
    }
}

impl Transcript {
    /// All entries as text, one after the other.
    #[must_use]
    pub fn render(&self, detail: Detail) -> String {
        let entries = self.entries();
        let lines: Vec<_> = entries.iter().map(|entry| entry.show(detail).to_string()).collect();
        lines.join("\n")
    }
}

impl fmt::Display for Transcript {
    /// Shows all entries with what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Detail::Decoded))
    }
}
