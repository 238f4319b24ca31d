//! Values a scenario file gives names to: its `[matrix]`, its `[vars]` and what the subject declares.
//!
//! Names are replaced by values before the file is read as a scenario, so a value can stand for anything: a number, a
//! duration, a part of a text, a key, a whole table. What the strings mean otherwise is left to the reader.

use std::collections::BTreeMap;
use std::ops::Range;

use bumpalo::Bump;
use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeString, DeTable, DeValue};

use super::declared::Declared;
use super::error::Mistake;
use super::matrix::{axes, named_values};
use super::time::Time;

/// Most cases one file makes.
const MOST_CASES: usize = 500;

/// Bytes that the names of one case may stand for altogether: each can stand for many others.
const MOST_BYTES: usize = 64 << 20;

/// Keys, with the key of the table they are in, whose texts are programs: their braces are no names.
const VERBATIM: [(&str, &str); 3] = [("start", "wsgi"), ("start", "files"), ("step", "write_files")];

/// One case of a file.
pub(crate) struct Expanded<'i> {
    /// What its ID has behind the file's: `[k=v]`, or nothing.
    pub(crate) suffix: String,
    /// The file without `[matrix]` and `[vars]`, all names replaced.
    pub(crate) table: DeTable<'i>,
}

/// Makes the cases of the file that `table` is, in the order of the values. Texts that are made live in `texts`.
pub(crate) fn expand<'i>(
    mut table: DeTable<'i>,
    declared: &Declared,
    texts: &'i Bump,
) -> Result<Vec<Expanded<'i>>, Mistake> {
    let matrix = table.remove("matrix");
    let vars = table.remove("vars");
    let axes = matrix.map_or(Ok(Vec::new()), axes)?;
    let vars = vars.map_or(Ok(DeTable::new()), |vars| named_values(vars, "vars"))?;
    for (name, _) in &vars {
        if axes.iter().any(|axis| axis.name == *name) {
            return Err((
                name.span().start,
                format!("`{name}` is in `[matrix]` already: give it another name"),
            ));
        }
    }
    let count = axes.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.values.len()));
    if let (None | Some(MOST_CASES..), Some(first)) = (count, axes.first()) {
        let message = format!("this matrix makes {MOST_CASES} cases or more: split it up");
        return Err((first.name.span().start, message));
    }
    let mut cases = Vec::new();
    for index in 0..count.unwrap_or_default() {
        let mut names = Names { declared, texts, known: BTreeMap::new(), bytes: 0 };
        let mut labels = Vec::new();
        let mut chosen = Vec::new();
        // The last name changes fastest.
        let mut rest = index;
        for axis in axes.iter().rev() {
            if let Some((label, value)) = axis.values.get(rest % axis.values.len()) {
                labels.push(format!("{}={label}", axis.name));
                chosen.push((&axis.name, names.replace_value(value.clone(), "")?));
            }
            rest /= axis.values.len();
        }
        for (name, value) in chosen {
            names.add(name, value);
        }
        labels.reverse();
        for (name, value) in &vars {
            let value = names.replace_value(value.clone(), "")?;
            names.add(name, value);
        }
        let table = names.replace_table(table.clone(), "")?;
        if let Some((name, known)) = names.known.iter().find(|(_, known)| !known.is_used) {
            return Err((
                known.place.start,
                format!("`{name}` is never used: no value has `{{{name}}}` in it"),
            ));
        }
        let suffix = if labels.is_empty() { String::new() } else { format!("[{}]", labels.join(",")) };
        cases.push(Expanded { suffix, table });
    }
    Ok(cases)
}

/// A value as part of a text, if it is one that can be.
pub(crate) fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(date) => Some(date.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// About how many bytes `value` takes.
fn size_of(value: &DeValue<'_>) -> usize {
    match value {
        DeValue::String(text) => 16 + text.len(),
        DeValue::Array(items) => 16 + items.iter().map(|item| size_of(item.get_ref())).sum::<usize>(),
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, value)| key.get_ref().len() + size_of(value.get_ref()));
            16 + entries.sum::<usize>()
        }
        _ => 16,
    }
}

/// The names that mean something where a value stands.
struct Names<'i, 'd> {
    declared: &'d Declared,
    texts: &'i Bump,
    known: BTreeMap<String, Known<'i>>,
    /// What they have stood for so far.
    bytes: usize,
}

struct Known<'i> {
    value: DeValue<'i>,
    /// Where the name is given.
    place: Range<usize>,
    is_used: bool,
}

