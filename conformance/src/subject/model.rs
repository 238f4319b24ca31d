//! A subject and what it turns into for each role.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mock_lsws::AppCommand;
use mock_lsws::scenario::{Capability, Declared, Mode, Scenario};

use super::SubjectError;
use super::file;
use super::role::RoleTable;
use crate::Error;

/// An application that plays roles.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name in reports.
    pub name: String,
    /// How `{binary}` is found when the command line does not say.
    pub source: BinarySource,
    /// The command that makes a missing binary, for the message.
    pub build: Option<String>,
    /// The user it runs as when the runner is root.
    pub user: String,
    /// What it does beyond what every application must.
    pub provides: Vec<Capability>,
    /// Its own numbers.
    pub declares: Declared,
    /// What it takes as descriptor 0.
    pub(super) modes: Vec<Mode>,
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// Variables that every request to it carries, placeholders filled in per role.
    pub(super) request_env: BTreeMap<String, String>,
    pub(super) roles: BTreeMap<String, RoleTable>,
    /// The folder relative paths of the subject file start from.
    pub(super) folder: PathBuf,
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

impl Subject {
    /// Reads the subject called `name`, one of those shipped or a file.
    ///
    /// # Errors
    /// [`Error::NoSubject`], or [`Error::BadSubject`] with the place of the mistake.
    pub fn load(name: &str, scenarios: &Path) -> Result<Self, Error> {
        file::load(name, scenarios)
    }

    /// Whether the subject has an application for `role`.
    #[must_use]
    pub fn plays(&self, role: &str) -> bool {
        self.roles.contains_key(role)
    }

    /// Why `case` is nothing for this subject, in the words of the report; `None` when it can run.
    #[must_use]
    pub fn lacks(&self, case: &Scenario) -> Option<String> {
        let Self { name, .. } = self;
        if !self.plays(&case.start.role) {
            return Some(format!("{name} has no role `{}`", case.start.role));
        }
        if !self.modes.contains(&case.start.mode) {
            let form = if case.start.mode == Mode::Worker { "connection" } else { "listener" };
            return Some(format!("{name} takes no {form} as descriptor 0"));
        }
        let missing = case.needs.iter().find(|need| !self.provides.contains(need));
        missing.map(|need| format!("needs `{need}`, which {name} does not provide"))
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
        let table = self.role(role);
        let fill = |word: &String| self.fill(word, role, binary);
        let words: Vec<String> = self.command.iter().chain(&table.args).map(fill).collect();
        let (program, args) =
            words.split_first().map_or(("", &[][..]), |(program, args)| (program.as_str(), args));
        let program = crate::binary::locate(program, &self.folder)?;
        let env = self.env.iter().chain(&table.env).map(|(name, value)| (name.clone(), fill(value)));
        Ok(AppCommand::new(program).args(args).envs(env))
    }

    /// The variables a request to `role` carries.
    #[must_use]
    pub fn request_env(&self, role: &str) -> Vec<(String, String)> {
        let mut env = self.request_env.clone();
        env.extend(self.role(role).request_env);
        env.into_iter().map(|(name, value)| (name, self.fill(&value, role, Path::new("")))).collect()
    }

    fn role(&self, role: &str) -> RoleTable {
        self.roles.get(role).cloned().unwrap_or_default()
    }

    fn fill(&self, word: &str, role: &str, binary: &Path) -> String {
        let script = self.role(role).script.map(|script| self.folder.join(script)).unwrap_or_default();
        // Without the `..` that a path relative to the subject file has, so that it reads well in a process list.
        let script = script.canonicalize().unwrap_or(script);
        word.replace("{binary}", &binary.to_string_lossy())
            .replace("{script}", &script.to_string_lossy())
            .replace("{role}", role)
            .replace("{cache}", &file::cache_folder().to_string_lossy())
    }
}

impl BinarySource {
    /// The file it names, with `{cache}` filled in.
    #[must_use]
    pub fn file(&self) -> Option<String> {
        match self {
            Self::File(name) => Some(name.replace("{cache}", &file::cache_folder().to_string_lossy())),
            Self::CargoPackage(_) | Self::NotNeeded => None,
        }
    }
}
