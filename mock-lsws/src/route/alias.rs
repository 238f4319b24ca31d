//! Script aliases: from a path in URLs to a script anywhere.

use std::path::{Path, PathBuf};

use regex::bytes::{Captures, Regex};

use super::place::Place;
use crate::config::ScriptAlias;

/// An alias, ready to be asked.
#[derive(Debug)]
pub(super) struct Alias {
    expression: Option<Regex>,
}

/// The script an alias led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script<'a> {
    pub(super) file: PathBuf,
    /// SCRIPT_NAME.
    pub(super) name: &'a [u8],
    /// PATH_INFO; may be empty.
    pub(super) info: &'a [u8],
}

impl Alias {
    /// Compiles what there is to compile.
    pub(super) fn new(alias: &ScriptAlias) -> Result<Self, regex::Error> {
        Ok(Self { expression: alias.expression().transpose()? })
    }

    /// Where `path` leads: `None` if the alias is not for it, `Some(None)` if there is no script.
    ///
    /// As with mod_wsgi, what follows the matched part of the path is put behind the script's name; the first file on
    /// that way is the script, and the rest is PATH_INFO.
    pub(super) fn find<'a>(&self, alias: &ScriptAlias, path: &'a [u8]) -> Option<Option<Script<'a>>> {
        let (mut target, matched) = match &self.expression {
            Some(expression) => {
                let groups = expression.captures(path)?;
                let end = groups.get(0).map(|all| all.end()).filter(|end| *end > 0)?;
                (expand(alias.script.as_bytes(), &groups), end)
            }
            None => (alias.script.clone().into_bytes(), prefix(alias, path)?),
        };
        target.extend_from_slice(path.get(matched..).unwrap_or_default());
        if !target.starts_with(b"/") {
            return Some(None);
        }
        let Place::File(file, behind) = Place::find(Path::new("/"), &target) else { return Some(None) };
        let (name, info) = match path.len().checked_sub(behind.len()).and_then(|at| path.split_at_checked(at))
        {
            Some((name, info)) if info == behind => (name, info),
            // The expression put the rest of the script's way together from other parts.
            _ => (path, &[][..]),
        };
        Some(Some(Script { file, name, info }))
    }
}

/// How much of `path` an alias for a prefix takes.
fn prefix(alias: &ScriptAlias, path: &[u8]) -> Option<usize> {
    let url = alias.url.as_bytes();
    match url.strip_suffix(b"/") {
        // The slash belongs to the path below a script, but leads into a folder of scripts.
        Some(start) if path.starts_with(url) => {
            Some(if alias.script.ends_with('/') { url.len() } else { start.len() })
        }
        Some(_) => None,
        None => path
            .strip_prefix(url)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
            .then_some(url.len()),
    }
}

/// Puts the groups of an expression in the place of `$0` to `$9`; `\$` is a dollar.
fn expand(template: &[u8], groups: &Captures<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(template.len());
    let mut rest = template;
    loop {
        match rest {
            [b'$', digit @ b'0'..=b'9', behind @ ..] => {
                let group = groups.get(usize::from(digit - b'0'));
                out.extend_from_slice(group.map_or(&[][..], |group| group.as_bytes()));
                rest = behind;
            }
            [b'\\', b'$', behind @ ..] => {
                out.push(b'$');
                rest = behind;
            }
            [byte, behind @ ..] => {
                out.push(*byte);
                rest = behind;
            }
            [] => return out,
        }
    }
}