impl<'i> Names<'i, '_> {
    fn add(&mut self, name: &Spanned<DeString<'i>>, value: Spanned<DeValue<'i>>) {
        let known = Known { value: value.into_inner(), place: name.span(), is_used: false };
        self.known.insert(name.get_ref().to_string(), known);
    }

    /// The value of `name`; nothing for names that only a running case knows.
    fn get(&mut self, name: &str) -> Result<Option<DeValue<'i>>, String> {
        if let Some(known) = self.known.get_mut(name) {
            known.is_used = true;
            self.bytes = self.bytes.saturating_add(size_of(&known.value));
            if self.bytes > MOST_BYTES {
                let most = MOST_BYTES >> 20;
                return Err(format!(
                    "with `{{{name}}}` the names of this case stand for more than {most} MiB"
                ));
            }
            return Ok(Some(known.value.clone()));
        }
        let Some(declared) = name.strip_prefix("subject.") else { return Ok(None) };
        let Some(value) = self.declared.get(declared) else {
            let names = Declared::NAMES.map(|name| format!("`subject.{name}`")).join(", ");
            return Err(format!("unknown name `{name}`, expected one of {names}"));
        };
        Ok(Some(self.scalar(&value)))
    }

    /// A number where `text` is one, else a string.
    fn scalar(&self, text: &str) -> DeValue<'i> {
        match text.parse::<i64>() {
            Ok(number) => self.integer(number),
            Err(_) => DeValue::String(text.to_owned().into()),
        }
    }

    /// The TOML library makes integers from source text only, and every number is one.
    fn integer(&self, number: i64) -> DeValue<'i> {
        let text = self.texts.alloc_str(&number.to_string());
        DeValue::parse(text).map_or_else(|_| DeValue::Integer(DeInteger::default()), Spanned::into_inner)
    }

    /// `under` is the key that `table` stands under, if any.
    fn replace_table(&mut self, table: DeTable<'i>, under: &str) -> Result<DeTable<'i>, Mistake> {
        let mut replaced = DeTable::new();
        for (key, value) in table {
            let place = key.span();
            if VERBATIM.contains(&(under, key.get_ref())) {
                replaced.insert(key, value);
                continue;
            }
            let key = match self.replace_in_text(key.get_ref()).map_err(|message| (place.start, message))? {
                Some(text) => Spanned::new(place.clone(), text.into()),
                None => key,
            };
            let value = self.replace_value(value, key.get_ref())?;
            if replaced.contains_key(key.get_ref().as_ref()) {
                return Err((place.start, format!("`{key}` is there already")));
            }
            replaced.insert(key, value);
        }
        Ok(replaced)
    }

    /// `under` is the key that `value` stands under, if any.
    fn replace_value(
        &mut self,
        value: Spanned<DeValue<'i>>,
        under: &str,
    ) -> Result<Spanned<DeValue<'i>>, Mistake> {
        let place = value.span();
        let replaced = match value.into_inner() {
            DeValue::String(text) => match self.replace_whole(&text) {
                Ok(Some(value)) => value,
                Ok(None) => match self.replace_in_text(&text).map_err(|message| (place.start, message))? {
                    Some(text) => DeValue::String(text.into()),
                    None => DeValue::String(text),
                },
                Err(message) => return Err((place.start, message)),
            },
            DeValue::Array(items) => {
                let items = items.into_iter().map(|item| self.replace_value(item, under));
                DeValue::Array(items.collect::<Result<DeArray<'i>, _>>()?)
            }
            DeValue::Table(table) => DeValue::Table(self.replace_table(table, under)?),
            other => other,
        };
        Ok(Spanned::new(place, replaced))
    }

    /// The value of a text that is nothing but a name, or a name with something added to its number or duration.
    fn replace_whole(&mut self, text: &str) -> Result<Option<DeValue<'i>>, String> {
        let Some((name, behind)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) else {
            return Ok(None);
        };
        let behind = behind.trim();
        let (is_sum, operand) = match (behind.strip_prefix('+'), behind.strip_prefix('-')) {
            (Some(operand), _) => (true, operand.trim()),
            (None, Some(operand)) => (false, operand.trim()),
            (None, None) if behind.is_empty() => return self.get(name),
            (None, None) => return Ok(None),
        };
        let Some(value) = self.get(name)? else { return Ok(None) };
        let base = text_of(&value).unwrap_or_default();
        if let (DeValue::Integer(_), Ok(base), Ok(operand)) = (&value, number(&base), operand.parse::<i64>())
        {
            let sum = if is_sum { base.checked_add(operand) } else { base.checked_sub(operand) };
            return sum
                .map(|sum| Some(self.integer(sum)))
                .ok_or_else(|| format!("`{text}` is beyond all numbers"));
        }
        if let (DeValue::String(_), Ok(base), Ok(operand)) =
            (&value, Time::parse(&base), Time::parse(operand))
        {
            let sum = if is_sum { base.0.checked_add(operand.0) } else { base.0.checked_sub(operand.0) };
            let sum = sum.ok_or_else(|| format!("`{text}` is less than no time: `{{{name}}}` is {base}"))?;
            return Ok(Some(DeValue::String(Time(sum).to_string().into())));
        }
        Ok(None)
    }

    /// `text` with the values of names in it; nothing where there is none to fill in. Doubled braces and names that only
    /// a running case knows stay.
    fn replace_in_text(&mut self, text: &str) -> Result<Option<String>, String> {
        let mut replaced = String::new();
        let mut has_changed = false;
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, tail) = rest.split_at(at);
            replaced.push_str(before);
            let doubled = tail.get(..2).filter(|two| matches!(*two, "{{" | "}}"));
            let name = tail.strip_prefix('{').and_then(|tail| tail.split_once('}')).map(|(name, _)| name);
            let taken = match (doubled, name) {
                (Some(two), _) => two.len(),
                (None, Some(name)) => match self.get(name.split(':').next().unwrap_or(name))? {
                    Some(_) if name.contains(':') => {
                        return Err(format!(
                            "`{{{name}}}` has its value already: there is nothing to capture"
                        ));
                    }
                    Some(value) => {
                        has_changed = true;
                        replaced.push_str(&text_of(&value).ok_or_else(|| {
                            format!("`{{{name}}}` is a table or a list here: it can only be a whole value")
                        })?);
                        rest = tail.get(name.len() + 2..).unwrap_or_default();
                        continue;
                    }
                    None => 1,
                },
                (None, None) => 1,
            };
            let (kept, tail) = tail.split_at(taken);
            replaced.push_str(kept);
            rest = tail;
        }
        replaced.push_str(rest);
        Ok(has_changed.then_some(replaced))
    }
}

