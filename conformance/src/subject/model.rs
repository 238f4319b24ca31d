//! A subject and what it turns into for each role.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mock_lsws::AppCommand;
use mock_lsws::scenario::{Capability, Declared, Mode, Scenario};

use super::SubjectError;
use super::place::Place;
use super::role::RoleTable;
use super::{file, foreign};
use crate::again::shell_word;
use crate::{Error, binary, checkout};

/// An application that plays roles.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name in reports.
    pub name: String,
    /// How `{binary}` is found when the command line does not say.
    pub source: BinarySource,
    /// The command that makes a missing binary: a path relative to the subject file, or words as they are typed.
    pub(super) build: Option<String>,
    /// The user it runs as when the runner is root.
    pub user: String,
    /// What it does beyond what every application must.
    pub provides: Vec<Capability>,
    /// Its own numbers.
    pub declares: Declared,
    /// The words behind its command that tell it `{address}` to listen at; none if it cannot do that.
    pub(super) bind_args: Vec<String>,
    /// What it takes as descriptor 0.
    pub(super) modes: Vec<Mode>,
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    /// Variables that every request to it carries, placeholders filled in per role.
    pub(super) request_env: BTreeMap<String, String>,
    pub(super) roles: BTreeMap<String, RoleTable>,
    /// The folder relative paths of the subject file start from.
    pub(super) folder: PathBuf,
    /// Where it listens, if it was running before.
    pub(super) runs_at: Option<String>,
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

    /// Whether it takes what `mode` puts on descriptor 0. What is no use to anybody everybody has to take.
    #[must_use]
    pub fn takes(&self, mode: Mode) -> bool {
        match mode {
            Mode::Worker | Mode::Listen => self.modes.contains(&mode),
            Mode::Bind => !self.bind_args.is_empty(),
            Mode::Null | Mode::Pipe | Mode::Closed | Mode::Unconnected => true,
        }
    }

    /// The words that tell it to listen at `address`.
    #[must_use]
    pub fn bind_args(&self, address: &str) -> Vec<String> {
        self.bind_args.iter().map(|word| word.replace("{address}", address)).collect()
    }

    /// The subject with one more role, which does not exist: its name and its script have `number` in them. Nothing if
    /// no role reaches the subject's processes by its name or its script.
    #[must_use]
    pub fn with_unknown_role(&self, number: u64) -> Option<(Self, String, String)> {
        let values = self.command.iter().chain(self.request_env.values());
        let is_told = |word: &String| word.contains("{script}") || word.contains("{role}");
        if !values.chain(self.env.values()).any(is_told) {
            return None;
        }
        let role = format!("no-such-role-{number:016x}");
        let sibling = self.roles.values().find_map(|role| role.script.as_deref());
        let script = sibling.map(|sibling| {
            let name = sibling.with_file_name(&role);
            sibling.extension().map_or_else(|| name.clone(), |extension| name.with_extension(extension))
        });
        let what = script
            .as_deref()
            .map_or_else(|| role.clone(), |script| self.absolute(script).display().to_string());
        let mut subject = self.clone();
        subject.roles.insert(role.clone(), RoleTable { script, ..RoleTable::default() });
        Some((subject, role, what))
    }

    /// Why `case` is nothing for this subject, in the words of the report; `None` when it can run.
    #[must_use]
    pub fn lacks(&self, case: &Scenario) -> Option<String> {
        let Self { name, .. } = self;
        if let Some(role) = case.start.program.role().filter(|role| !self.plays(role)) {
            return Some(format!("{name} has no role `{role}`"));
        }
        if !self.takes(case.start.mode) {
            return Some(match case.start.mode {
                Mode::Bind => {
                    format!("{name} has no `bind_args`: nobody knows how it is told where to listen")
                }
                Mode::Worker => format!("{name} takes no connection as descriptor 0"),
                _ => format!("{name} takes no listener as descriptor 0"),
            });
        }
        if let Some(address) = &self.runs_at
            && let Some(what) = foreign::needs_process(case)
        {
            return Some(format!("{what} takes a process of this run, and {address} was there before it"));
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

    /// The command that makes its binary when that is missing, as it is typed in the current folder.
    #[must_use]
    pub fn build_command(&self) -> Option<String> {
        let command = self.build.as_ref()?;
        let file = self.folder.join(command);
        let of_file = || shell_word(&checkout::shown(&file).display().to_string());
        Some(if file.is_file() { of_file() } else { command.clone() })
    }

    /// The command that plays `role`, a role it has; or the one that runs `script`, an application from elsewhere.
    ///
    /// # Errors
    /// When the program cannot be found.
    pub fn command(
        &self,
        role: &str,
        script: Option<&Path>,
        place: &Place,
    ) -> Result<AppCommand, SubjectError> {
        let table = self.role(role, script);
        let fill = |word: &String| self.fill(word, role, &table, place);
        let words: Vec<String> = self.command.iter().chain(&table.args).map(fill).collect();
        let (program, args) =
            words.split_first().map_or(("", &[][..]), |(program, args)| (program.as_str(), args));
        let program = binary::locate(program, &self.folder)?;
        let env = self.env.iter().chain(&table.env).map(|(name, value)| (name.clone(), fill(value)));
        let command = AppCommand::new(place.of(&program)).args(args).envs(env);
        Ok(match &place.account {
            Some(account) => command.user(account.user.clone()),
            None => command,
        })
    }

    /// The variables a request to `role` carries; or one to `script`, an application from elsewhere.
    #[must_use]
    pub fn request_env(&self, role: &str, script: Option<&Path>, place: &Place) -> Vec<(String, String)> {
        let table = self.role(role, script);
        let mut env = self.request_env.clone();
        env.extend(table.request_env.clone());
        env.into_iter().map(|(name, value)| (name, self.fill(&value, role, &table, place))).collect()
    }

    /// The same subject with `words` in front of its command: a program that starts the rest of the words.
    #[must_use]
    pub(crate) fn behind(mut self, words: &[String]) -> Self {
        self.command.splice(..0, words.iter().cloned());
        self
    }

    /// The same subject with `words` in front of its command where it was put behind `others`.
    #[must_use]
    pub(crate) fn instead_of(mut self, others: &[String], words: &[String]) -> Self {
        if self.command.starts_with(others) {
            self.command.splice(..others.len(), words.iter().cloned());
        }
        self
    }

    /// The same subject with `words` in front of the script of its command.
    #[must_use]
    pub(crate) fn told(mut self, words: &[&str]) -> Self {
        let at = self.script_word();
        self.command.splice(at..at, words.iter().map(ToString::to_string));
        self
    }

    /// The words of its command up to the script, for this user.
    ///
    /// # Errors
    /// When its program is not there.
    pub(crate) fn words_of_program(&self) -> Result<Vec<String>, SubjectError> {
        let place = Place::here(binary::find(self, None, Path::new(""), &|_| {})?);
        let words = self.command.iter().take(self.script_word());
        Ok(words.map(|word| self.fill(word, "", &RoleTable::default(), &place)).collect())
    }

    /// Which word of its command is the script.
    fn script_word(&self) -> usize {
        let at = self.command.iter().position(|word| word.contains("{script}"));
        at.unwrap_or(self.command.len())
    }

    /// Every file the subject's processes need to be able to read, as far as the subject file names it: the binary, the
    /// program that runs, scripts, and what is named below `{folder}`, with all files of a folder that is. Programs found
    /// on PATH are everybody's.
    pub(super) fn files(&self, binary: &Path) -> Vec<PathBuf> {
        let mut files = vec![binary.to_owned()];
        let program = self.command.first().filter(|program| program.contains('/') && !program.contains('{'));
        files.extend(program.map(|program| self.folder.join(program)));
        files.extend(self.roles.values().filter_map(|role| Some(self.absolute(role.script.as_deref()?))));
        let roles = self.roles.values().flat_map(|role| role.args.iter().chain(role.env.values()));
        let words =
            self.command.iter().chain(self.env.values()).chain(self.request_env.values()).chain(roles);
        files.extend(words.filter_map(|word| Some(self.absolute(Path::new(in_folder(word)?.1)))));
        let folders: Vec<_> = files.iter().filter_map(|file| file.read_dir().ok()).collect();
        files.extend(folders.into_iter().flatten().flatten().map(|entry| entry.path()));
        files.retain(|file| file.is_file());
        files.sort();
        files.dedup();
        files
    }

    /// How `role` is played; an application from elsewhere runs with nothing special.
    fn role(&self, role: &str, script: Option<&Path>) -> RoleTable {
        match script {
            Some(script) => RoleTable { script: Some(script.to_owned()), ..RoleTable::default() },
            None => self.roles.get(role).cloned().unwrap_or_default(),
        }
    }

    /// A path of the subject file, without the `..` it may have, so that it reads well in a process list.
    fn absolute(&self, path: &Path) -> PathBuf {
        let path = self.folder.join(path);
        path.canonicalize().unwrap_or(path)
    }

    fn fill(&self, word: &str, role: &str, table: &RoleTable, place: &Place) -> String {
        let script = table.script.as_deref().map(|script| self.absolute(script)).unwrap_or_default();
        let word = match in_folder(word) {
            Some((before, file)) => {
                format!("{before}{}", place.of(&self.absolute(Path::new(file))).display())
            }
            None => word.to_owned(),
        };
        word.replace("{binary}", &place.of(&place.binary).to_string_lossy())
            .replace("{script}", &place.of(&script).to_string_lossy())
            .replace("{role}", role)
            .replace("{folder}", &self.folder.to_string_lossy())
            .replace("{cache}", &file::cache_folder().to_string_lossy())
    }
}

/// What is in front of `{folder}/`, and the path behind it.
fn in_folder(word: &str) -> Option<(&str, &str)> {
    word.split_once("{folder}/")
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
