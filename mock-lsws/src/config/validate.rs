//! What makes a configuration unusable, wherever it comes from.
//!
//! The checks name a setting by its owner and its key in a file, so that whoever read the file can say the line.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::Path;

use super::app_kind::AppKind;
use super::external_app::{BACKLOG, INSTANCES, MAX_CONNS, MAX_WORDS, PRIORITY, UMASK};
use super::wsgi_alias::{APPLICATION_GROUP, CALLABLE_OBJECT, SCRIPT_RELOADING};
use super::{ConfigError, ContextKind, ExternalApp, ScriptAlias, ServerConfig, Suexec};
use crate::Address;

/// What a setting belongs to, by its place in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    Server,
    Tuning,
    App(usize),
    Context(usize),
    ScriptHandler(usize),
    Alias(usize),
}

/// A setting that is wrong.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) owner: Owner,
    /// Its name in a file; nothing if the owner is wrong as a whole.
    pub(super) key: &'static str,
    pub(super) message: String,
}

/// Collects what is wrong with one owner.
struct Check<'a> {
    owner: Owner,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    fn wrong(&mut self, key: &'static str, message: impl Into<String>) {
        self.problems.push(Problem { owner: self.owner, key, message: message.into() });
    }

    fn range<T: PartialOrd + Display + Copy>(
        &mut self,
        key: &'static str,
        value: T,
        range: &RangeInclusive<T>,
    ) {
        if !range.contains(&value) {
            let (least, most) = (range.start(), range.end());
            self.wrong(key, format!("`{key}` is {value}; it goes from {least} to {most}"));
        }
    }

    fn absolute(&mut self, key: &'static str, path: &Path) {
        if !path.is_absolute() {
            self.wrong(key, format!("`{key}` is `{}`: write the whole path, from / on", path.display()));
        }
    }

    fn handler(&mut self, name: &str, apps: &[ExternalApp]) {
        if apps.iter().all(|app| app.name != name) {
            let known = apps.iter().map(|app| format!("`{}`", app.name)).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() {
                "there is none".to_owned()
            } else {
                format!("expected one of {known}")
            };
            self.wrong("handler", format!("unknown external application `{name}`, {known}"));
        }
    }
}

impl ServerConfig {
    /// Says whether the configuration can be used.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let problems = self.problems();
        if problems.is_empty() {
            return Ok(());
        }
        let named = |problem: Problem| match self.name_of(problem.owner) {
            Some(name) => format!("{name}: {}", problem.message),
            None => problem.message,
        };
        Err(ConfigError::Settings(problems.into_iter().map(named).collect()))
    }

    fn name_of(&self, owner: Owner) -> Option<String> {
        match owner {
            Owner::Server | Owner::Tuning => None,
            Owner::App(at) => self.apps.get(at).map(|app| format!("external application '{}'", app.name)),
            Owner::Context(at) => self.contexts.get(at).map(|context| format!("context '{}'", context.uri)),
            Owner::ScriptHandler(at) => self
                .script_handlers
                .get(at)
                .map(|handler| format!("script handler '{}'", handler.suffixes.join(", "))),
            Owner::Alias(at) => self.aliases.get(at).map(|alias| format!("script alias '{}'", alias.url)),
        }
    }

    /// All that is wrong.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = Check { owner: Owner::Server, problems: &mut problems };
        check.absolute("docRoot", &self.doc_root);
        if let Some(file) = &self.stderr_log {
            check.absolute("stderrLog", file);
        }
        if let Some(folder) = &self.keep_detached {
            check.absolute("keepDetached", folder);
        }
        for variable in &self.wsgi_variables {
            check_variable(&mut check, &variable.name);
        }
        check.owner = Owner::Tuning;
        check_limits(&mut check, self);
        for (at, app) in self.apps.iter().enumerate() {
            check.owner = Owner::App(at);
            check_app(&mut check, app, self);
            if self.apps.iter().take(at).any(|other| other.name == app.name) {
                check.wrong("name", format!("there is an external application `{}` already", app.name));
            }
        }
        for (at, context) in self.contexts.iter().enumerate() {
            check.owner = Owner::Context(at);
            let may_be_file = matches!(context.kind, ContextKind::Static { .. });
            if !context.uri.starts_with('/') || !(context.uri.ends_with('/') || may_be_file) {
                let uri = context.uri.trim_matches('/');
                check.wrong(
                    "uri",
                    format!("`uri` is `{}`: it begins and ends with a slash, as `/{uri}/`", context.uri),
                );
            }
            if self.contexts.iter().take(at).any(|other| other.uri == context.uri) {
                check.wrong("uri", format!("there is a context `{}` already", context.uri));
            }
            if let Some(handler) = context.handler() {
                check.handler(handler, &self.apps);
            }
            match &context.kind {
                ContextKind::Lsapi { .. } => {}
                ContextKind::Wsgi { public: location, .. } | ContextKind::Static { location } => {
                    check.absolute("location", location);
                }
            }
        }
        for (at, handler) in self.script_handlers.iter().enumerate() {
            check.owner = Owner::ScriptHandler(at);
            check.handler(&handler.handler, &self.apps);
            check_suffixes(&mut check, at, self);
        }
        for (at, alias) in self.aliases.iter().enumerate() {
            check.owner = Owner::Alias(at);
            check_alias(&mut check, alias);
            check.handler(&alias.handler, &self.apps);
        }
        problems
    }
}

