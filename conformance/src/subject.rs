//! The application under test, as its subject file describes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mock_lsws::AppCommand;
use mock_lsws::scenario::ScenarioError;
use serde::Deserialize;

use crate::{Error, checkout};

/// An application that plays roles.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name in reports.
    pub name: String,
    /// How `{binary}` is found when the command line does not say.
    pub source: BinarySource,
    /// Variables that every request to it carries, templates filled in per role.
    request_env: BTreeMap<String, String>,
    command: Vec<String>,
    env: BTreeMap<String, String>,
    roles: BTreeMap<String, PathBuf>,
    /// The folder relative paths of the subject file start from.
    folder: PathBuf,
}

/// Where the subject's binary comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BinarySource {
    /// A package of the checkout, built on demand; package and binary have one name.
    CargoPackage(String),
    /// A file, or a name looked up on PATH.
    File(String),
    /// The command does not use `{binary}`.
    NotNeeded,
}

/// A subject that cannot be built or started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// cargo could not be run.
    #[error(
        "cannot run {cargo} to build the subject: {source}; build it yourself and name it with --binary FILE"
    )]
    NoCargo {
        /// The program tried.
        cargo: String,
        /// Why.
        source: std::io::Error,
    },
    /// cargo failed.
    #[error("cargo could not build `{package}` ({status}); its messages are above")]
    BuildFailed {
        /// The package.
        package: String,
        /// How cargo ended.
        status: std::process::ExitStatus,
    },
    /// cargo succeeded without making the binary.
    #[error("cargo built `{package}` but named no executable for it")]
    NoExecutable {
        /// The package.
        package: String,
    },
    /// The binary is not there.
    #[error("{}: no such file; the subject's binary is named with --binary FILE or in the subject file", .0.display())]
    NoBinary(PathBuf),
    /// The program is not on PATH.
    #[error("`{0}` is not on PATH; give the whole path with --binary FILE or in the subject file")]
    NotOnPath(String),
    /// The process could not be started, or ended before it said anything.
    #[error("{name} did not start as `{role}`: {reason}{}", stderr_text(.stderr))]
    NotStarted {
        /// The subject's name.
        name: String,
        /// The role it was tried in.
        role: String,
        /// What happened instead.
        reason: String,
        /// The end of its stderr.
        stderr: Vec<String>,
    },
}

fn stderr_text(lines: &[String]) -> String {
    if lines.is_empty() {
        return "; it wrote nothing to its stderr".into();
    }
    format!("; the end of its stderr:\n    {}", lines.join("\n    "))
}

/// A subject file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectTable {
    name: String,
    command: Vec<String>,
    cargo_package: Option<String>,
    binary: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    request_env: BTreeMap<String, String>,
    roles: BTreeMap<String, PathBuf>,
}

impl Subject {
    /// Reads the subject called `name`, one of those shipped or a file.
    ///
    /// # Errors
    /// [`Error::NoSubject`], or [`Error::BadSubject`] with the place of the mistake.
    pub fn load(name: &str, scenarios: &Path) -> Result<Self, Error> {
        let path = checkout::subject_file(name, scenarios);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoSubject { name: name.to_owned(), path });
            }
            text => text.map_err(|source| Error::Unreadable { path: path.clone(), source })?,
        };
        let bad = |offset: usize, message: &str| {
            Error::BadSubject(ScenarioError::at(&checkout::shown(&path), &text, offset, message))
        };
        let table: SubjectTable = toml::from_str(&text)
            .map_err(|error| bad(error.span().map_or(0, |span| span.start), error.message()))?;
        if table.command.is_empty() {
            return Err(bad(
                0,
                "`command` is empty: write the program and its arguments, for example [\"{binary}\", \"{script}\"]",
            ));
        }
        let needs_binary = table.command.iter().any(|word| word.contains("{binary}"));
        let source = match (table.cargo_package, table.binary) {
            (Some(_), Some(_)) => {
                return Err(bad(
                    0,
                    "`cargo_package` and `binary` both say where the binary comes from: use one of them",
                ));
            }
            (Some(package), None) => BinarySource::CargoPackage(package),
            (None, Some(binary)) => BinarySource::File(binary),
            (None, None) if needs_binary => {
                return Err(bad(
                    0,
                    "`command` uses {binary}: say with `binary` or `cargo_package` where it comes from",
                ));
            }
            (None, None) => BinarySource::NotNeeded,
        };
        let folder = std::path::absolute(&path).ok().and_then(|path| path.parent().map(Path::to_path_buf));
        Ok(Self {
            name: table.name,
            source,
            request_env: table.request_env,
            command: table.command,
            env: table.env,
            roles: table.roles,
            folder: folder.unwrap_or_default(),
        })
    }

    /// Whether the subject has an application for `role`.
    #[must_use]
    pub fn plays(&self, role: &str) -> bool {
        self.roles.contains_key(role)
    }

    /// The names of all roles it plays.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// The folder relative paths of the subject file start from.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The command that plays `role`, a role it has, with `binary` for `{binary}`.
    ///
    /// # Errors
    /// When the program cannot be found.
    pub fn command(&self, role: &str, binary: &Path) -> Result<AppCommand, SubjectError> {
        let words: Vec<String> = self.command.iter().map(|word| self.fill(word, role, binary)).collect();
        let (program, args) =
            words.split_first().map_or(("", &[][..]), |(program, args)| (program.as_str(), args));
        let program = crate::binary::locate(program, &self.folder)?;
        let env = self.env.iter().map(|(name, value)| (name.clone(), self.fill(value, role, binary)));
        Ok(AppCommand::new(program).args(args).envs(env))
    }

    /// The variables a request to `role` carries.
    #[must_use]
    pub fn request_env(&self, role: &str) -> Vec<(String, String)> {
        let fill = |value: &String| self.fill(value, role, Path::new(""));
        self.request_env.iter().map(|(name, value)| (name.clone(), fill(value))).collect()
    }

    fn fill(&self, word: &str, role: &str, binary: &Path) -> String {
        let script = self.roles.get(role).map(|script| self.folder.join(script)).unwrap_or_default();
        // Without the `..` that a path relative to the subject file has, so that it reads well in a process list.
        let script = script.canonicalize().unwrap_or(script);
        word.replace("{binary}", &binary.to_string_lossy()).replace("{script}", &script.to_string_lossy())
    }
}