/// Reads an integer as TOML writes it, in base 10 or with the prefix of another.
fn number(text: &str) -> Result<i64, std::num::ParseIntError> {
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return i64::from_str_radix(digits, radix);
        }
    }
    text.parse()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::{Action, Scenario, parse_cases};

    const HEAD: &str = "title = 'takes {n}'\nclass = 'must'\nspec = ['W01']\nwhy = 'w'\n[start]\nmode = 'worker'\nrole = 'hello'\n";

    fn read(text: &str) -> Result<Vec<Scenario>, String> {
        let declared = Declared {
            max_request_packet: 1000,
            kill_window: Time::parse("2s").unwrap(),
            ..Declared::default()
        };
        parse_cases("a/b", Path::new("a/b.toml"), text, &declared).map_err(|error| error.to_string())
    }

    fn ids(cases: &[Scenario]) -> Vec<&str> {
        cases.iter().map(|case| case.id.as_str()).collect()
    }

    /// The duration that `value` is read as.
    fn paused(value: &str) -> String {
        let text = format!("{HEAD}[vars]\nn = 5\nt = '1s'\n[[step]]\npause = {value}\nnote = '{{n}}{{t}}'\n");
        match read(&text).unwrap()[0].steps[0].action {
            Action::Pause(time) => time.to_string(),
            ref other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_matrix_makes_a_case_of_each_combination() {
        let text = format!(
            "{HEAD}[matrix]\nfield = ['cnt_env', 'packet_len']\nn = [-1, 0x10]\n\
             [[step]]\nrequest = {{ raw = {{ '{{field}}' = '{{n}}' }} }}\n"
        );
        let cases = read(&text).unwrap();
        assert_eq!(
            ids(&cases),
            [
                "a/b[field=cnt_env,n=-1]",
                "a/b[field=cnt_env,n=0x10]",
                "a/b[field=packet_len,n=-1]",
                "a/b[field=packet_len,n=0x10]"
            ]
        );
        assert_eq!((cases[0].title.as_str(), cases[0].file_id.as_str()), ("takes -1", "a/b"));
        assert_eq!(cases[3].steps[0].line, 11, "places are those of the file");
    }

    #[test]
    fn values_of_any_type_stand_where_their_name_stands() {
        let text = format!(
            "{HEAD}[matrix.n]\nshort = {{ packet_len_off_by = -1 }}\nlong = {{ packet_len_off_by = 1 }}\n\
             [[step]]\nrequest = {{ raw = '{{n}}' }}\n"
        );
        let cases = read(&text.replace("takes {n}", "t")).unwrap();
        assert_eq!(ids(&cases), ["a/b[n=short]", "a/b[n=long]"]);
        let inside = read(&text).unwrap_err();
        assert!(inside.starts_with("a/b.toml:1:9: `{n}` is a table or a list here"), "{inside}");
    }

    #[test]
    fn numbers_and_durations_can_be_added_to() {
        assert_eq!(paused("'{subject.kill_window}'"), "2s");
        assert_eq!(paused("'{subject.kill_window} + 500ms'"), "2.5s");
        assert_eq!(paused("'{subject.kill_window} - 500ms'"), "1.5s");
        assert_eq!(paused("'{t}+1s'"), "2s");
        assert_eq!(paused("'{n}ms'"), "5ms");
        let text = format!(
            "{HEAD}[vars]\nn = '{{subject.max_request_packet}} + 1'\n\
             [[step]]\nrequest = {{ raw = {{ packet_len = '{{n}}' }}, path = '/{{subject.max_request_packet}}' }}\n"
        );
        let cases = read(&text).unwrap();
        assert_eq!(cases[0].title, "takes 1001");
        assert!(format!("{:?}", cases[0].steps[0].action).contains("/1000"));
    }

    #[test]
    fn names_that_stand_for_names_do_not_fill_the_memory() {
        for double in ["'{{{name}}}{{{name}}}'", "['{{{name}}}', '{{{name}}}']"] {
            let mut text = format!("{HEAD}[vars]\nn = 5\nv0 = 'v'\n");
            for number in 1..40 {
                let value = double.replace("{{{name}}}", &format!("{{v{}}}", number - 1));
                text += &format!("v{number} = {value}\n");
            }
            let error = read(&format!("{text}[[step]]\nsend = '{{v39}}'\n")).unwrap_err();
            assert!(error.contains("stand for more than 64 MiB"), "{error}");
        }
    }

    #[test]
    fn braces_and_captured_names_stay() {
        let text = format!(
            "{HEAD}[vars]\nn = 1\n[[step]]\nrequest = {{ body = '{{{{n}}}} {{n}}' }}\n\
             expect = {{ body = '{{x}} {{x}}' }}\n"
        );
        let cases = read(&text).unwrap();
        let action = format!("{:?}", cases[0].steps[0].action);
        assert!(action.contains("{{n}} 1") && action.contains("{x} {x}"), "{action}");
    }

    #[test]
    fn mistakes_are_placed_and_explained() {
        let matrix = |matrix: &str| {
            read(&format!("{HEAD}[matrix]\n{matrix}\n[[step]]\npause = '{{n}}'\n")).unwrap_err()
        };
        for (text, start) in [
            ("n = 5", "a/b.toml:9:5: `n` needs a list"),
            ("n = []", "a/b.toml:9:5: `n` has no values"),
            ("n = ['1s', '1s']", "a/b.toml:9:12: `1s` is there twice"),
            ("n = ['a b']", "a/b.toml:9:6: `a b` makes no ID"),
            ("n = [{}]", "a/b.toml:9:6: a value that is a table"),
            ("N = ['1s']", "a/b.toml:9:1: `N` is no name"),
            ("n = ['1s']\nm = [1]", "a/b.toml:10:1: `m` is never used"),
            ("n = ['1s', 'x']", "a/b.toml:11:9: `x` is not a duration"),
            ("n = ['1s']\n[vars]\nn = 1", "a/b.toml:11:1: `n` is in `[matrix]` already"),
        ] {
            assert!(matrix(text).starts_with(start), "{}", matrix(text));
        }
        assert!(matrix("n = ['1s', 'x']").contains("(in case [n=x])\n"));
        assert!(!matrix("n = ['x', 'y']\n[oops]").contains("in case"));
        let many =
            format!("n = ['1s', '2s']\nm = [{}]", (0..250).map(|n| format!("{n},")).collect::<String>());
        assert!(matrix(&many).contains("500 cases or more"), "{}", matrix(&many));
        let step =
            |value: &str| read(&format!("{HEAD}[vars]\nn = 5\n[[step]]\npause = {value}\n")).unwrap_err();
        assert!(step("'{subject.kill_windw}'").contains("; did you mean `subject.kill_window`?"));
        assert!(step("'{subject.kill_window} - 3s'").contains("less than no time"));
        assert!(step("'{n:int}'").contains("has its value already"));
    }
}