fn check_limits(check: &mut Check<'_>, config: &ServerConfig) {
    let limits = &config.limits;
    // The real server's own bounds; a head and a URL always have to fit somewhere.
    check.range("maxReqHeaderSize", limits.max_req_header_size, &(1024..=65_530 * 2));
    check.range("maxReqURLLen", limits.max_req_url_len, &(200..=65_530));
    if limits.conn_timeout.is_zero() {
        check.wrong("connTimeout", "`connTimeout` is 0: no client could be served");
    }
}

fn check_app(check: &mut Check<'_>, app: &ExternalApp, config: &ServerConfig) {
    if app.name.is_empty() {
        check.wrong("name", "`name` is empty: contexts and handlers need one to refer to");
    }
    check.range("instances", app.instances, &INSTANCES);
    check.range("maxConns", app.max_conns, &MAX_CONNS);
    check.range("backlog", app.backlog, &BACKLOG);
    check.range("suEXECMaxConns", app.suexec.max_conns().unwrap_or(1), &MAX_CONNS);
    if app.suexec != Suexec::Off && (app.command.is_empty() || !app.auto_start) {
        check.wrong("suEXEC", "`suEXEC` is about applications that the server starts: give it a `path`");
    }
    if let (Suexec::PerAccount { .. }, Some(Address::Tcp { .. })) = (&app.suexec, &app.address) {
        check.wrong(
            "address",
            "each account listens at a socket of its own, whose path is made of `address`: write it as uds://path",
        );
    }
    if let (Suexec::Daemon { .. }, Some(_)) = (&app.suexec, &app.user) {
        check.wrong("extUser", "a suEXEC daemon is root's: leave `extUser` out");
    }
    check.range("priority", app.priority.unwrap_or_default(), &PRIORITY);
    if !UMASK.contains(&app.umask) {
        check.wrong("umask", format!("`umask` is {:o}; it goes from 000 to 777, octal", app.umask));
    }
    match app.command.first() {
        Some(program) => check.absolute("path", Path::new(program)),
        None if app.address.is_none() => {
            check.wrong("path", "there is neither `path`, to start it, nor `address`, to connect to it");
        }
        None => {}
    }
    if !app.auto_start && app.address.is_none() {
        check.wrong("address", "with `autoStart = 0` it needs an `address` to connect to");
    }
    // lsapi 4.1.3.
    if app.command.len() > MAX_WORDS {
        check.wrong("path", format!("`path` has {} words; the server takes {MAX_WORDS}", app.command.len()));
    }
    match &app.address {
        // A server listens at a number (lsapi 4.1.2); only to connect can a name do.
        Some(Address::Tcp { host, .. })
            if app.auto_start && !app.command.is_empty() && host.parse::<IpAddr>().is_err() =>
        {
            check.wrong(
                "address",
                format!("`{host}` is no IP address: a server that starts it listens at a number"),
            );
        }
        _ => {}
    }
    for (key, _) in &app.env {
        let bytes = key.as_encoded_bytes();
        if bytes.is_empty() || bytes.contains(&b'=') {
            check
                .wrong("env", format!("`{}` is no name of a variable", key.to_string_lossy().escape_debug()));
        }
    }
    for (soft, hard, limits) in
        [("procSoftLimit", "procHardLimit", app.processes), ("memSoftLimit", "memHardLimit", app.memory)]
    {
        if let Some((low, high)) = limits.filter(|(low, high)| low > high && *high != 0) {
            check.wrong(soft, format!("`{soft}` is {low}, which is more than `{hard}`, {high}"));
        }
    }
    if let Some(user) = &app.user {
        if user.uid < config.min_uid {
            check.wrong(
                "extUser",
                format!(
                    "user {} is below `minUID`, {}: the server does not run applications as a system user",
                    user.uid, config.min_uid
                ),
            );
        }
        if user.gid < config.min_gid {
            check.wrong(
                "extGroup",
                format!(
                    "group {} is below `minGID`, {}: the server does not run applications in a system group",
                    user.gid, config.min_gid
                ),
            );
        }
    }
    if let AppKind::Wsgi(wsgi) = &app.kind {
        check.absolute("location", &wsgi.root);
        if app.instances != 1 {
            check.wrong("instances", "`instances` is 1 for a WSGI context: its one process makes the others");
        }
    }
}

