//! What a value that arrived (a body, a header, a payload) has to be.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use super::bytes_spec::BytesSpec;
use super::number_range::NumberRange;
use super::one_or_many::OneOrMany;
use super::shorthand::{self, Shorthand};
use super::template::{Template, find};
use super::vars::Vars;

/// Bytes of a value shown in a message.
const EXCERPT: usize = 200;

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What was looked at, for example `status` or `header Content-Type`.
    pub field: String,
    /// What it should have been.
    pub expected: String,
    /// What it was.
    pub actual: String,
    /// Where the value begins to be another than expected, in bytes from its start, if that can be said.
    pub differs_at: Option<usize>,
}

impl Mismatch {
    /// A difference in `field`.
    #[must_use]
    pub fn new(field: impl Into<String>, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { field: field.into(), expected: expected.into(), actual: actual.into(), differs_at: None }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.field, self.expected, self.actual)
    }
}

/// Conditions on a value; all of them have to hold. As a plain string: the exact text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub struct Matcher {
    /// The exact text.
    text: Option<Template>,
    /// The exact bytes.
    bytes: Option<BytesSpec>,
    /// Texts that occur in it.
    contains: OneOrMany<Template>,
    /// Texts that do not.
    excludes: OneOrMany<Template>,
    /// How it begins.
    starts_with: Option<Template>,
    /// Whole lines that occur in it, in any order.
    lines: OneOrMany<Template>,
    /// Beginnings that no line of it has.
    no_line_starts: OneOrMany<Template>,
    /// Its length in bytes.
    length: Option<NumberRange>,
    /// Its SHA-256, in hexadecimal.
    sha256: Option<String>,
    /// It is a decimal number in this range.
    number: Option<NumberRange>,
}

impl Matcher {
    /// Compares `value` with every condition and binds what was captured. `field` names the value in the messages;
    /// `root` is the folder of all scenarios.
    pub fn check(&self, field: &str, value: &[u8], root: &Path, vars: &mut Vars) -> Vec<Mismatch> {
        let mut wrong = Vec::new();
        let mut expect_like = |right: bool, expected: String, like: Option<&[u8]>| {
            if !right {
                let differs_at = like.map(|like| common(like, value));
                wrong.push(Mismatch { differs_at, ..Mismatch::new(field, expected, excerpt(value)) });
            }
        };
        let mut captured = Vars::default();
        if let Some(text) = &self.text {
            let found = text.captures(value, vars);
            // With names still open there is no one text it could be like.
            let like = text.render(vars).ok();
            let like = like.as_deref().map(str::as_bytes);
            expect_like(found.is_some(), format!("{:?}", text.show(vars)), like);
            captured.absorb(found.unwrap_or_default());
        }
        if let Some(bytes) = &self.bytes {
            match bytes.make(root, vars) {
                Ok(bytes) => expect_like(bytes == value, first_difference(&bytes, value), Some(&bytes)),
                Err(error) => expect_like(false, error.to_string(), None),
            }
        }
        if let Some(start) = &self.starts_with {
            let rendered = start.render(vars);
            let like = rendered.as_deref().ok().map(str::as_bytes);
            let right = like.is_some_and(|like| value.starts_with(like));
            expect_like(right, format!("something that starts with {:?}", start.show(vars)), like);
        }
        let mut expect = |right: bool, expected: String| expect_like(right, expected, None);
        for text in &self.contains.0 {
            let found = text.render(vars).is_ok_and(|text| find(value, text.as_bytes(), 0).is_some());
            expect(found, format!("something that contains {:?}", text.show(vars)));
        }
        for text in &self.excludes.0 {
            let found = text.render(vars).map_or(true, |text| find(value, text.as_bytes(), 0).is_some());
            expect(!found, format!("nothing that contains {:?}", text.show(vars)));
        }
        let lines: Vec<&[u8]> = value.split(|byte| *byte == b'\n').collect();
        for line in &self.lines.0 {
            let found = lines.iter().find_map(|candidate| line.captures(candidate, vars));
            expect(found.is_some(), format!("a line {:?}", line.show(vars)));
            captured.absorb(found.unwrap_or_default());
        }
        for start in &self.no_line_starts.0 {
            let start_text = start.show(vars);
            let found = lines.iter().find(|line| line.starts_with(start_text.as_bytes()));
            expect(found.is_none(), format!("no line that starts with {start_text:?}"));
        }
        if let Some(range) = &self.length {
            let len = i64::try_from(value.len()).unwrap_or(i64::MAX);
            if let Some(expected) = range.refuses(len, vars) {
                wrong.push(Mismatch::new(format!("length of {field}"), expected, len.to_string()));
            }
        }
        if let Some(sum) = &self.sha256 {
            let actual = sha256_hex(value);
            if !actual.eq_ignore_ascii_case(sum) {
                wrong.push(Mismatch::new(format!("SHA-256 of {field}"), sum.as_str(), actual));
            }
        }
        if let Some(range) = &self.number {
            let number = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<i64>().ok());
            let expected = match number {
                Some(number) => range.refuses(number, vars),
                None => Some("a decimal number".to_owned()),
            };
            wrong.extend(expected.map(|expected| Mismatch::new(field, expected, excerpt(value))));
        }
        vars.absorb(captured);
        wrong
    }

    /// A short description, for messages about a value that is not there at all.
    #[must_use]
    pub fn describe(&self, vars: &Vars) -> String {
        let texts = |word: &'static str, texts: &OneOrMany<Template>| {
            let shown = texts.0.iter().map(|text| text.show(vars));
            shown.map(|text| format!("something that {word} {text:?}")).collect::<Vec<_>>()
        };
        let mut conditions: Vec<String> =
            self.text.iter().map(|text| format!("{:?}", text.show(vars))).collect();
        conditions.extend(
            self.starts_with.iter().map(|text| format!("something that starts with {:?}", text.show(vars))),
        );
        conditions.extend(texts("contains", &self.contains));
        conditions.extend(texts("does not contain", &self.excludes));
        if conditions.is_empty() { "a value".to_owned() } else { conditions.join(" and ") }
    }
}

