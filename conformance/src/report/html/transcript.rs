//! A transcript in HTML: packets in words, each with its bytes behind it.

use std::fmt::{self, Write};

use mock_lsws::{Direction, EntryRecord};

use super::escape::Text;
use crate::event::Place;

/// Bytes a line.
const WIDTH: usize = 16;
/// Lines of bytes of an entry; the first that is marked is among them.
const LINES: usize = 64;
/// Lines before the marked one.
const BEFORE: usize = 8;
/// Decoded lines of an entry that are shown without being asked for.
const FEW_LINES: usize = 3;
/// Entries shown at the beginning and at the end of a transcript, those that are marked besides.
const ENDS: usize = 60;

/// Writes `entries`, with the bytes at `places` marked.
pub(super) fn write(out: &mut String, entries: &[EntryRecord], places: &[Place]) -> fmt::Result {
    if entries.is_empty() {
        return out.write_str("<p>Nothing was sent or received.</p>\n");
    }
    out.write_str("<ol class=\"transcript\">\n")?;
    let mut left_out = 0;
    for (index, entry) in entries.iter().enumerate() {
        let marks: Vec<usize> =
            places.iter().filter(|place| place.entry == index).map(|place| place.byte).collect();
        if marks.is_empty() && index >= ENDS && index + ENDS < entries.len() {
            left_out += 1;
            continue;
        }
        if left_out > 0 {
            writeln!(out, "<li class=\"cut\">{left_out} more entries</li>")?;
            left_out = 0;
        }
        one(out, entry, &marks)?;
    }
    out.write_str("</ol>\n")
}

fn one(out: &mut String, entry: &EntryRecord, marks: &[usize]) -> fmt::Result {
    let (class, arrow) = match entry.direction {
        Direction::Sent => ("sent", "\u{2192}"),
        Direction::Received => ("received", "\u{2190}"),
        Direction::Local => ("local", "\u{b7}"),
    };
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a case, to be read by people")]
    let at = entry.at_us as f64 / 1000.0;
    write!(
        out,
        "<li class=\"{class}\"><span class=\"at\">{at:.3} ms</span> <span class=\"way\">{arrow}</span> "
    )?;
    if entry.connection > 1 {
        write!(out, "<span class=\"connection\">#{}</span> ", entry.connection)?;
    }
    write!(out, "<b>{}</b> {}", Text(&entry.name), Text(&entry.summary))?;
    // A request has dozens of variables; they are looked at when they are wanted.
    let is_long = entry.detail.len() > FEW_LINES;
    if !is_long {
        lines(out, &entry.detail)?;
    }
    if entry.length > 0 {
        let open = if marks.is_empty() { "" } else { " open" };
        let more = if is_long { format!(", {} lines", entry.detail.len()) } else { String::new() };
        write!(out, "<details{open}><summary>{} bytes{more}</summary>", entry.length)?;
        if is_long {
            lines(out, &entry.detail)?;
        }
        out.write_str("<pre class=\"hex\">")?;
        hexdump(out, &entry.bytes, entry.length, marks)?;
        out.write_str("</pre></details>")?;
    }
    out.write_str("</li>\n")
}

fn lines(out: &mut String, lines: &[String]) -> fmt::Result {
    lines.iter().try_for_each(|line| write!(out, "<div class=\"detail\">{}</div>", Text(line)))
}

/// The bytes written in `hex`, of `length` there were, as a dump in which `marks` are marked.
fn hexdump(out: &mut String, hex: &str, length: usize, marks: &[usize]) -> fmt::Result {
    let pairs: Vec<&str> =
        hex.as_bytes().chunks_exact(2).map(|pair| str::from_utf8(pair).unwrap_or("??")).collect();
    let first_mark = marks.iter().min().map_or(0, |mark| mark / WIDTH);
    let from = if first_mark < LINES { 0 } else { first_mark - BEFORE };
    if from > 0 {
        writeln!(out, "... {} bytes before", from * WIDTH)?;
    }
    let mut shown = from * WIDTH;
    for (number, line) in pairs.chunks(WIDTH).enumerate().skip(from).take(LINES) {
        let start = number * WIDTH;
        shown = start + line.len();
        write!(out, "{start:04x}  ")?;
        let mark = |at: usize| marks.contains(&at);
        for column in 0..WIDTH {
            match line.get(column) {
                Some(pair) => marked(out, pair, mark(start + column))?,
                // What is missing has no byte to be marked.
                None => marked(out, "  ", mark(start + column) && start + column == length)?,
            }
            out.write_str(if column == WIDTH / 2 - 1 { "  " } else { " " })?;
        }
        out.write_str(" |")?;
        for (column, pair) in line.iter().enumerate() {
            let byte = u8::from_str_radix(pair, 16).unwrap_or_default();
            let shown = if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '.' };
            marked(out, &Text(&shown.to_string()).to_string(), mark(start + column))?;
        }
        out.write_str("|\n")?;
    }
    if marks.contains(&length) && length.is_multiple_of(WIDTH) {
        writeln!(out, "{length:04x}  <mark>  </mark>")?;
    }
    if shown < length {
        writeln!(out, "... {} bytes more", length - shown)?;
    }
    Ok(())
}

fn marked(out: &mut String, html: &str, is_marked: bool) -> fmt::Result {
    if is_marked { write!(out, "<mark>{html}</mark>") } else { out.write_str(html) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(bytes: &[u8], length: usize, marks: &[usize]) -> String {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut out = String::new();
        hexdump(&mut out, &hex, length, marks).unwrap();
        out
    }

    #[test]
    fn the_marked_byte_is_marked_in_hex_and_in_text() {
        let text = dump(b"LS<", 3, &[2]);
        assert!(text.starts_with("0000  4c 53 <mark>3c</mark>    "), "{text}");
        assert!(text.ends_with("|LS<mark>&lt;</mark>|\n"), "{text}");
        assert!(
            dump(b"LS", 2, &[2]).contains("53 <mark>  </mark> "),
            "what is missing is marked behind the end"
        );
        assert!(dump(&[0; 16], 16, &[16]).ends_with("0010  <mark>  </mark>\n"));
    }

    #[test]
    fn of_many_bytes_those_around_the_mark_are_shown() {
        let text = dump(&[b'a'; 65536], 100_000, &[40_000]);
        assert!(text.starts_with("... 39872 bytes before\n9bc0  61 "), "{text}");
        assert!(text.contains("<mark>61</mark>"), "{text}");
        assert_eq!(text.lines().count(), LINES + 2);
        assert!(text.ends_with(" bytes more\n"), "{text}");
    }
}
