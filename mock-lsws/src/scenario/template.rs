//! Strings with `{names}` in them: rendered into what is sent, matched against what arrives.

use std::convert::Infallible;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::vars::Vars;

/// The name of a place that takes anything and does not keep it.
const ANYTHING: &str = "_";

/// A string with places for values.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Var { name: String, kind: Kind },
}

/// What an unbound place takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// At least one byte, no line break.
    Text,
    /// Decimal digits, written `{name:int}`.
    Int,
}

/// A template could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{{{name}}}` has no value yet: no earlier step captured it")]
pub struct TemplateError {
    /// The name without a value.
    pub name: String,
}

impl Template {
    /// Reads a template; `{{` and `}}` are literal braces.
    ///
    /// # Errors
    /// A sentence about the place that is wrong.
    pub fn parse(source: &str) -> Result<Self, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = String::new();
        let mut rest = source;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, tail) = rest.split_at(at);
            literal.push_str(before);
            if let Some(tail) = tail.strip_prefix("{{") {
                literal.push('{');
                rest = tail;
            } else if let Some(tail) = tail.strip_prefix("}}") {
                literal.push('}');
                rest = tail;
            } else if let Some((name, tail)) = tail.strip_prefix('{').and_then(|tail| tail.split_once('}')) {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                } else if matches!(parts.last(), Some(Part::Var { .. })) {
                    return Err(format!(
                        "in `{source}` nothing separates `{{{name}}}` from the value before it"
                    ));
                }
                parts.push(var(source, name)?);
                rest = tail;
            } else {
                return Err(format!(
                    "in `{source}` a brace stands alone: write `{{{{` or `}}}}` for the character"
                ));
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { source: source.to_owned(), parts })
    }

    /// The names in it, and whether each stands for a number. `{_}` has none.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Var { name, kind } if name != ANYTHING => Some((name.as_str(), *kind == Kind::Int)),
            _ => None,
        })
    }

    /// The text with all values filled in.
    ///
    /// # Errors
    /// [`TemplateError`] names the value that is missing.
    pub fn render(&self, vars: &Vars) -> Result<String, TemplateError> {
        self.fill(vars, |name| Err(TemplateError { name: name.to_owned() }))
    }

    /// The text with the values there are; places without one stay as they are written.
    #[must_use]
    pub fn show(&self, vars: &Vars) -> String {
        match self.fill(vars, |name| Ok::<_, Infallible>(format!("{{{name}}}"))) {
            Ok(text) => text,
        }
    }

    fn fill<E>(&self, vars: &Vars, missing: impl Fn(&str) -> Result<String, E>) -> Result<String, E> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Var { name, .. } => match vars.get(name) {
                    Some(value) => text.push_str(value),
                    None => text.push_str(&missing(name)?),
                },
            }
        }
        Ok(text)
    }

    /// Whether `text` as a whole is what this describes. Returns the values captured, none of them bound before.
    ///
    /// A place takes the shortest text up to where what follows it begins.
    #[must_use]
    pub fn captures(&self, text: &[u8], vars: &Vars) -> Option<Vars> {
        let mut captured = Vars::default();
        let mut rest = text;
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            let (name, kind) = match part {
                Part::Literal(literal) => {
                    rest = rest.strip_prefix(literal.as_bytes())?;
                    continue;
                }
                Part::Var { name, kind } => (name, *kind),
            };
            if let Some(value) = vars.get(name).or_else(|| captured.get(name)) {
                rest = rest.strip_prefix(value.as_bytes())?;
                continue;
            }
            let end = match (kind, parts.peek()) {
                (Kind::Int, _) => rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len()),
                (Kind::Text, Some(Part::Literal(next))) => find(rest, next.as_bytes(), 1)?,
                (Kind::Text, _) => rest.len(),
            };
            let (value, tail) = rest.split_at_checked(end)?;
            let value =
                std::str::from_utf8(value).ok().filter(|value| !value.is_empty() && !value.contains('\n'))?;
            if name != ANYTHING {
                captured.set(name, value);
            }
            rest = tail;
        }
        rest.is_empty().then_some(captured)
    }
}

fn var(source: &str, place: &str) -> Result<Part, String> {
    let (name, kind) = match place.split_once(':') {
        None => (place, Kind::Text),
        Some((name, "int")) => (name, Kind::Int),
        Some((_, kind)) => {
            return Err(format!("in `{source}` the kind `{kind}` is unknown: there is only `int`"));
        }
    };
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.');
    if !is_name && name != ANYTHING {
        return Err(format!(
            "in `{source}` `{{{place}}}` is no name: names are lower-case letters, digits and `_`; write `{{{{` for a brace"
        ));
    }
    Ok(Part::Var { name: name.to_owned(), kind })
}

/// Where `needle` first is in `haystack` at or after `from`.
pub(crate) fn find(haystack: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let tail = haystack.get(from..)?;
    if needle.is_empty() {
        return Some(from);
    }
    tail.windows(needle.len()).position(|window| window == needle).map(|at| at + from)
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.source)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TemplateVisitor;
        impl Visitor<'_> for TemplateVisitor {
            type Value = Template;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Template, E> {
                Template::parse(text).map_err(E::custom)
            }

            // A name in a text may stand for a number.
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Template, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(TemplateVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(source: &str) -> Template {
        Template::parse(source).unwrap()
    }

    #[test]
    fn the_first_use_captures_and_later_uses_must_be_equal() {
        let mut vars = Vars::default();
        let captured = template("pid {pid}, again {pid}").captures(b"pid 42, again 42", &vars).unwrap();
        assert_eq!(captured.get("pid"), Some("42"));
        vars.absorb(captured);
        assert!(template("{pid}").captures(b"42", &vars).is_some());
        assert!(template("{pid}").captures(b"43", &vars).is_none());
        assert!(template("pid {x}, again {x}").captures(b"pid 42, again 43", &vars).is_none());
    }

    #[test]
    fn a_place_takes_something_and_stays_on_its_line() {
        let vars = Vars::default();
        assert!(template("{x}").captures(b"", &vars).is_none());
        assert!(template("{x}").captures(b"a\nb", &vars).is_none());
        assert!(template("{x:int}").captures(b"4x", &vars).is_none());
        assert_eq!(template("a{x}c").captures(b"accc", &vars).map(|v| v.get("x").map(str::to_owned)), None);
        assert_eq!(template("a{x}c").captures(b"abc", &vars).unwrap().get("x"), Some("b"));
        assert_eq!(template("{_} {_:int}").captures(b"a 1", &vars), Some(Vars::default()));
        assert!(template("{_} {_:int}").captures(b"a b", &vars).is_none());
    }

    #[test]
    fn braces_are_doubled_and_mistakes_are_named() {
        assert_eq!(template("{{a}}").render(&Vars::default()).unwrap(), "{a}");
        for (source, word) in [
            ("{", "stands alone"),
            ("a}", "stands alone"),
            ("{A}", "no name"),
            ("{a}{b}", "separates"),
            ("{a:hex}", "kind"),
        ] {
            assert!(Template::parse(source).unwrap_err().contains(word), "{source}");
        }
        let missing = template("/{pid}").render(&Vars::default()).unwrap_err();
        assert_eq!(missing.to_string(), "`{pid}` has no value yet: no earlier step captured it");
    }
}
