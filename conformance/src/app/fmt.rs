//! `conformance fmt`.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

use super::{print, say};
use crate::cli::FmtArgs;
use crate::format::{canonical, replace};
use crate::{Error, catalog, checkout, exit_code};

/// What standard input is called on the command line, and in messages.
const STDIN: (&str, &str) = ("-", "standard input");

/// Lines shown around a change.
const CONTEXT: usize = 2;

const BAD: Style = AnsiColor::Red.on_default();
const GOOD: Style = AnsiColor::Green.on_default();

pub(super) fn run(args: &FmtArgs) -> Result<u8, Error> {
    let mut paths = Vec::new();
    if args.paths.is_empty() {
        paths = catalog::toml_files(&checkout::scenarios(None)?)?;
    }
    for path in &args.paths {
        if path.is_dir() {
            paths.extend(catalog::toml_files(path)?);
        } else {
            paths.push(path.clone());
        }
    }
    let (mut code, mut changed) = (exit_code::PASSED, 0_usize);
    for path in &paths {
        match file(path, args.check) {
            Ok(false) => {}
            Ok(true) => changed += 1,
            // The others are formatted all the same.
            Err(error) => {
                say(&error.with_causes());
                code = code.max(error.exit_code());
            }
        }
    }
    if changed > 0 && args.check {
        code = code.max(exit_code::FAILED);
    }
    let verb = if args.check { "not formatted" } else { "formatted" };
    say(&format!(
        "{changed} of {} {verb}",
        if paths.len() == 1 { "1 file".into() } else { format!("{} files", paths.len()) }
    ));
    Ok(code)
}

/// Formats the file `path`, or with `check` shows what that would change; says whether anything changed.
fn file(path: &Path, check: bool) -> Result<bool, Error> {
    let is_stdin = path == Path::new(STDIN.0);
    let shown = if is_stdin { PathBuf::from(STDIN.1) } else { checkout::shown(path) };
    let text = if is_stdin { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(path) };
    let text = text.map_err(|source| Error::Unreadable { path: shown.clone(), source })?;
    let formatted = canonical(&shown, &text)?;
    let is_changed = formatted != text;
    if check {
        if is_changed {
            print(&diff(&shown, &text, &formatted))?;
        }
    } else if is_stdin {
        print(&formatted)?;
    } else if is_changed {
        replace(path, &formatted).map_err(|source| Error::NotWritten { path: shown.clone(), source })?;
        print(&format!("{}\n", shown.display()))?;
    }
    Ok(is_changed)
}

/// What would change, as `diff -u` tells it, with colours that are taken out where they do not belong.
fn diff(path: &Path, old: &str, new: &str) -> String {
    let mut text = String::new();
    let diff = TextDiff::from_lines(old, new);
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "--- {0}\n+++ {0}, formatted", path.display());
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        let _ = writeln!(text, "{}", hunk.header());
        for change in hunk.iter_changes() {
            let (sign, style) = match change.tag() {
                ChangeTag::Equal => (' ', Style::new()),
                ChangeTag::Delete => ('-', BAD),
                ChangeTag::Insert => ('+', GOOD),
            };
            let _ = writeln!(text, "{style}{sign}{}{style:#}", change.value().trim_end_matches('\n'));
            if change.missing_newline() {
                text += "\\ no line feed at the end\n";
            }
        }
    }
    text
}
