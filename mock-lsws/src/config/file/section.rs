//! One table of a configuration file, read key by key. Every mistake is noted with its place, and reading goes on.

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::keys::{self, KEYS};

/// What is wrong with a file so far, each with the byte it is wrong at.
#[derive(Debug, Default)]
pub(super) struct Mistakes(RefCell<Vec<(usize, String)>>);

impl Mistakes {
    pub(super) fn add(&self, place: usize, message: impl Into<String>) {
        let mistake = (place, message.into());
        let mut mistakes = self.0.borrow_mut();
        if !mistakes.contains(&mistake) {
            mistakes.push(mistake);
        }
    }

    /// Whether something is wrong at this place already.
    pub(super) fn has(&self, place: usize) -> bool {
        self.0.borrow().iter().any(|(known, _)| *known == place)
    }

    /// All of them, from the start of the file to its end.
    pub(super) fn into_sorted(self) -> Vec<(usize, String)> {
        let mut mistakes = self.0.into_inner();
        mistakes.sort_by_key(|(place, _)| *place);
        mistakes
    }
}

/// Where the keys of a section stand.
pub(super) type Places = Vec<(String, usize)>;

/// A table that is being read.
pub(super) struct Section<'a, 'i> {
    /// Its name in [`KEYS`].
    name: &'static str,
    place: usize,
    /// Relative paths are below this folder.
    folder: &'a Path,
    mistakes: &'a Mistakes,
    values: DeTable<'i>,
    places: Places,
}

impl<'a, 'i> Section<'a, 'i> {
    pub(super) fn new(
        name: &'static str,
        table: Spanned<DeTable<'i>>,
        folder: &'a Path,
        mistakes: &'a Mistakes,
    ) -> Self {
        let place = table.span().start;
        let values = table.into_inner();
        let places = values.iter().map(|(key, _)| (key.get_ref().to_string(), key.span().start)).collect();
        Self { name, place, folder, mistakes, values, places }
    }

    pub(super) const fn place(&self) -> usize {
        self.place
    }

    /// Where the value of `key` stands, or the whole table if it does not.
    pub(super) fn place_of(&self, key: &str) -> usize {
        self.places.iter().find(|(name, _)| name == key).map_or(self.place, |(_, place)| *place)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    pub(super) fn wrong(&self, key: &str, message: impl Into<String>) {
        self.mistakes.add(self.place_of(key), message);
    }

    fn take(&mut self, key: &str) -> Option<DeValue<'i>> {
        debug_assert!(
            keys::of(self.name).any(|known| known.name == key),
            "{key} is not in the table of keys"
        );
        self.values.remove(key).map(Spanned::into_inner)
    }

