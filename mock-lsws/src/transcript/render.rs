//! Entries as text.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::describe::{Described, describe};
use super::entry::{Bytes, Direction, Entry, EntryRecord};
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
#[derive(Clone, Debug)]
pub struct ShowEntry<'a> {
    at: Duration,
    connection: u32,
    direction: Direction,
    described: Described,
    /// The bytes that were kept.
    bytes: Cow<'a, [u8]>,
    /// How many were not.
    omitted: usize,
    detail: Detail,
}

impl Entry {
    /// Shows the entry at a level of detail.
    #[must_use]
    pub fn show(&self, detail: Detail) -> ShowEntry<'_> {
        let bytes = self.event.bytes();
        ShowEntry {
            at: self.at,
            connection: self.connection,
            direction: self.event.direction(),
            described: describe(&self.event),
            bytes: Cow::Borrowed(bytes.map(Bytes::kept).unwrap_or_default()),
            omitted: bytes.map_or(0, Bytes::omitted),
            detail,
        }
    }
}

impl EntryRecord {
    /// Shows what is left of an entry in a report, the way the entry itself is shown.
    #[must_use]
    pub fn show(&self, detail: Detail) -> ShowEntry<'_> {
        let bytes = if detail < Detail::Hex { Vec::new() } else { from_hex(&self.bytes) };
        ShowEntry {
            at: Duration::from_micros(self.at_us),
            connection: self.connection,
            direction: self.direction,
            described: Described {
                name: self.name.clone(),
                summary: self.summary.clone(),
                lines: self.detail.clone(),
            },
            omitted: self.length.saturating_sub(bytes.len()),
            bytes: Cow::Owned(bytes),
            detail,
        }
    }
}

/// The bytes `text` stands for, up to the first that is not written in hex.
fn from_hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map_while(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

impl fmt::Display for ShowEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, connection, direction, described, bytes, omitted, detail } = self;
        let arrow = match direction {
            Direction::Sent => "->",
            Direction::Received => "<-",
            Direction::Local => "--",
        };
        write!(f, "{:9.3} ms {arrow} ", at.as_secs_f64() * 1000.0)?;
        // The first connection is the usual one and goes without a number.
        if *connection > 1 {
            write!(f, "#{connection} ")?;
        }
        f.write_str(&described.name)?;
        if *detail == Detail::Names {
            return Ok(());
        }
        if !described.summary.is_empty() {
            write!(f, "  {}", described.summary)?;
        }
        for line in &described.lines {
            write!(f, "\n{:INDENT$}{line}", "")?;
        }
        if *detail < Detail::Hex || bytes.len() + omitted == 0 {
            return Ok(());
        }
        write!(f, "\n{}", Hexdump::indented(bytes, INDENT))?;
        match omitted {
            0 => Ok(()),
            more => write!(f, "\n{:INDENT$}and {more} bytes that were not kept", ""),
        }
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

#[cfg(test)]
mod tests {
    use super::super::entry::Event;
    use super::*;

    #[test]
    fn a_record_is_shown_like_its_entry() {
        let bytes = Bytes { kept: b"LS\x05\x00\x08\x00\x00\x00".to_vec(), omitted: 3 };
        let entry =
            Entry { at: Duration::from_micros(1500), connection: 2, event: Event::Received { bytes } };
        let record = EntryRecord::from(&entry);
        for detail in [Detail::Names, Detail::Decoded, Detail::Hex] {
            assert_eq!(record.show(detail).to_string(), entry.show(detail).to_string());
        }
        assert!(record.show(Detail::Hex).to_string().contains("4c 53 05"));
    }
}