/// SHA-256 of `bytes` in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The beginning of `bytes` in quotes, with what is not printable escaped.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let shown = bytes.get(..EXCERPT).unwrap_or(bytes);
    let more = if bytes.len() > shown.len() { format!("... ({} bytes)", bytes.len()) } else { String::new() };
    format!("\"{}\"{more}", shown.escape_ascii())
}

/// How many bytes two values have in common at their beginning.
fn common(expected: &[u8], actual: &[u8]) -> usize {
    expected.iter().zip(actual).take_while(|(a, b)| a == b).count()
}

fn first_difference(expected: &[u8], actual: &[u8]) -> String {
    let at = common(expected, actual);
    let from = at.saturating_sub(8);
    let around = excerpt(expected.get(from..expected.len().min(at + 24)).unwrap_or_default());
    format!(
        "{} bytes (given: {}), first difference at byte {at}, where it goes on {around}",
        expected.len(),
        actual.len()
    )
}

impl Shorthand for Matcher {
    type Table = MatcherTable;
    const EXPECTING: &'static str = "a text, or a table of conditions such as `contains` or `length`";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self { text: Some(Template::parse(text)?), ..Self::default() })
    }

    fn from_table(table: MatcherTable) -> Result<Self, String> {
        Ok(table.0)
    }
}

/// The long form, read field by field.
pub(crate) struct MatcherTable(Matcher);

impl<'de> Deserialize<'de> for MatcherTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Matcher::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        shorthand::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        value: Matcher,
    }

    fn check(matcher: &str, value: &[u8], vars: &mut Vars) -> Vec<String> {
        let holder: Holder = toml::from_str(&format!("value = {matcher}")).unwrap();
        holder.value.check("body", value, Path::new("."), vars).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_condition_holds_or_says_what_it_wanted() {
        let cases: &[(&str, &[u8], &[u8])] = &[
            (r#""abc""#, b"abc", b"abcd"),
            (r#"{ bytes = { hex = "0001" } }"#, b"\0\x01", b"\0\x02"),
            (r#"{ contains = "b" }"#, b"abc", b"ac"),
            (r#"{ contains = ["a", "c"] }"#, b"abc", b"ab"),
            (r#"{ excludes = "b" }"#, b"ac", b"abc"),
            (r#"{ starts_with = "ab" }"#, b"abc", b"bc"),
            (r#"{ lines = ["A=1", "B=2"] }"#, b"B=2\nA=1\n", b"A=1\nB=22\n"),
            (r#"{ no_line_starts = "LSAPI_" }"#, b"A=LSAPI_\n", b"A=1\nLSAPI_X=1\n"),
            ("{ length = 3 }", b"abc", b"ab"),
            ("{ length = { min = 2, max = 3 } }", b"ab", b"a"),
            ("{ number = { min = 5 } }", b"5", b"4"),
            ("{ number = 5 }", b"5\n", b"five"),
            (
                r#"{ sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" }"#,
                b"abc",
                b"abd",
            ),
        ];
        for (matcher, right, wrong) in cases {
            assert_eq!(check(matcher, right, &mut Vars::default()), Vec::<String>::new(), "{matcher}");
            assert_eq!(check(matcher, wrong, &mut Vars::default()).len(), 1, "{matcher}");
        }
    }

    #[test]
    fn captures_are_bound_and_bounds_can_use_them() {
        let mut vars = Vars::default();
        assert!(check(r#"{ lines = "ticks={before:int}" }"#, b"a\nticks=10\n", &mut vars).is_empty());
        assert_eq!(vars.get("before"), Some("10"));
        assert!(check(r#"{ number = { min = "{before}+5" } }"#, b"15", &mut vars).is_empty());
        let wrong = check(r#"{ number = { min = "{before}+5" } }"#, b"14", &mut vars);
        assert_eq!(wrong, ["body: expected 15 or more, got \"14\""]);
    }

    #[test]
    fn the_first_byte_that_differs_is_told_where_there_is_one() {
        let at = |matcher: &str, value: &[u8]| {
            let holder: Holder = toml::from_str(&format!("value = {matcher}")).unwrap();
            holder.value.check("body", value, Path::new("."), &mut Vars::default())[0].differs_at
        };
        assert_eq!(at("\"abc\"", b"abd"), Some(2));
        assert_eq!(at("\"abc\"", b"abcd"), Some(3));
        assert_eq!(at("{ bytes = { hex = '0001' } }", b"\0\0"), Some(1));
        assert_eq!(at("{ starts_with = 'ab' }", b"b"), Some(0));
        assert_eq!(at("{ contains = 'ab' }", b"b"), None);
        assert_eq!(at("\"a{n:int}\"", b"ax"), None);
    }

    #[test]
    fn a_message_shows_both_sides() {
        let wrong = check(r#""a{x}""#, b"b\0", &mut Vars::default());
        assert_eq!(wrong, [r#"body: expected "a{x}", got "b\x00""#]);
        let wrong = check(r#"{ bytes = "abc" }"#, b"abd", &mut Vars::default());
        assert!(wrong[0].contains("first difference at byte 2"), "{wrong:?}");
    }
}
