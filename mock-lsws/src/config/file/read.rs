//! From the text of a file to a configuration.

use std::collections::HashMap;
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;

use super::app::{external_app, set, wsgi_defaults};
use super::context::context;
use super::section::{Mistakes, Places, Section};
use crate::FileError;
use crate::config::validate::{Owner, Problem};
use crate::config::{
    APPLICATION_GROUP, CALLABLE_OBJECT, ConfigError, Context, ContextKind, PhpIni, Realm, SCRIPT_RELOADING,
    Scope, ScriptAlias, ScriptHandler, ServerConfig, WsgiVariable,
};

impl ServerConfig {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// When it cannot be read, or all that is wrong with it, each with its line.
    pub fn from_toml(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(read)?;
        Self::from_toml_text(&text, path)
    }

    /// Reads a configuration from `text`, the content of `path`: messages name it, and relative paths are below its
    /// folder.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line.
    pub fn from_toml_text(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let folder = std::path::absolute(path)
            .ok()
            .and_then(|path| path.parent().map(Path::to_path_buf))
            .unwrap_or_else(|| "/".into());
        let mistakes = Mistakes::default();
        let (table, syntax) = DeTable::parse_recoverable(text);
        for error in &syntax {
            mistakes.add(error.span().map_or(0, |span| span.start), error.message());
        }
        let mut config = Self::new();
        if syntax.is_empty() {
            let places = read(&mut config, table, &folder, &mistakes);
            // What has not been read right would be found wrong a second time.
            let problems = config.problems().into_iter().filter_map(|problem| {
                let place = places.place(&problem)?;
                (!mistakes.has(place)).then_some((place, problem.message))
            });
            for (place, message) in problems.collect::<Vec<_>>() {
                mistakes.add(place, message);
            }
        }
        let mistakes = mistakes.into_sorted();
        if mistakes.is_empty() {
            return Ok(config);
        }
        let error = |(place, message): (usize, String)| FileError::at(path, text, place, &message);
        let mut errors: Vec<_> = mistakes.into_iter().map(error).collect();
        if !syntax.is_empty() {
            // Behind the first slip in a line everything is one.
            errors.dedup_by_key(|error| error.line);
        }
        Err(ConfigError::File(errors))
    }
}

/// Where the keys of every owner stand.
#[derive(Default)]
struct AllPlaces(HashMap<Owner, Places>);

impl AllPlaces {
    fn place(&self, problem: &Problem) -> Option<usize> {
        let places = self.0.get(&problem.owner)?;
        let of = |key: &str| places.iter().find(|(name, _)| name == key).map(|(_, place)| *place);
        // A group nobody wrote is the user's.
        let written = if problem.key == "extGroup" { of("extUser") } else { None };
        of(problem.key).or(written).or_else(|| of(""))
    }
}

