//! Values that may be written as a plain string or, when there is more to say, as a table.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value with a short form.
pub(crate) trait Shorthand: Sized + DeserializeOwned {
    /// The long form.
    type Table: DeserializeOwned;

    /// What is accepted, for messages: `expected ...`.
    const EXPECTING: &'static str;

    /// From the short form.
    fn from_text(text: &str) -> Result<Self, String>;

    /// From the long form.
    fn from_table(table: Self::Table) -> Result<Self, String>;

    /// From a list of values, where a list means something.
    fn from_list(_items: Vec<Self>) -> Result<Self, String> {
        Err(format!("expected {}, not a list", Self::EXPECTING))
    }
}

struct ShorthandVisitor<T>(PhantomData<T>);

impl<'de, T: Shorthand> Visitor<'de> for ShorthandVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTING)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::from_text(text).map_err(E::custom)
    }

    // A name in a text may stand for a number.
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let table = de::Deserialize::deserialize(MapAccessDeserializer::new(map))?;
        T::from_table(table).map_err(de::Error::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        T::from_list(items).map_err(de::Error::custom)
    }
}

/// Reads either form.
pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: Shorthand>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(ShorthandVisitor(PhantomData))
}
