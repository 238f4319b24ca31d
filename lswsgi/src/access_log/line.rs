//! A line about a request: what is in it, and that nothing a client sends can look like another line, or be too long.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use jiff::Zoned;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};

use super::format::AccessFormat;
use super::record::{Ending, Field, Record};

/// Most bytes of a line, its end included: what a pipe takes in one piece.
pub(super) const MOST: usize = rustix::pipe::PIPE_BUF;

/// What stands where something was cut.
const CUT: &str = "...";

/// All there is to say about a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) record: &'a Record,
    /// The process that has run it.
    pub(super) pid: i32,
    /// The status sent; 0: none.
    pub(super) status: u16,
    /// Bytes of body sent.
    pub(super) bytes: u64,
    pub(super) took: Duration,
    pub(super) ending: Ending,
}

impl Entry<'_> {
    /// Adds the line to `out`.
    pub(super) fn put(&self, format: AccessFormat, zone: &TimeZone, out: &mut Vec<u8>) {
        let start = out.len();
        let time = self.record.time.to_zoned(zone.clone());
        // What clients make as long as they like is cut to the most that fits, roughly.
        let mut limit = MOST;
        loop {
            match format {
                AccessFormat::Common => self.put_text(&time, limit, false, out),
                AccessFormat::Combined => self.put_text(&time, limit, true, out),
                AccessFormat::Json => self.put_json(&time, limit, out),
            }
            out.push(b'\n');
            if out.len() - start <= MOST || limit == 0 {
                return;
            }
            out.truncate(start);
            limit = limit * 3 / 4;
        }
    }

    /// The text of a field, cut to `limit`, or to less where nobody needs more. Whether it was.
    fn text(&self, field: Field, limit: usize) -> (&[u8], bool) {
        // With all of these at their longest, each byte escaped, there is still room for what is always there.
        let limit = match field {
            Field::Method | Field::Protocol => 32,
            Field::Address => 64,
            Field::User => 128,
            Field::Script => 256,
            Field::Url | Field::Referer | Field::Agent => limit,
        };
        let text = self.record.get(field);
        (&text[..text.len().min(limit)], text.len() > limit)
    }

    fn put_text(&self, time: &Zoned, limit: usize, combined: bool, out: &mut Vec<u8>) {
        self.put_word(Field::Address, limit, out);
        out.extend(b" - ");
        self.put_word(Field::User, limit, out);
        // Writing to a Vec cannot fail, here and below.
        let _ = write!(out, " [{}] \"", time.strftime("%d/%b/%Y:%H:%M:%S %z"));
        let start = out.len();
        for field in [Field::Method, Field::Url, Field::Protocol] {
            if out.len() > start && !self.record.get(field).is_empty() {
                out.push(b' ');
            }
            self.put_escaped(field, limit, false, out);
        }
        out.extend(if out.len() > start { "\" " } else { "-\" " }.as_bytes());
        put_number(self.status.into(), out);
        out.push(b' ');
        put_number(self.bytes, out);
        if combined {
            for field in [Field::Referer, Field::Agent] {
                out.extend(b" \"");
                if self.record.get(field).is_empty() {
                    out.push(b'-');
                }
                self.put_escaped(field, limit, false, out);
                out.push(b'"');
            }
        }
        let _ = write!(out, " {} {}", self.pid, self.took.as_micros());
    }

    /// A field that is not in quotes.
    fn put_word(&self, field: Field, limit: usize, out: &mut Vec<u8>) {
        if self.record.get(field).is_empty() {
            out.push(b'-');
        }
        self.put_escaped(field, limit, true, out);
    }

    /// A field as servers write it: quotes, backslashes and whatever is not a visible character of ASCII are escaped, in a
    /// `word` spaces as well.
    fn put_escaped(&self, field: Field, limit: usize, word: bool, out: &mut Vec<u8>) {
        let (text, is_cut) = self.text(field, limit);
        for &byte in text {
            match byte {
                b'"' | b'\\' => out.extend([b'\\', byte]),
                b'\n' => out.extend(b"\\n"),
                b'\r' => out.extend(b"\\r"),
                b'\t' => out.extend(b"\\t"),
                b' ' if !word => out.push(byte),
                b'!'..=b'~' => out.push(byte),
                _ => {
                    let _ = write!(out, "\\x{byte:02x}");
                }
            }
        }
        if is_cut {
            out.extend(CUT.as_bytes());
        }
    }

    fn put_json(&self, time: &Zoned, limit: usize, out: &mut Vec<u8>) {
        let text = |field| -> Option<Cow<'_, str>> {
            let (mut text, is_cut) = self.text(field, limit);
            if text.is_empty() {
                return None;
            }
            if is_cut {
                // Not in the middle of a character.
                let start = text.iter().rposition(|byte| !(0x80..0xc0).contains(byte)).unwrap_or(0);
                text = if std::str::from_utf8(&text[start..]).is_ok() { text } else { &text[..start] };
            }
            let text = String::from_utf8_lossy(text);
            Some(if is_cut { text + CUT } else { text })
        };
        let object = Object {
            time,
            pid: self.pid,
            request: self.record.serial,
            address: text(Field::Address),
            user: text(Field::User),
            method: text(Field::Method),
            url: text(Field::Url),
            protocol: text(Field::Protocol),
            script: text(Field::Script),
            status: (self.status != 0).then_some(self.status),
            bytes: self.bytes,
            micros: self.took.as_micros(),
            referer: text(Field::Referer),
            user_agent: text(Field::Agent),
            end: self.ending.name(),
        };
        // Numbers and texts always have a form.
        let _ = object.serialize(&mut serde_json::Serializer::with_formatter(out, Escaped));
    }
}

