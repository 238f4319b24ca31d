//! Names a case captures: each has to be captured before it is used, and used after it is captured.
//!
//! This looks at the document, because only that knows where in the file a name stands. What the strings mean is
//! decided by the keys they stand under.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Mistake;
use super::template::Template;

/// What the runner itself sets when a request is sent.
const OF_THE_RUNNER: [&str; 2] = ["sent.length", "sent.sha256"];

/// What it sets for a scenario that brings its own application: the folder of that.
const FOLDER: &str = "start.folder";

/// What it sets for an application that makes its listening socket itself.
const ADDRESSES: [&str; 2] = ["start.socket", "start.port"];

/// Keys of `[start]` whose strings are templates.
const STARTING: [&str; 3] = ["address", "args", "env"];

/// Keys of a step whose strings are made into something that goes out.
const OUTGOING: [&str; 3] = ["request", "send", "signal"];

/// Keys of a step whose strings are compared with something that comes in.
const INCOMING: [&str; 4] = ["expect", "expect_packets", "expect_process", "wait_log"];

/// Keys below those that compare without capturing.
const COMPARED: [&str; 6] = ["pid", "bytes", "contains", "excludes", "starts_with", "no_line_starts"];

/// Keys below those with numbers: only `{name:int}` captures there, as the rest can be sums.
const NUMBERS: [&str; 9] =
    ["number", "length", "min", "max", "children", "workers", "descriptors", "zombies", "limits"];

/// A name with a value.
#[derive(Clone)]
struct Captured {
    /// Where it is captured.
    place: usize,
    is_used: bool,
}

type Names = BTreeMap<String, Captured>;

/// How a string may use names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It captures names that have no value yet.
    Captures,
    /// It captures `{name:int}` only.
    CapturesNumbers,
    /// All its names need values.
    Needs,
}

/// Checks the names of the case that `table` is.
pub(crate) fn check(table: &DeTable<'_>) -> Result<(), Mistake> {
    let mut names = Names::new();
    if let Some(DeValue::Table(start)) = table.get("start").map(Spanned::get_ref) {
        if let Some((_, wsgi)) = start.iter().find(|(key, _)| key.get_ref() == "wsgi") {
            names.insert(FOLDER.to_owned(), Captured { place: wsgi.span().start, is_used: true });
        }
        if let Some((mode, _)) =
            start.iter().find(|(_, value)| matches!(value.get_ref(), DeValue::String(mode) if mode == "bind"))
        {
            let captured = Captured { place: mode.span().start, is_used: true };
            names.extend(ADDRESSES.map(|name| (name.to_owned(), captured.clone())));
        }
        for key in STARTING {
            if let Some(value) = start.get(key) {
                strings(value, Use::Needs, &mut names, false)?;
            }
        }
    }
    if let Some(value) = table.get("may_log") {
        strings(value, Use::Needs, &mut names, false)?;
    }
    steps(table, &mut names)?;
    // Looked at when everything has ended: by then all names have their values.
    if let Some(value) = table.get("logs") {
        strings(value, Use::Needs, &mut names, false)?;
    }
    match names.iter().find(|(_, captured)| !captured.is_used) {
        None => Ok(()),
        Some((name, captured)) => {
            let message = format!(
                "`{{{name}}}` is captured and never used: compare something with it, or write `{{_}}` for a value that \
                 does not matter"
            );
            Err((captured.place, message))
        }
    }
}

/// Goes through the steps in `table` in their order.
fn steps(table: &DeTable<'_>, names: &mut Names) -> Result<(), Mistake> {
    let Some(DeValue::Array(steps)) = table.get("step").map(Spanned::get_ref) else { return Ok(()) };
    for step in steps {
        let DeValue::Table(step) = step.get_ref() else { continue };
        let before = names.clone();
        for key in OUTGOING {
            if let Some(value) = step.get(key) {
                strings(value, Use::Needs, names, false)?;
            }
        }
        // Each time after the first compares.
        let is_repeated = ["repeat", "generate", "clients"].iter().any(|key| step.contains_key(*key));
        for key in INCOMING {
            if let Some(value) = step.get(key) {
                strings(value, Use::Captures, names, is_repeated)?;
            }
        }
        if let Some(DeValue::Table(distinct)) = step.get("distinct").map(Spanned::get_ref) {
            for (name, _) in distinct {
                // Each client has its own value, so that afterwards there is none.
                if before.contains_key(name.get_ref().as_ref())
                    || names.remove(name.get_ref().as_ref()).is_none()
                {
                    let message = format!(
                        "`{name}` is nothing the clients of this step capture: they all have one value of it"
                    );
                    return Err((name.span().start, message));
                }
            }
        }
        let Some(DeValue::Array(branches)) = step.get("parallel").map(Spanned::get_ref) else { continue };
        for branch in branches {
            let DeValue::Table(branch) = branch.get_ref() else { continue };
            let mut inside = before.clone();
            self::steps(branch, &mut inside)?;
            for (name, captured) in inside {
                // What several rows capture is compared when they meet.
                let is_used = captured.is_used
                    || names.get(&name).is_some_and(|known| {
                        known.is_used || (!before.contains_key(&name) && known.place != captured.place)
                    });
                names.insert(name, Captured { is_used, ..captured });
            }
        }
    }
    Ok(())
}