/// Suffixes of script handlers: each belongs to one of them. The first of a list gives it its MIME type, which is what
/// `AddType application/x-httpd-wsgi` refers to, so `wsgi` cannot come later.
fn check_suffixes(check: &mut Check<'_>, at: usize, config: &ServerConfig) {
    let suffixes = config.script_handlers.get(at).map_or(&[][..], |handler| &handler.suffixes);
    if suffixes.is_empty() {
        check.wrong("suffix", "`suffix` is empty: name at least one, such as `wsgi`");
    }
    for (position, suffix) in suffixes.iter().enumerate() {
        if suffix.is_empty() || suffix.contains(['/', '.', ' ', ',']) {
            check.wrong("suffix", format!("`{}` is no suffix of a file", suffix.escape_debug()));
        }
        let earlier = config.script_handlers.iter().take(at).flat_map(|handler| &handler.suffixes);
        if earlier.chain(suffixes.iter().take(position)).any(|other| other == suffix) {
            check.wrong("suffix", format!("the suffix `{suffix}` has a handler already"));
        }
        if position > 0 && suffix.eq_ignore_ascii_case("wsgi") {
            let message = "`wsgi` has to be the first suffix of the list: the first gives the MIME type its name, and \
                           Python scripts are known by application/x-httpd-wsgi";
            check.wrong("suffix", message);
        }
    }
}

fn check_alias(check: &mut Check<'_>, alias: &ScriptAlias) {
    if let Some(Err(error)) = alias.expression() {
        check.wrong("url", format!("`url` is no regular expression: {error}"));
    }
    if !alias.is_match && !alias.url.starts_with('/') {
        check.wrong("url", format!("`url` is `{}`: it begins with a slash", alias.url));
    }
    // `$1` may stand for a whole path.
    if !alias.script.starts_with('$') || !alias.is_match {
        check.absolute("script", Path::new(&alias.script));
    }
    for (name, _) in &alias.variables {
        check_variable(check, name);
    }
}

fn check_variable(check: &mut Check<'_>, name: &str) {
    if ![APPLICATION_GROUP, CALLABLE_OBJECT, SCRIPT_RELOADING].contains(&name) {
        let known = format!("`{APPLICATION_GROUP}`, `{CALLABLE_OBJECT}`, `{SCRIPT_RELOADING}`");
        check.wrong("", format!("unknown request variable `{name}`, expected one of {known}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Context, ScriptHandler};

    #[test]
    fn what_a_program_gets_wrong_is_told_with_its_owner() {
        let config = ServerConfig::new()
            .app(ExternalApp::new("a").command(["/bin/a"]).max_conns(0).backlog(0))
            .app(ExternalApp::new("a").command(["a"]))
            .context(Context::lsapi("/x", "b"))
            .script_handler(ScriptHandler::new(["py", "wsgi"], "a"))
            .alias(ScriptAlias::new("/s", "/s.py", "a").variable("WSGICalableObject", "x"));
        let error = config.validate().unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().collect();
        let expected = [
            "external application 'a': `maxConns` is 0; it goes from 1 to 10000",
            "external application 'a': `backlog` is 0; it goes from 1 to 100",
            "external application 'a': `path` is `a`: write the whole path, from / on",
            "external application 'a': there is an external application `a` already",
            "context '/x': `uri` is `/x`: it begins and ends with a slash, as `/x/`",
            "context '/x': unknown external application `b`, expected one of `a`, `a`",
            "script handler 'py, wsgi': `wsgi` has to be the first suffix of the list",
            "script alias '/s': unknown request variable `WSGICalableObject`, expected one of",
        ];
        assert_eq!(lines.len(), expected.len(), "{error}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.starts_with(expected), "{line}");
        }
    }

    #[test]
    fn system_users_run_no_applications() {
        let user = crate::User { uid: 5, gid: 5, groups: vec![] };
        let mut config = ServerConfig::new().app(ExternalApp::new("a").command(["/bin/a"]).user(user));
        let problems = config.problems();
        assert_eq!(problems.iter().map(|problem| problem.key).collect::<Vec<_>>(), ["extUser", "extGroup"]);
        (config.min_uid, config.min_gid) = (5, 5);
        assert!(config.validate().is_ok());
    }
}
