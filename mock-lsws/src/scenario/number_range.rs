//! Numbers a value may have, some of them known only while a case runs.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::template::Template;
use super::vars::Vars;

/// A number, bounds with both ends included, or `"{name:int}"`, which captures it.
#[derive(Clone, Debug)]
pub struct NumberRange {
    capture: Option<Template>,
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
    /// What was expected instead of `number`, if it is out of range; else it is captured where that is asked for.
    pub fn refuses(&self, number: i64, vars: &mut Vars) -> Option<String> {
        if let Some(template) = &self.capture {
            return match template.captures(number.to_string().as_bytes(), vars) {
                Some(captured) => {
                    vars.absorb(captured);
                    None
                }
                None => Some(template.show(vars)),
            };
        }
        let vars = &*vars;
        let end = |bound: &Option<Bound>| bound.as_ref().map(|bound| bound.value(vars));
        match (end(&self.min), end(&self.max)) {
            (Some(None), _) | (_, Some(None)) => {
                Some("a range whose ends are numbers captured earlier".to_owned())
            }
            (Some(Some(min)), Some(Some(max))) if min == max => (number != min).then(|| min.to_string()),
            (min, max) => {
                let (min, max) = (min.flatten(), max.flatten());
                let outside = min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max);
                outside.then(|| match (min, max) {
                    (Some(min), Some(max)) => format!("{min} to {max}"),
                    (Some(min), None) => format!("{min} or more"),
                    (None, Some(max)) => format!("{max} or less"),
                    (None, None) => "a number".to_owned(),
                })
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RangeTable {
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
                Ok(NumberRange { capture: None, min: bound.clone(), max: bound })
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<NumberRange, E> {
                if let Ok(template) = Template::parse(text)
                    && template.names().any(|(_, is_number)| is_number)
                {
                    return Ok(NumberRange { capture: Some(template), min: None, max: None });
                }
                let bound = Some(bound(text).map_err(E::custom)?);
                Ok(NumberRange { capture: None, min: bound.clone(), max: bound })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<NumberRange, A::Error> {
                let table = RangeTable::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(NumberRange { capture: None, min: table.min, max: table.max })
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
    let (base, sign, operand) = match (text.split_once('+'), text.split_once('-')) {
        (Some((base, operand)), _) => (base, 1, operand),
        (None, Some((base, operand))) => (base, -1, operand),
        (None, None) => (text, 1, "0"),
    };
    let base = Template::parse(base.trim())?;
    let operand: i64 = operand.trim().parse().map_err(|_| wrong())?;
    if base.names().next().is_none() {
        return Err(wrong());
    }
    Ok(Bound { base: Some(base), plus: operand.saturating_mul(sign) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        value: NumberRange,
    }

    fn read(value: &str) -> Result<NumberRange, toml::de::Error> {
        toml::from_str::<Holder>(&format!("value = {value}")).map(|holder| holder.value)
    }

    #[test]
    fn numbers_are_compared_with_what_is_known() {
        let mut vars = Vars::default();
        assert_eq!(read("'{n:int}'").unwrap().refuses(10, &mut vars), None);
        assert_eq!(vars.get("n"), Some("10"));
        for (range, right, wrong) in [
            ("10", 10, 11),
            ("'{n}'", 10, 11),
            ("'{n} - 3'", 7, 10),
            ("'{n:int}'", 10, 11),
            ("{ min = '{n}+1' }", 11, 10),
            ("{ min = 1, max = 3 }", 3, 4),
        ] {
            let range = read(range).unwrap();
            assert_eq!(range.refuses(right, &mut vars), None, "{range:?}");
            assert!(range.refuses(wrong, &mut vars).is_some(), "{range:?}");
        }
        assert!(read("'five'").is_err() && read("'{n}+x'").is_err() && read("true").is_err());
    }
}
