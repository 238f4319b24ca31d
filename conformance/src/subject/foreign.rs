//! A subject that runs already: what can be asked of it, and how it is reached.
//!
//! Its cases run as any others, with the [`proxy`](crate::proxy) in the place of the application. What they say about the
//! process would be about the proxy, so cases that look at it are left out.

use std::collections::BTreeMap;
use std::path::Path;

use mock_lsws::Address;
use mock_lsws::scenario::{Action, Mode, Program, Scenario, SocketKind, Step};

use super::model::{BinarySource, Subject};
use super::role::RoleTable;
use super::{SubjectError, account};

impl Subject {
    /// The application that listens at `address` and does nothing but play `role`.
    #[must_use]
    pub fn single(address: &Address, role: &str) -> Self {
        Self {
            name: address.to_string(),
            source: BinarySource::NotNeeded,
            build: None,
            user: account::SELF.to_owned(),
            provides: Vec::new(),
            declares: mock_lsws::scenario::Declared::default(),
            bind_args: Vec::new(),
            modes: vec![Mode::Worker, Mode::Listen],
            command: Vec::new(),
            env: BTreeMap::new(),
            request_env: BTreeMap::new(),
            roles: BTreeMap::from([(role.to_owned(), RoleTable::default())]),
            folder: std::path::PathBuf::new(),
            runs_at: None,
        }
    }

    /// This subject where it listens already, reached through `proxy`, this program. With `role` it plays that one only.
    ///
    /// # Errors
    /// When it could play several roles and nothing in its requests says which.
    pub fn running_at(
        mut self,
        address: &Address,
        role: Option<&str>,
        proxy: &Path,
    ) -> Result<Self, SubjectError> {
        if let Some(role) = role {
            let table = self.roles.remove(role).unwrap_or_default();
            self.roles = BTreeMap::from([(role.to_owned(), table)]);
        } else if self.roles.len() != 1 && !self.is_told_its_role() {
            return Err(SubjectError::WhichRole { name: self.name });
        }
        for table in self.roles.values_mut() {
            table.args.clear();
            table.env.clear();
        }
        self.command = ["{binary}", "proxy", "--connect", &address.to_string()].map(str::to_owned).into();
        self.source = BinarySource::File(proxy.to_string_lossy().into_owned());
        self.env.clear();
        self.user = account::SELF.to_owned();
        self.bind_args.clear();
        self.modes = vec![Mode::Worker, Mode::Listen];
        self.runs_at = Some(address.to_string());
        Ok(self)
    }

    /// Whether every request says which role is meant.
    fn is_told_its_role(&self) -> bool {
        let says = |env: &BTreeMap<String, String>| {
            env.values().any(|value| value.contains("{script}") || value.contains("{role}"))
        };
        says(&self.request_env)
            || self.roles.values().all(|role| says(&role.request_env) || !role.request_env.is_empty())
    }
}

/// What `case` does that takes an application started for it, in the words of a scenario.
pub(super) fn needs_process(case: &Scenario) -> Option<&'static str> {
    if matches!(case.start.program, Program::Wsgi(_)) {
        return Some("an application of its own");
    }
    if !case.start.args.is_empty() {
        return Some("`args`");
    }
    if !case.start.env.0.is_empty() {
        return Some("an environment of its own");
    }
    if case.start.socket != SocketKind::Unix {
        return Some("a `socket` of its own");
    }
    if !matches!(case.start.mode, Mode::Worker | Mode::Listen) {
        return Some("its `mode`");
    }
    if case.start.core_limit.is_some() {
        return Some("`core_limit`");
    }
    if case.start.secret_mode.is_some() {
        return Some("`secret`");
    }
    if !case.logs.is_empty() {
        return Some("`logs`");
    }
    case.steps.iter().find_map(of_step)
}

fn of_step(step: &Step) -> Option<&'static str> {
    match &step.action {
        Action::ExpectExit(_) => Some("`expect_exit`"),
        Action::ExpectProcess(_) => Some("`expect_process`"),
        Action::Signal(..) => Some("`signal`"),
        Action::WaitLog { .. } => Some("`wait_log`"),
        Action::Parallel(rows) => rows.iter().flatten().find_map(of_step),
        _ => None,
    }
}