fn read<'i>(
    config: &mut ServerConfig,
    table: Spanned<DeTable<'i>>,
    folder: &Path,
    mistakes: &Mistakes,
) -> AllPlaces {
    let mut places = AllPlaces::default();
    let mut top = Section::new("", table, folder, mistakes);
    let vh_root = top.path("vhRoot").unwrap_or_else(|| folder.to_path_buf());
    config.doc_root = vh_root.join(top.text("docRoot").as_deref().unwrap_or("html"));
    set(&mut config.index_files, top.words("indexFiles"));
    set(&mut config.server_admin, top.text("adminEmails"));
    set(&mut config.min_uid, top.number("minUID"));
    set(&mut config.min_gid, top.number("minGID"));
    set(&mut config.allow_ext_app_setuid, top.flag("allowExtAppSetuid"));
    config.keep_detached = top.path("keepDetached");
    config.stderr_log = top.path("stderrLog");
    set(&mut config.https, top.flag("https"));
    set(&mut config.path_info_overread, top.flag("pathInfoOverread"));
    if let Some(address) = top.text("announced") {
        match address.parse() {
            Ok(address) => config.announced = Some(address),
            Err(_) => top.wrong("announced", format!("`{address}` is no address: write it as 192.0.2.1:80")),
        }
    }
    let variables = wsgi_variables(&mut top, "wsgi");
    config.wsgi_variables = variables
        .into_iter()
        .map(|(name, value)| WsgiVariable { name: name.to_owned(), value, scope: Scope::Everywhere })
        .collect();

    for mut section in top.sections("tuning") {
        tuning(config, &mut section);
        places.0.insert(Owner::Tuning, section.finish("here"));
    }
    for mut section in top.sections("phpIniOverride") {
        let name = section.required("name").unwrap_or_default();
        let value = section.required("value").unwrap_or_default();
        let admin = section.flag("admin").unwrap_or_default();
        config.php_ini.push(PhpIni { admin, name, value });
        section.finish("here");
    }
    let mut realms = Vec::new();
    for mut section in top.sections("realm") {
        let name = section.required("name").unwrap_or_default();
        realms.push(Realm { name, users: section.variables("users").unwrap_or_default() });
        section.finish("here");
    }
    for mut section in top.sections("extProcessor") {
        let app = external_app(&mut section, &mut config.remarks);
        places.0.insert(Owner::App(config.apps.len()), section.finish("here"));
        config.apps.push(app);
    }
    let mut defaults_sections = top.sections("wsgiDefaults").into_iter();
    let mut first = defaults_sections.next();
    let defaults = wsgi_defaults(first.as_mut());
    first.map(|section| section.finish("here"));
    for other in defaults_sections {
        mistakes.add(other.place(), "there are `wsgiDefaults` already");
    }
    for mut section in top.sections("context") {
        let (context, app, what) = context(&mut section, &defaults, &vh_root, &realms);
        let keys = section.finish(what);
        if let Some(app) = app {
            places.0.insert(Owner::App(config.apps.len()), keys.clone());
            config.apps.push(app);
        }
        places.0.insert(Owner::Context(config.contexts.len()), keys);
        config.contexts.push(context);
    }
    inherit_python(&mut config.contexts);
    for mut section in top.sections("scriptHandler") {
        section.choice("type", &[("lsapi", ())]);
        section.require("suffix");
        let suffixes = section.words("suffix").unwrap_or_default();
        let handler = section.required("handler").unwrap_or_default();
        places.0.insert(Owner::ScriptHandler(config.script_handlers.len()), section.finish("here"));
        config.script_handlers.push(ScriptHandler::new(suffixes, handler));
    }
    for is_match in [false, true] {
        let key = if is_match { "wsgiScriptAliasMatch" } else { "wsgiScriptAlias" };
        for mut section in top.sections(key) {
            let alias = alias(&mut section, is_match);
            places.0.insert(Owner::Alias(config.aliases.len()), section.finish("here"));
            config.aliases.push(alias);
        }
    }
    places.0.insert(Owner::Server, top.finish("here"));
    places
}

fn tuning(config: &mut ServerConfig, section: &mut Section<'_, '_>) {
    let limits = &mut config.limits;
    let size = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
    set(&mut limits.max_req_header_size, section.size("maxReqHeaderSize").map(size));
    set(&mut limits.max_req_url_len, section.size("maxReqURLLen").map(size));
    set(&mut limits.max_req_body_size, section.size("maxReqBodySize"));
    set(&mut limits.keep_alive_timeout, section.seconds("keepAliveTimeout"));
    set(&mut limits.max_keep_alive_requests, section.number("maxKeepAliveReq"));
    set(&mut limits.conn_timeout, section.seconds("connTimeout"));
}

fn alias(section: &mut Section<'_, '_>, is_match: bool) -> ScriptAlias {
    let url = section.required("url").unwrap_or_else(|| "/".to_owned());
    // With groups of an expression in it, a relative path could still become any other.
    let script = if is_match {
        section.required("script").unwrap_or_else(|| "/".to_owned())
    } else {
        let script = section.required_path("script").map(|script| script.to_string_lossy().into_owned());
        script.unwrap_or_else(|| "/".to_owned())
    };
    let handler = section.required("handler").unwrap_or_default();
    let new = if is_match { ScriptAlias::matching } else { ScriptAlias::new };
    let variables = wsgi_variables(section, "");
    variables.into_iter().fold(new(url, script, handler), |alias, (name, value)| alias.variable(name, value))
}

/// The request variables a section sets, by keys that begin with `prefix`.
fn wsgi_variables(section: &mut Section<'_, '_>, prefix: &str) -> Vec<(&'static str, String)> {
    let mut variables = Vec::new();
    for name in [CALLABLE_OBJECT, APPLICATION_GROUP, SCRIPT_RELOADING] {
        let bare = name.strip_prefix("WSGI").unwrap_or(name);
        let key = if prefix.is_empty() {
            bare.chars().take(1).map(|c| c.to_ascii_lowercase()).chain(bare.chars().skip(1)).collect()
        } else {
            format!("{prefix}{bare}")
        };
        let value = if name == SCRIPT_RELOADING {
            section.choice(&key, &[("On", "ON"), ("Off", "OFF")]).map(str::to_owned)
        } else {
            section.text(&key)
        };
        variables.extend(value.map(|value| (name, value)));
    }
    variables
}

/// Contexts below a Python context are Python contexts too (lsapi 4.2.1).
fn inherit_python(contexts: &mut [Context]) {
    let python: Vec<String> = contexts
        .iter()
        .filter(|context| matches!(context.kind, ContextKind::Wsgi { .. }))
        .map(|context| context.uri.clone())
        .collect();
    for context in contexts {
        context.python |= python.iter().any(|uri| context.uri.starts_with(uri));
    }
}
