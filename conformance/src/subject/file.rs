//! Reading a subject file, with the place of every mistake.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mock_lsws::FileError;
use mock_lsws::scenario::{Capability, Declared, Mode};
use serde::Deserialize;
use toml::Spanned;

use super::model::{BinarySource, Subject};
use super::role::Role;
use crate::{Error, checkout};

/// A subject file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectTable {
    name: String,
    command: Spanned<Vec<Spanned<String>>>,
    cargo_package: Option<Spanned<String>>,
    binary: Option<Spanned<String>>,
    build: Option<String>,
    bind_args: Option<Spanned<Vec<String>>>,
    hand_over: Option<Spanned<Vec<HandOver>>>,
    #[serde(default = "unprivileged")]
    user: String,
    #[serde(default)]
    provides: Vec<Spanned<Capability>>,
    #[serde(default)]
    declares: Declared,
    #[serde(default)]
    env: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    request_env: BTreeMap<String, Spanned<String>>,
    roles: BTreeMap<String, Spanned<Role>>,
}

/// What a subject takes as descriptor 0.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum HandOver {
    Connection,
    Listener,
}

/// The names a subject's strings may have in braces.
const PLACEHOLDERS: [&str; 5] = ["binary", "script", "role", "folder", "cache"];

/// A placeholder closer than this to one of those is taken for a slip of the finger.
const SIMILAR: f64 = 0.8;

/// The user almost every system has for processes that need nothing.
fn unprivileged() -> String {
    "nobody".to_owned()
}

/// Reads the subject called `name`, one of those shipped in `scenarios` or a file.
pub(super) fn load(name: &str, scenarios: &Path) -> Result<Subject, Error> {
    let path = checkout::subject_file(name, scenarios);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NoSubject { name: name.to_owned(), path });
        }
        text => text.map_err(|source| Error::Unreadable { path: path.clone(), source })?,
    };
    parse(&path, &text).map_err(Error::BadSubject)
}

/// Reads `text`, the content of `path`.
pub(super) fn parse(path: &Path, text: &str) -> Result<Subject, FileError> {
    let bad = |offset: usize, message: &str| FileError::at(&checkout::shown(path), text, offset, message);
    let table: SubjectTable = toml::from_str(text)
        .map_err(|error| bad(error.span().map_or(0, |span| span.start), error.message()))?;
    let words = table.command.get_ref();
    if words.is_empty() {
        return Err(bad(
            table.command.span().start,
            "`command` is empty: write the program and its arguments, for example [\"{binary}\", \"{script}\"]",
        ));
    }
    let strings = words.iter().chain(table.env.values()).chain(table.request_env.values());
    for word in strings.chain(&table.binary) {
        if let Some(message) = misspelt(word.get_ref()) {
            return Err(bad(word.span().start, &message));
        }
    }
    let source = source(&table).map_err(|(offset, message)| bad(offset, message))?;
    let uses_script = words.iter().any(|word| word.get_ref().contains("{script}"));
    for (role, table) in &table.roles {
        if uses_script && table.get_ref().0.script.is_none() {
            let message = format!("role `{role}` has no `script`, and `command` uses {{script}}");
            return Err(bad(table.span().start, &message));
        }
    }
    let told = words.iter().chain(table.env.values()).chain(table.request_env.values());
    if let Some(wsgi) = table.provides.iter().find(|ability| *ability.get_ref() == Capability::Wsgi)
        && !told.into_iter().any(|word| word.get_ref().contains("{script}"))
    {
        let message = "`wsgi` is running the application in {script}, and nothing here is told {script}: write it in \
                       `command`, `env` or `request_env`";
        return Err(bad(wsgi.span().start, message));
    }
    let modes = match &table.hand_over {
        None => vec![Mode::Worker, Mode::Listen],
        Some(forms) if forms.get_ref().is_empty() => {
            return Err(bad(
                forms.span().start,
                "`hand_over` is empty: write what the application takes as descriptor 0, \"connection\", \"listener\" \
                 or both",
            ));
        }
        Some(forms) => forms
            .get_ref()
            .iter()
            .map(|form| if *form == HandOver::Connection { Mode::Worker } else { Mode::Listen })
            .collect(),
    };
    if let Some(bind_args) = &table.bind_args
        && !bind_args.get_ref().iter().any(|word| word.contains("{address}"))
    {
        return Err(bad(
            bind_args.span().start,
            "`bind_args` says nowhere what the address is: write {address}, for example [\"-b\", \"{address}\"]",
        ));
    }
    let folder = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_path_buf));
    let plain = |table: BTreeMap<String, Spanned<String>>| {
        table.into_iter().map(|(name, value)| (name, value.into_inner())).collect()
    };
    Ok(Subject {
        name: table.name,
        source,
        build: table.build,
        user: table.user,
        bind_args: table.bind_args.map(Spanned::into_inner).unwrap_or_default(),
        modes,
        provides: table.provides.into_iter().map(Spanned::into_inner).collect(),
        declares: table.declares,
        command: table.command.into_inner().into_iter().map(Spanned::into_inner).collect(),
        env: plain(table.env),
        request_env: plain(table.request_env),
        roles: table.roles.into_iter().map(|(name, role)| (name, role.into_inner().0)).collect(),
        folder: folder.unwrap_or_default(),
        runs_at: None,
    })
}