    /// Says that `key` has a value of the wrong kind.
    fn not<T>(&self, key: &str, value: &DeValue<'_>, wanted: &str) -> Option<T> {
        self.wrong(key, format!("`{key}` is {}: write {wanted}", shown(value)));
        None
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            DeValue::String(text) => Some(text.into_owned()),
            other => self.not(key, &other, "a text in quotes"),
        }
    }

    /// A text that has to be there.
    pub(super) fn required(&mut self, key: &str) -> Option<String> {
        self.require(key);
        self.text(key)
    }

    /// Says so if `key` is missing.
    pub(super) fn require(&self, key: &str) {
        if !self.has(key) {
            self.mistakes.add(self.place, format!("the key `{key}` is missing"));
        }
    }

    /// A name or a number, as users have both.
    pub(super) fn text_or_number(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            DeValue::String(text) => Some(text.into_owned()),
            DeValue::Integer(number) => Some(number.to_string()),
            other => self.not(key, &other, "a name or a number"),
        }
    }

    /// One of these words; the first is the name in the file.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let chosen = words.iter().find(|(word, _)| *word == text);
        if chosen.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.wrong(key, format!("unknown `{key}` `{text}`, expected one of {}", known.join(", ")));
        }
        chosen.map(|(_, value)| *value)
    }

    pub(super) fn number<T: TryFrom<i64>>(&mut self, key: &str) -> Option<T> {
        match self.take(key)? {
            DeValue::Integer(number) => {
                let converted = integer(&number).and_then(|number| T::try_from(number).ok());
                if converted.is_none() {
                    self.wrong(key, format!("`{key}` is {number}, which is out of range"));
                }
                converted
            }
            other => self.not(key, &other, "a whole number"),
        }
    }

    /// One of the numbers from 0 on, each with its meaning.
    pub(super) fn numbered<T: Copy>(&mut self, key: &str, meanings: &[T]) -> Option<T> {
        let number: i64 = self.number(key)?;
        let meaning = usize::try_from(number).ok().and_then(|number| meanings.get(number));
        if meaning.is_none() {
            self.wrong(key, format!("`{key}` is {number}; it goes from 0 to {}", meanings.len() - 1));
        }
        meaning.copied()
    }

    /// `true` or `false`, or as the real server writes it, 1 or 0.
    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.take(key)? {
            DeValue::Boolean(flag) => Some(flag),
            DeValue::Integer(number) if integer(&number) == Some(0) => Some(false),
            DeValue::Integer(number) if integer(&number) == Some(1) => Some(true),
            other => self.not(key, &other, "true or false"),
        }
    }

    /// Seconds.
    pub(super) fn seconds(&mut self, key: &str) -> Option<Duration> {
        let seconds: i64 = self.number(key)?;
        let time = u32::try_from(seconds).ok().map(|seconds| Duration::from_secs(seconds.into()));
        if time.is_none() {
            self.wrong(key, format!("`{key}` is {seconds}: write a number of seconds, 0 or more"));
        }
        time
    }

    /// Seconds, or -1 for no limit.
    pub(super) fn limit(&mut self, key: &str) -> Option<Option<Duration>> {
        if matches!(self.values.get(key).map(Spanned::get_ref), Some(DeValue::Integer(number)) if integer(number) == Some(-1))
        {
            self.take(key);
            return Some(None);
        }
        self.seconds(key).map(Some)
    }

    /// Bytes: a number, or a text such as "64K", "20M" or "2G".
    pub(super) fn size(&mut self, key: &str) -> Option<u64> {
        const WANTED: &str = "a number of bytes, or a text such as \"64K\", \"20M\" or \"2G\"";
        let value = self.take(key)?;
        let bytes = match &value {
            DeValue::Integer(number) => integer(number).and_then(|number| number.try_into().ok()),
            DeValue::String(text) => parse_size(text),
            _ => None,
        };
        bytes.or_else(|| self.not(key, &value, WANTED))
    }

    /// A umask: octal, as a number or a text.
    pub(super) fn octal(&mut self, key: &str) -> Option<u32> {
        let value = self.take(key)?;
        let number = match &value {
            DeValue::Integer(number) if number.radix() == 8 || number.as_str() == "0" => integer(number),
            DeValue::String(text) => i64::from_str_radix(text, 8).ok(),
            _ => None,
        };
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.or_else(|| self.not(key, &value, "it octal, as 0o022 or \"022\""))
    }

    /// A path; below the folder of the file if it is relative. A slash at its end stays.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key).map(|path| self.folder.join(path))
    }

    /// A path that has to be there.
    pub(super) fn required_path(&mut self, key: &str) -> Option<PathBuf> {
        self.require(key);
        self.path(key)
    }

    /// A list of words: an array, or one text with commas between them.
    pub(super) fn words(&mut self, key: &str) -> Option<Vec<String>> {
        match self.take(key)? {
            DeValue::String(text) => Some(text.split(',').map(|word| word.trim().to_owned()).collect()),
            DeValue::Array(items) => self.texts(key, items),
            other => self.not(key, &other, "a list, such as [\"wsgi\", \"py\"] or \"wsgi, py\""),
        }
    }

    fn texts(&self, key: &str, items: DeArray<'_>) -> Option<Vec<String>> {
        let text = |item: Spanned<DeValue<'_>>| match item.into_inner() {
            DeValue::String(text) => Some(text.into_owned()),
            other => self.not(key, &other, "texts in quotes"),
        };
        items.into_iter().map(text).collect()
    }

    /// Variables: a table, or a list of "NAME=value".
    pub(super) fn variables(&mut self, key: &str) -> Option<Vec<(String, String)>> {
        match self.take(key)? {
            DeValue::Table(table) => table
                .into_iter()
                .map(|(name, value)| match value.into_inner() {
                    DeValue::String(text) => Some((name.into_inner().into_owned(), text.into_owned())),
                    other => self.not(key, &other, "every value in quotes"),
                })
                .collect(),
            DeValue::Array(items) => {
                let split = |line: String| match line.split_once('=') {
                    Some((name, value)) => Some((name.to_owned(), value.to_owned())),
                    None => {
                        self.wrong(key, format!("`{line}` is no variable: write \"NAME=value\""));
                        None
                    }
                };
                self.texts(key, items)?.into_iter().map(split).collect()
            }
            other => {
                self.not(key, &other, "a table, such as { NAME = \"value\" }, or a list of \"NAME=value\"")
            }
        }
    }

    /// Variables of an environment.
    pub(super) fn environment(&mut self, key: &str) -> Option<Vec<(OsString, OsString)>> {
        let variables = self.variables(key)?;
        Some(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The tables below `key`, a section of its own in [`KEYS`]: `[key]` or several `[[key]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Self> {
        let (folder, mistakes) = (self.folder, self.mistakes);
        let section = |value: Spanned<DeValue<'i>>| {
            let span = value.span();
            match value.into_inner() {
                DeValue::Table(table) => Some(Self::new(key, Spanned::new(span, table), folder, mistakes)),
                other => {
                    mistakes.add(span.start, format!("`{key}` is {}: write [[{key}]]", shown(&other)));
                    None
                }
            }
        };
        let Some(value) = self.values.remove(key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().filter_map(section).collect(),
            other => section(Spanned::new(span, other)).into_iter().collect(),
        }
    }

    /// Complains about all keys nobody has asked for, and tells where the others are. `kind` is what the table turned out
    /// to be, where that decides which keys it has.
    pub(super) fn finish(self, kind: &str) -> Places {
        for (key, _) in &self.values {
            let name: &str = key.get_ref();
            let message = if keys::of(self.name).any(|known| known.name == name) {
                format!("`{name}` has no meaning {kind}")
            } else {
                let known: Vec<_> = keys::of(self.name).map(|known| format!("`{}`", known.name)).collect();
                let sections = KEYS.iter().filter(|_| self.name.is_empty()).map(|key| key.section);
                let mut sections: Vec<_> = sections.filter(|section| !section.is_empty()).collect();
                sections.dedup();
                let sections = sections.into_iter().map(|section| format!("`{section}`"));
                let known = known.into_iter().chain(sections).collect::<Vec<_>>().join(", ");
                format!("unknown key `{name}`, expected one of {known}")
            };
            self.mistakes.add(key.span().start, message);
        }
        let mut places = self.places;
        places.push((String::new(), self.place));
        places
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A number of bytes such as `64K`, `20M`, `2G` or `512`; `None` if it is none.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let shift = match text.chars().last()? {
        'K' | 'k' => 10,
        'M' | 'm' => 20,
        'G' | 'g' => 30,
        _ => 0,
    };
    let digits = if shift == 0 { text } else { text.get(..text.len() - 1)? };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// A value in words, short enough for one line.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => {
            let start: String = text.chars().take(40).collect();
            format!("the text \"{}\"", start.escape_debug())
        }
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
