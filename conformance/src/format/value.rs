//! Values: blanks in arrays and tables, quotes, and which arrays take several lines.

use std::borrow::Cow;

use toml_edit::{Array, Formatted, InlineTable, Value};

use super::comments;

/// Columns of a line.
pub(super) const WIDTH: usize = 120;

/// What elements on lines of their own are indented by.
const INDENT: &str = "    ";

/// An array in the middle of a line that is too long is broken if it takes more than this: less is no gain.
const WORTH_BREAKING: usize = 40;

/// Formats `value`, which begins in column `column` of a line indented by `indent`.
pub(super) fn format(value: &mut Value, column: usize, indent: &str) {
    quote(value);
    if has_comment(value) {
        // Where it stands says what it is about. Only in an array whose elements have lines of their own that is clear.
        if let Value::Array(array) = value
            && !array
                .iter()
                .any(|element| has_comment(element) || raw(element.decor().suffix()).contains('#'))
        {
            break_up(array, indent);
        }
        return;
    }
    flatten(value);
    if fits(value, column) {
        return;
    }
    if let Value::Array(array) = value {
        break_up(array, indent);
    } else if let Some(array) = longest(value) {
        break_up(array, indent);
    }
}

/// Whether the lines of `value` are short enough, or there is nothing to be done: a text of several lines stays so.
fn fits(value: &Value, column: usize) -> bool {
    let text = value.to_string();
    text.contains('\n') || column + text.trim().chars().count() <= WIDTH
}

/// Everything on one line.
fn flatten(value: &mut Value) {
    match value {
        Value::Array(array) => {
            array.set_trailing("");
            array.set_trailing_comma(false);
            for (at, element) in array.iter_mut().enumerate() {
                flatten(element);
                element.decor_mut().set_prefix(if at == 0 { "" } else { " " });
                element.decor_mut().set_suffix("");
            }
        }
        Value::InlineTable(table) if !has_dotted(table) => {
            table.set_trailing("");
            table.set_trailing_comma(false);
            let last = table.len();
            for (at, (mut key, value)) in table.iter_mut().enumerate() {
                key.leaf_decor_mut().set_prefix(" ");
                key.leaf_decor_mut().set_suffix(" ");
                flatten(value);
                value.decor_mut().set_prefix(" ");
                value.decor_mut().set_suffix(if at + 1 == last { " " } else { "" });
            }
        }
        _ => {}
    }
}

/// Each element on a line of its own.
fn break_up(array: &mut Array, indent: &str) {
    let deeper = format!("{indent}{INDENT}");
    for element in array.iter_mut() {
        let before = comments::before_element(&raw(element.decor().prefix()), &deeper);
        // The comma behind it takes a column.
        format(element, deeper.len() + 1, &deeper);
        element.decor_mut().set_prefix(before);
        element.decor_mut().set_suffix("");
    }
    let rest = comments::before_element(&raw(Some(array.trailing())), &deeper);
    // Comments behind the last element are indented as it is, the bracket is not.
    let rest = rest.strip_suffix(INDENT).unwrap_or(&rest).to_owned();
    array.set_trailing(rest);
    array.set_trailing_comma(!array.is_empty());
}

/// The array inside `value` that takes most room, if it takes much.
fn longest(value: &mut Value) -> Option<&mut Array> {
    fn arrays<'a>(value: &'a mut Value, found: &mut Vec<(usize, &'a mut Array)>) {
        match value {
            Value::Array(array) => found.push((array.to_string().trim().chars().count(), array)),
            Value::InlineTable(table) => table.iter_mut().for_each(|(_, value)| arrays(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    arrays(value, &mut found);
    let (_, array) =
        found.into_iter().filter(|(length, _)| *length > WORTH_BREAKING).max_by_key(|found| found.0)?;
    Some(array)
}

/// Quotes every text in `value` the plain way.
fn quote(value: &mut Value) {
    match value {
        Value::String(text) => requote(text),
        Value::Array(array) => array.iter_mut().for_each(quote),
        Value::InlineTable(table) => table.iter_mut().for_each(|(_, value)| quote(value)),
        _ => {}
    }
}

/// The quotes in which `text` needs no escapes, double ones where both are as good. Several lines, and texts that cannot
/// do without escapes, stay as they are.
fn requote(text: &mut Formatted<String>) {
    let repr = text.display_repr().into_owned();
    let escapes = repr.split('\\').skip(1).any(|rest| !rest.is_empty() && !rest.starts_with(['"', '\\']));
    let is_basic = repr.starts_with('"');
    if repr.starts_with("'''") || repr.starts_with("\"\"\"") || (is_basic && escapes) {
        return;
    }
    let content = text.value();
    let plain = if content.contains(char::is_control) {
        return;
    } else if !content.contains(['"', '\\']) {
        format!("\"{content}\"")
    } else if content.contains('\'') {
        return;
    } else {
        format!("'{content}'")
    };
    if let Ok(Value::String(quoted)) = plain.parse::<Value>() {
        let decor = text.decor().clone();
        *text = quoted;
        *text.decor_mut() = decor;
    }
}

/// Whether there is a comment anywhere inside `value`.
fn has_comment(value: &Value) -> bool {
    let around = |decor: &toml_edit::Decor| {
        [decor.prefix(), decor.suffix()].into_iter().any(|raw_text| raw(raw_text).contains('#'))
    };
    match value {
        Value::Array(array) => {
            raw(Some(array.trailing())).contains('#')
                || array.iter().any(|element| around(element.decor()) || has_comment(element))
        }
        Value::InlineTable(table) => {
            let entries = || table.get_values().into_iter();
            raw(Some(table.trailing())).contains('#')
                || entries().any(|(path, _)| path.iter().any(|key| around(key.leaf_decor())))
                || entries().any(|(_, value)| around(value.decor()) || has_comment(value))
        }
        _ => false,
    }
}

/// Whether a key of it is one such as `a.b`.
fn has_dotted(table: &InlineTable) -> bool {
    table.iter().any(|(_, value)| value.as_inline_table().is_some_and(InlineTable::is_dotted))
}

/// What was written there.
pub(super) fn raw(text: Option<&toml_edit::RawString>) -> Cow<'_, str> {
    text.and_then(toml_edit::RawString::as_str).unwrap_or_default().into()
}
