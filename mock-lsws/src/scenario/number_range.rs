//! Numbers a value may have, some of them known only while a case runs.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::template::Template;
use super::vars::Vars;

/// A number, or bounds with both ends included.
#[derive(Clone, Debug)]
pub(crate) struct NumberRange {
    min: Option<Bound>,
    max: Option<Bound>,
}

/// A number: as such, captured earlier (`"{n}"`), or with something added (`"{n}+5"`).
#[derive(Clone, Debug)]
struct Bound {
    base: Option<Template>,
    plus: i64,
}

impl Bound {
    fn value(&self, vars: &Vars) -> Option<i64> {
        let base = match &self.base {
            Some(template) => template.render(vars).ok()?.parse::<i64>().ok()?,
            None => 0,
        };
        base.checked_add(self.plus)
    }
}

impl NumberRange {
    /// What was expected instead of `number`, if it is out of range.
    pub(crate) fn refuses(&self, number: i64, vars: &Vars) -> Option<String> {
        let end = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.value(vars));
        match (end(&self.min), end(&self.max)) {
            (Some(None), _) | (_, Some(None)) => {
                Some("a range whose ends are numbers captured earlier".to_owned())
            }
            (Some(Some(min)), Some(Some(max))) if min == max => (number != min).then(|| min.to_string()),
            (min, max) => {
                let (min, max) = (min.flatten(), max.flatten());
                let outside = min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max);
                let show = |end: Option<i64>| end.map_or_else(String::new, |end| end.to_string());
                outside.then(|| format!("a number in {}..={}", show(min), show(max)))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeTable {
    min: Option<Bound>,
    max: Option<Bound>,
}

impl<'de> Deserialize<'de> for NumberRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RangeVisitor;
        impl<'de> Visitor<'de> for RangeVisitor {
            type Value = NumberRange;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a table with `min` and `max`")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<NumberRange, E> {
                let bound = Some(Bound { base: None, plus: number });
                Ok(NumberRange { min: bound.clone(), max: bound })
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<NumberRange, E> {
                let bound = Some(bound(text).map_err(E::custom)?);
                Ok(NumberRange { min: bound.clone(), max: bound })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<NumberRange, A::Error> {
                let table = RangeTable::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(NumberRange { min: table.min, max: table.max })
            }
        }
        deserializer.deserialize_any(RangeVisitor)
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BoundVisitor;
        impl Visitor<'_> for BoundVisitor {
            type Value = Bound;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a text such as \"{before}+5\"")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Bound, E> {
                Ok(Bound { base: None, plus: number })
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bound, E> {
                bound(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(BoundVisitor)
    }
}

fn bound(text: &str) -> Result<Bound, String> {
    let wrong = || format!("`{text}` is not a number: write `5`, `\"{{before}}\"` or `\"{{before}}+5\"`");
    let (base, plus) = text.split_once('+').unwrap_or((text, "0"));
    let base = Template::parse(base.trim())?;
    Ok(Bound { base: Some(base), plus: plus.trim().parse().map_err(|_| wrong())? })
}
