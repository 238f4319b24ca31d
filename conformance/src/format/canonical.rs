//! A whole file.

use std::path::Path;

use mock_lsws::FileError;
use toml_edit::{DocumentMut, Item, Table, Value};

use super::comments;
use super::order::{HEAD, Order, START, STEP};
use super::value::{self, raw};

/// Why a text cannot be formatted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It is no TOML.
    #[error(transparent)]
    NoToml(#[from] FileError),
    /// It would not be the same any more: a fault of this program, which leaves the file alone.
    #[error(
        "{0}: formatted it would mean something else, so it is left as it is; this is a fault of conformance, please report it with the file"
    )]
    Changed(String),
}

/// The canonical form of `text`, which is the file `path` as messages call it.
///
/// # Errors
/// [`FormatError`] with the file and the place.
pub fn canonical(path: &Path, text: &str) -> Result<String, FormatError> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        FileError::at(path, text, error.span().map_or(0, |span| span.start), error.message())
    })?;
    let end = comments::at_the_end(&raw(Some(document.trailing())));
    document.set_trailing(end);
    let root = document.as_table_mut();
    // Only scenarios have steps; nobody knows what the order of keys means elsewhere.
    let is_scenario = root.contains_array_of_tables("step") || root.contains_key("title");
    keep_head_comment(root);
    table(root, is_scenario.then_some(&HEAD), is_scenario, false);
    let formatted = format!("{}\n", document.to_string().trim_start_matches('\n').trim_end_matches('\n'));
    let meaning = |text: &str| toml::from_str(text).ok().map(toml::Value::Table);
    if !meaning(text).zip(meaning(&formatted)).is_some_and(|(before, after)| is_same(&before, &after)) {
        return Err(FormatError::Changed(path.display().to_string()));
    }
    Ok(if formatted == "\n" { String::new() } else { formatted })
}

/// Whether two values are the same; not-a-number is itself here.
fn is_same(a: &toml::Value, b: &toml::Value) -> bool {
    use toml::Value::{Array, Float, Table};
    match (a, b) {
        (Table(a), Table(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| is_same(value, other)))
        }
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Float(a), Float(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
        (a, b) => a == b,
    }
}

/// A comment at the top with an empty line below is about the file: it stays there, whichever key comes first.
fn keep_head_comment(root: &mut Table) {
    let mut file = String::new();
    let mut next = root.iter_mut().next();
    while let Some((mut key, item)) = next {
        next = match item {
            Item::Value(_) => {
                let (about_file, about_key) = comments::file_and_key(&raw(key.leaf_decor().prefix()));
                key.leaf_decor_mut().set_prefix(about_key);
                file = about_file;
                None
            }
            Item::Table(table) if table.is_dotted() => table.iter_mut().next(),
            _ => None,
        };
    }
    if !file.is_empty() {
        root.decor_mut().set_prefix(file);
    }
}

/// The keys of `this`, which has its header already, `apart` from what is above, and the tables below it.
fn table(this: &mut Table, order: Option<&Order>, is_scenario: bool, apart: bool) {
    if let Some(order) = order {
        this.sort_values_by(|a, _, b, _| order.rank(a).cmp(&order.rank(b)));
    }
    let is_empty = keys(this, true);
    // A header with nothing in it and the one below belong together; one that is not written parts nothing.
    let mut apart = !is_empty || (this.is_implicit() && apart);
    for (mut key, item) in this.iter_mut() {
        let order = match key.get() {
            "start" if is_scenario => Some(&START),
            "step" if is_scenario => Some(&STEP),
            _ => None,
        };
        let tables: Vec<&mut Table> = match item {
            Item::Table(table) if !table.is_dotted() => vec![table],
            Item::ArrayOfTables(tables) => tables.iter_mut().collect(),
            _ => continue,
        };
        key.leaf_decor_mut().clear();
        key.dotted_decor_mut().clear();
        for below in tables {
            let before = comments::before_table(&raw(below.decor().prefix()), apart);
            let behind = comments::behind(&raw(below.decor().suffix()));
            below.decor_mut().set_prefix(before);
            below.decor_mut().set_suffix(behind);
            table(below, order, is_scenario, apart);
            apart = true;
        }
    }
}

/// The keys of `this` that have values; says whether there is none.
fn keys(this: &mut Table, mut first: bool) -> bool {
    for (mut key, item) in this.iter_mut() {
        match item {
            Item::Value(value) => {
                let before = comments::before_key(&raw(key.leaf_decor().prefix()), first);
                key.leaf_decor_mut().set_prefix(before);
                key.leaf_decor_mut().set_suffix(" ");
                pair(&key.display_repr(), value);
                first = false;
            }
            Item::Table(table) if table.is_dotted() => {
                key.dotted_decor_mut().clear();
                first = keys(table, first);
            }
            _ => {}
        }
    }
    first
}

fn pair(key: &str, value: &mut Value) {
    let behind = comments::behind(&raw(value.decor().suffix()));
    value.decor_mut().set_prefix(" ");
    value.decor_mut().set_suffix("");
    value::format(value, key.chars().count() + " = ".len(), "");
    value.decor_mut().set_prefix(" ");
    value.decor_mut().set_suffix(behind);
}
