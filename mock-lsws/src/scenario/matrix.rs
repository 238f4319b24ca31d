//! The matrix of a scenario file: its names, their values, and what these are called in the IDs of the cases.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::Mistake;
use super::expand::text_of;

/// Longest label of a value in an ID, in bytes.
const LONGEST_LABEL: usize = 60;

/// A name of the matrix and its values.
pub(crate) struct Axis<'i> {
    pub(crate) name: Spanned<DeString<'i>>,
    /// Each with what it is called in an ID.
    pub(crate) values: Vec<(String, Spanned<DeValue<'i>>)>,
}

/// The table `value` is, whose keys are names.
pub(crate) fn named_values<'i>(value: Spanned<DeValue<'i>>, what: &str) -> Result<DeTable<'i>, Mistake> {
    let place = value.span().start;
    let DeValue::Table(table) = value.into_inner() else {
        return Err((place, format!("`{what}` is a table of names and their values")));
    };
    for (name, _) in &table {
        let text = name.get_ref();
        let is_name = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !is_name {
            let message = format!("`{text}` is no name: names are lower-case letters, digits and `_`");
            return Err((name.span().start, message));
        }
    }
    Ok(table)
}

/// The names of `matrix` and their values.
pub(crate) fn axes<'i>(matrix: Spanned<DeValue<'i>>) -> Result<Vec<Axis<'i>>, Mistake> {
    let mut axes = Vec::new();
    for (name, values) in named_values(matrix, "matrix")? {
        let place = values.span().start;
        let values: Vec<(String, Spanned<DeValue<'i>>)> = match values.into_inner() {
            DeValue::Array(values) => {
                values.into_iter().map(|value| Ok((label_of(&value)?, value))).collect::<Result<_, _>>()?
            }
            DeValue::Table(values) => values
                .into_iter()
                .map(|(label, value)| Ok((checked_label(label.get_ref(), label.span())?, value)))
                .collect::<Result<_, _>>()?,
            _ => {
                let message = format!("`{name}` needs a list of values, or a table of values with labels");
                return Err((place, message));
            }
        };
        if values.is_empty() {
            return Err((place, format!("`{name}` has no values: there would be no case")));
        }
        for (index, (label, value)) in values.iter().enumerate() {
            if values.iter().take(index).any(|(earlier, _)| earlier == label) {
                let message = format!("`{label}` is there twice: two cases would have one ID");
                return Err((value.span().start, message));
            }
        }
        axes.push(Axis { name, values });
    }
    Ok(axes)
}

/// What a value is called in an ID.
fn label_of(value: &Spanned<DeValue<'_>>) -> Result<String, Mistake> {
    match value.get_ref() {
        DeValue::Table(_) | DeValue::Array(_) => Err((
            value.span().start,
            "a value that is a table or a list needs a label: write `[matrix.name]` with `label = value` lines"
                .into(),
        )),
        scalar => checked_label(&text_of(scalar).unwrap_or_default(), value.span()),
    }
}

fn checked_label(label: &str, place: Range<usize>) -> Result<String, Mistake> {
    let is_good = |c: char| c.is_ascii_graphic() && !"[]=,*?'\"`\\{}$".contains(c);
    if label.is_empty() || label.len() > LONGEST_LABEL || !label.chars().all(is_good) {
        let message = format!(
            "`{label}` makes no ID that can be typed: write `[matrix.name]` with `label = value` lines and labels of \
             letters, digits, `-`, `_` and `.`"
        );
        return Err((place.start, message));
    }
    Ok(label.to_owned())
}