/// A number, or what stands for none.
fn put_number(number: u64, out: &mut Vec<u8>) {
    let _ = if number == 0 { out.write_all(b"-") } else { write!(out, "{number}") };
}

/// A line of the JSON format.
#[derive(Serialize)]
struct Object<'a> {
    #[serde(serialize_with = "put_time")]
    time: &'a Zoned,
    pid: i32,
    request: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Cow<'a, str>>,
    method: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<Cow<'a, str>>,
    status: Option<u16>,
    bytes: u64,
    micros: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<&'static str>,
}

/// JSON in which also characters are escaped that JSON allows and a terminal, or who takes a line for ended, acts on.
struct Escaped;

impl serde_json::ser::Formatter for Escaped {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        if !text.contains(acts) {
            return out.write_all(text.as_bytes());
        }
        text.chars().try_for_each(|character| {
            if acts(character) {
                write!(out, "\\u{:04x}", u32::from(character))
            } else {
                write!(out, "{character}")
            }
        })
    }
}

/// Whether this is a control character, a separator of lines or paragraphs, or one that turns the direction of writing.
fn acts(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn put_time<S: Serializer>(time: &Zoned, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z"))
}

#[cfg(test)]
mod tests {
    use lsapi::{RequestBuilder, ServerPacket};

    use super::*;

    /// What is written about a request that has the given variables (in capitals) and headers.
    fn line(format: AccessFormat, target: &str, with: &[(&str, &[u8])], ending: Ending) -> String {
        let mut builder = RequestBuilder::get(target);
        for (name, value) in with {
            let is_variable = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
            builder = if is_variable { builder.env(name, value) } else { builder.header(name, value) };
        }
        let packet = builder.encode();
        let Ok(ServerPacket::BeginRequest(request)) = ServerPacket::decode(&packet, 1 << 20) else {
            panic!("a request")
        };
        let mut record = Record::default();
        let time = "2026-02-03T04:05:06.000789Z".parse().unwrap();
        record.fill(&request, [target.as_bytes(), b""], 7, time);
        let entry = Entry {
            record: &record,
            pid: 42,
            status: 200,
            bytes: 5,
            took: Duration::from_micros(1234),
            ending,
        };
        let zone = TimeZone::fixed(jiff::tz::offset(-3));
        let mut out = b"before\n".to_vec();
        entry.put(format, &zone, &mut out);
        let line = String::from_utf8(out.split_off(7)).unwrap();
        assert!(line.len() <= MOST && line.ends_with('\n'), "{} bytes", line.len());
        line.trim_end_matches('\n').to_owned()
    }

    fn text(target: &str, with: &[(&str, &[u8])]) -> String {
        line(AccessFormat::Combined, target, with, Ending::Complete)
    }

    const USUAL: [(&str, &[u8]); 5] = [
        ("REMOTE_ADDR", b"192.0.2.1"),
        ("REMOTE_USER", b"ann"),
        ("SERVER_PROTOCOL", b"HTTP/1.1"),
        ("Referer", b"http://a/"),
        ("User-Agent", b"curl/8"),
    ];

    #[test]
    fn each_format_has_its_fields_in_its_order() {
        let format = |format| line(format, "/p?q=1", &USUAL, Ending::Complete);
        assert_eq!(
            format(AccessFormat::Common),
            "192.0.2.1 - ann [03/Feb/2026:01:05:06 -0300] \"GET /p?q=1 HTTP/1.1\" 200 5 42 1234"
        );
        assert_eq!(
            format(AccessFormat::Combined),
            "192.0.2.1 - ann [03/Feb/2026:01:05:06 -0300] \"GET /p?q=1 HTTP/1.1\" 200 5 \"http://a/\" \"curl/8\" 42 1234"
        );
        let json = format(AccessFormat::Json);
        let start = "{\"time\":\"2026-02-03T01:05:06.000789-03:00\",\"pid\":42,\"request\":7,\"address\":\"192.0.2.1\",\
                     \"user\":\"ann\",\"method\":\"GET\",\"url\":\"/p?q=1\",\"protocol\":\"HTTP/1.1\",";
        let end =
            "\"status\":200,\"bytes\":5,\"micros\":1234,\"referer\":\"http://a/\",\"user_agent\":\"curl/8\"}";
        assert!(json.starts_with(start) && json.ends_with(end), "{json}");
    }

    #[test]
    fn what_is_missing_is_a_dash_or_not_there() {
        let json = line(AccessFormat::Json, "/", &[], Ending::Aborted);
        assert!(text("/", &[]).starts_with("- - - ["), "{}", text("/", &[]));
        assert!(text("/", &[]).ends_with(" 200 5 \"-\" \"-\" 42 1234"), "{}", text("/", &[]));
        assert!(json.ends_with(",\"micros\":1234,\"end\":\"aborted\"}"), "{json}");
        assert!(!json.contains("referer"), "{json}");
    }

    #[test]
    fn nothing_a_client_sends_looks_like_another_field_or_line() {
        let hostile: &[(&str, &[u8])] =
            &[("REMOTE_USER", b"a b\n"), ("User-Agent", b"x\" 1 2\\\x01\xff\x7f\t\r\n1.2.3.4 - -")];
        let line_of_text = text("/a\"b", hostile);
        assert!(line_of_text.starts_with("- - a\\x20b\\n ["), "{line_of_text}");
        assert!(line_of_text.contains("\"GET /a\\\"b"), "{line_of_text}");
        let agent = "\"x\\\" 1 2\\\\\\x01\\xff\\x7f\\t\\r\\n1.2.3.4 - -\" 42 1234";
        assert!(line_of_text.ends_with(agent), "{line_of_text}");
        let json = line(AccessFormat::Json, "/a\"b", hostile, Ending::Complete);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["user"], "a b\n");
        assert_eq!(value["user_agent"], "x\" 1 2\\\u{1}\u{fffd}\u{7f}\t\r\n1.2.3.4 - -");
        assert!(!json.contains('\n'));
    }

    #[test]
    fn nothing_in_an_object_ends_a_line_or_is_an_order_to_a_terminal() {
        let text = "\u{7f}\u{85}\u{9b}2J \u{2028}\u{2029}\u{202e}\u{2066} é\u{1f40d}\x1b[2J";
        let json = line(AccessFormat::Json, "/", &[("User-Agent", text.as_bytes())], Ending::Complete);
        let plain = "\"\\u007f\\u0085\\u009b2J \\u2028\\u2029\\u202e\\u2066 é\u{1f40d}\\u001b[2J\"";
        assert!(json.contains(plain), "{json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["user_agent"], text);
        for character in ["\u{85}".repeat(4096), "\u{2028}".repeat(4096)] {
            let names = ["REMOTE_ADDR", "REMOTE_USER", "SERVER_PROTOCOL", "Referer", "User-Agent"];
            let with = names.map(|name| (name, character.as_bytes()));
            line(AccessFormat::Json, "/", &with, Ending::Complete);
        }
    }

    #[test]
    fn a_line_is_never_too_long_and_says_where_it_was_cut() {
        let long = [
            &[0xff; 9000][..],
            &b"a".repeat(9000),
            &b"\x01".repeat(9000),
            "\u{1f40d}".repeat(2000).as_bytes(),
        ]
        .map(<[u8]>::to_vec);
        for value in &long {
            let names = ["REMOTE_ADDR", "REMOTE_USER", "SERVER_PROTOCOL", "Referer", "User-Agent"];
            let with = names.map(|name| (name, value.as_slice()));
            let target = format!("/{}", "u".repeat(9000));
            for format in [AccessFormat::Common, AccessFormat::Combined, AccessFormat::Json] {
                let line = line(format, &target, &with, Ending::Stopped);
                assert!(line.contains("uuu... ") || line.contains("uuu...\""), "{line}");
                if format == AccessFormat::Json {
                    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
                    assert!(value["user_agent"].as_str().unwrap().ends_with("..."), "{line}");
                    assert_eq!(value["end"], "stopped");
                }
            }
        }
        // Only what is too long is cut.
        let cut = text(&format!("/{}", "u".repeat(9000)), &[("User-Agent", b"curl/8")]);
        assert!(cut.ends_with("\"curl/8\" 42 1234") && cut.len() > MOST * 5 / 8, "{} {cut}", cut.len());
        let whole = text(&format!("/{}", "u".repeat(3800)), &USUAL);
        assert!(!whole.contains("..."), "{whole}");
    }

    #[test]
    fn a_character_is_not_cut_in_two() {
        let snakes = "\u{1f40d}".repeat(2000);
        let json = line(AccessFormat::Json, "/", &[("User-Agent", snakes.as_bytes())], Ending::Complete);
        assert!(json.contains("\u{1f40d}...\"") && !json.contains('\u{fffd}'), "{json}");
    }
}