/// Looks at every string in `value`. `is_repeated`: what is captured is compared right there.
fn strings(
    value: &Spanned<DeValue<'_>>,
    how: Use,
    names: &mut Names,
    is_repeated: bool,
) -> Result<(), Mistake> {
    match value.get_ref() {
        DeValue::String(text) => string(text, value.span().start, how, names, is_repeated),
        DeValue::Array(items) => items.iter().try_for_each(|item| strings(item, how, names, is_repeated)),
        DeValue::Table(table) => table.iter().try_for_each(|(key, value)| {
            let key: &str = key.get_ref();
            // The keys of headers are anybody's names.
            if let ("headers", DeValue::Table(headers)) = (key, value.get_ref()) {
                return headers.iter().try_for_each(|(_, value)| strings(value, how, names, is_repeated));
            }
            let below = match how {
                Use::Captures if COMPARED.contains(&key) => Use::Needs,
                Use::Captures if NUMBERS.contains(&key) => Use::CapturesNumbers,
                how => how,
            };
            strings(value, below, names, is_repeated)
        }),
        _ => Ok(()),
    }
}

fn string(text: &str, place: usize, how: Use, names: &mut Names, is_repeated: bool) -> Result<(), Mistake> {
    // What is no template is told when the string is read as one.
    let Ok(template) = Template::parse(text) else { return Ok(()) };
    for (name, is_number) in template.names() {
        if OF_THE_RUNNER.contains(&name) {
            continue;
        }
        let captures = how == Use::Captures || (how == Use::CapturesNumbers && is_number);
        match names.get_mut(name) {
            Some(captured) => captured.is_used = true,
            None if captures && name != FOLDER => {
                names.insert(name.to_owned(), Captured { place, is_used: is_repeated });
            }
            None if name == FOLDER => {
                let message =
                    "`{start.folder}` is the folder of an application in `[start] wsgi`: a role has none";
                return Err((place, message.into()));
            }
            None => {
                let known = names.keys().map(String::as_str).chain(OF_THE_RUNNER);
                let known = known.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let message = format!(
                    "unknown name `{name}` (nothing before this captures it), expected one of {known}"
                );
                return Err((place, message));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with these steps, and at which word of them.
    fn mistake(text: &str) -> Option<(String, String)> {
        let table = DeTable::parse(text).unwrap();
        let (place, message) = check(table.get_ref()).err()?;
        let word = text[place..].lines().next().unwrap_or_default().to_owned();
        Some((word, message))
    }

    fn is_right(text: &str) {
        assert_eq!(mistake(text), None, "{text}");
    }

    #[test]
    fn names_are_captured_before_they_are_used() {
        is_right("[[step]]\nexpect = { body = '{a}' }\n[[step]]\nrequest = { path = '/{a}' }\n");
        is_right("[[step]]\nexpect = { body = '{a} {a}' }\n");
        is_right("[[step]]\nrepeat = 2\nexpect = { body = '{a}' }\n");
        is_right("[[step]]\nexpect = { body = '{_} {_:int}' }\n");
        is_right("[[step]]\nrequest = { body = 'b' }\nexpect = { body = { lines = 'l={sent.length}' } }\n");
        is_right(
            "[[step]]\nexpect_process = { descriptors = '{n:int}' }\n[[step]]\nexpect_process = { descriptors = { max = '{n}+1' } }\n",
        );
        let (word, message) =
            mistake("[[step]]\nrequest = { path = '/{a}' }\nexpect = { body = '{a}' }\n").unwrap();
        assert!(word.starts_with("'/{a}'") && message.starts_with("unknown name `a`"), "{word}: {message}");
        let (_, message) = mistake("[[step]]\nexpect = { body = { contains = '{a}' } }\n").unwrap();
        assert!(
            message.starts_with(
                "unknown name `a` (nothing before this captures it), expected one of `sent.length`"
            ),
            "{message}"
        );
        let (_, message) = mistake("[[step]]\nexpect = { body = { number = { min = '{a}+5' } } }\n").unwrap();
        assert!(message.starts_with("unknown name `a`"), "{message}");
        let (_, message) = mistake("[start]\nenv = { A = '{a}' }\n").unwrap();
        assert!(message.starts_with("unknown name `a`"), "{message}");
    }

    #[test]
    fn names_are_used_after_they_are_captured() {
        let (word, message) = mistake("[[step]]\nexpect = { body = 'pid {a}' }\n").unwrap();
        assert!(word.starts_with("'pid {a}'") && message.contains("captured and never used"), "{word}");
        is_right(
            "[[step]]\nexpect = { headers = { contains = '{a}' } }\n[[step]]\nsignal = { to = '{a}' }\n",
        );
    }

    #[test]
    fn rows_at_the_same_time_do_not_know_each_other() {
        let row = |steps: &str| format!("[[step.parallel]]\n[[step.parallel.step]]\n{steps}\n");
        let both =
            |one: &str, other: &str, after: &str| format!("[[step]]\n{}{}{after}", row(one), row(other));
        let captures = "expect = { body = '{a}' }";
        let uses = "request = { path = '/{a}' }";
        is_right(&both(captures, captures, ""));
        is_right(&both(captures, "pause = '1s'", &format!("[[step]]\n{uses}\n")));
        let (_, message) = mistake(&both(captures, uses, "")).unwrap();
        assert!(message.starts_with("unknown name `a`"), "{message}");
        let (_, message) = mistake(&both(captures, "pause = '1s'", "")).unwrap();
        assert!(message.contains("never used"), "{message}");
    }
}