/// Where the binary comes from, or what is wrong with that and where.
fn source(table: &SubjectTable) -> Result<BinarySource, (usize, &'static str)> {
    let user = table.command.get_ref().iter().find(|word| word.get_ref().contains("{binary}"));
    match (&table.cargo_package, &table.binary, user) {
        (Some(_), Some(binary), _) => Err((
            binary.span().start,
            "`cargo_package` and `binary` both say where the binary comes from: use one of them",
        )),
        (Some(package), None, _) => Ok(BinarySource::CargoPackage(package.get_ref().clone())),
        (None, Some(binary), _) => Ok(BinarySource::File(binary.get_ref().clone())),
        (None, None, Some(word)) => Err((
            word.span().start,
            "`command` uses {binary}: say with `binary` or `cargo_package` where it comes from",
        )),
        (None, None, None) => Ok(BinarySource::NotNeeded),
    }
}

/// What is wrong with a placeholder that is nearly one of those there are. Other braces belong to the application.
fn misspelt(word: &str) -> Option<String> {
    word.split('{').skip(1).filter_map(|rest| rest.split_once('}')).find_map(|(name, _)| {
        let close = PLACEHOLDERS.iter().any(|known| strsim::jaro_winkler(name, known) > SIMILAR);
        (close && !PLACEHOLDERS.contains(&name)).then(|| {
            let known = PLACEHOLDERS.map(|name| format!("`{name}`")).join(", ");
            format!("unknown placeholder `{name}`, expected one of {known}")
        })
    })
}

/// The folder a binary outside the checkout is kept in between runs: `{cache}`.
pub(super) fn cache_folder() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("LSAPI_CONFORMANCE_CACHE").unwrap_or_else(|| {
        let home = || set("HOME").unwrap_or_else(|| PathBuf::from("/")).join(".cache");
        set("XDG_CACHE_HOME").unwrap_or_else(home).join("lsapi-conformance")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Place;
    use super::*;

    const HEAD: &str = "name = 'x'\ncommand = ['{binary}', '{script}']\n";

    fn error(text: &str) -> String {
        parse(Path::new("/s/x.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn a_subject_is_read_whole() {
        let text = format!(
            "{HEAD}binary = './x'\nhand_over = ['listener']\nbind_args = ['-l={{address}}']\nprovides = ['group', 'early-end']\nuser = 'www-data'\n\
             [declares]\nkill_window = '4s'\n[roles]\necho = 'e.x'\n\
             stderr = {{ script = 'e.x', args = ['--loud'], env = {{ A = '1' }}, request_env = {{ B = '{{script}}' }} }}\n"
        );
        let subject = parse(Path::new("/s/x.toml"), &text).unwrap();
        assert_eq!((subject.user.as_str(), subject.folder()), ("www-data", Path::new("/s")));
        assert_eq!(subject.provides, [Capability::Group, Capability::EarlyEnd]);
        assert_eq!(subject.declares.kill_window.0, Duration::from_secs(4));
        assert_eq!(subject.declares.max_request_packet, 65_535, "as the reference library, when not said");
        assert_eq!(subject.modes, [Mode::Listen]);
        assert_eq!(subject.bind_args("*:90"), ["-l=*:90"]);
        assert_eq!(
            subject.request_env("stderr", None, &Place::default()),
            [("B".to_owned(), "/s/e.x".to_owned())]
        );
        assert_eq!(subject.request_env("echo", None, &Place::default()), []);
    }

    #[test]
    fn mistakes_are_placed_and_explained() {
        let source = "binary = 'x'\n";
        for (text, message) in [
            (format!("{HEAD}[rolls]\n"), "x.toml:3:2: unknown field `rolls`"),
            (format!("{HEAD}{source}provides = ['grop']\n[roles]\n"), "did you mean `group`?"),
            (
                format!("{HEAD}{source}[declares]\nkill_windw = '1s'\n[roles]\n"),
                "did you mean `kill_window`?",
            ),
            (format!("{HEAD}{source}[roles]\na = {{ scrpt = 'x' }}\n"), "did you mean `script`?"),
            (
                format!("{HEAD}{source}[roles]\na = 3\n"),
                "x.toml:5:5: invalid type: integer `3`, expected the path",
            ),
            (format!("{HEAD}{source}[roles]\na = {{}}\n"), "x.toml:5:5: role `a` has no `script`"),
            (format!("{HEAD}[roles]\n"), "x.toml:2:12: `command` uses {binary}"),
            (
                format!("{HEAD}{source}cargo_package = 'y'\n[roles]\n"),
                "x.toml:3:10: `cargo_package` and `binary`",
            ),
            (format!("{HEAD}{source}hand_over = []\n[roles]\n"), "x.toml:4:13: `hand_over` is empty"),
            (format!("{HEAD}{source}bind_args = ['-l']\n[roles]\n"), "x.toml:4:13: `bind_args` says nowhere"),
            (format!("{HEAD}{source}hand_over = ['conection']\n[roles]\n"), "did you mean `connection`?"),
            (
                "name = 'x'\ncommand = ['a']\nprovides = ['threads', 'wsgi']\n[roles]\n".into(),
                "x.toml:3:24: `wsgi` is running the application in {script}",
            ),
            ("name = 'x'\ncommand = []\n[roles]\n".into(), "x.toml:2:11: `command` is empty"),
            (
                "name = 'x'\ncommand = ['a', '{scirpt}']\n[roles]\n".into(),
                "x.toml:2:17: unknown placeholder `scirpt`; did you mean `script`?",
            ),
        ] {
            let error = error(&text);
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn braces_that_belong_to_the_application_are_left_to_it() {
        let text = "name = 'x'\ncommand = ['awk', '{print}', '${HOME}', '{']\n[roles]\n";
        assert!(parse(Path::new("/s/x.toml"), text).is_ok());
    }
}
