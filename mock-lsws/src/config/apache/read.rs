//! From the directives of an Apache configuration to ours.

use std::path::Path;

use super::directive::{Directive, Form, directives};
use super::ignored::{Ignored, Ignoring};
use super::scopes::Scopes;
use crate::FileError;
use crate::config::{
    APPLICATION_GROUP, CALLABLE_OBJECT, ConfigError, Context, SCRIPT_RELOADING, Scope, ScriptAlias,
    ScriptHandler, ServerConfig, WsgiVariable,
};

/// The type that makes a file a Python script.
const SCRIPT_TYPE: &str = "application/x-httpd-wsgi";

impl ServerConfig {
    /// Adds what the Apache configuration `path` says about Python applications, and answers what it says besides. The
    /// scripts go to the external application that handles the suffix `wsgi`, or to the only one there is.
    ///
    /// # Errors
    /// When the file cannot be read, all that is wrong in it, or that it cannot be known which application is meant.
    pub fn add_apache_conf(&mut self, path: &Path) -> Result<Vec<Ignored>, ConfigError> {
        let read = |source| ConfigError::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(read)?;
        self.add_apache_text(&text, path)
    }

    /// The same for `text`, the content of `path`.
    ///
    /// # Errors
    /// As for [`ServerConfig::add_apache_conf`].
    pub fn add_apache_text(&mut self, text: &str, path: &Path) -> Result<Vec<Ignored>, ConfigError> {
        let placed = |mistakes: Vec<(usize, String)>| {
            let error = |(place, message): (usize, String)| FileError::at(path, text, place, &message);
            ConfigError::File(mistakes.into_iter().map(error).collect())
        };
        let handler = self.python_handler()?;
        let mut reader = Reader {
            // What goes wrong leaves the configuration as it was.
            config: self.clone(),
            handler,
            scopes: Scopes::default(),
            ignoring: Ignoring::new(path, text),
            mistakes: Vec::new(),
        };
        for directive in directives(text).map_err(placed)? {
            reader.directive(directive);
        }
        if let Some(section) = reader.scopes.unclosed() {
            reader.mistakes.push((section.place, format!("`<{}>` is not closed", section.name)));
            reader.mistakes.sort_by_key(|(place, _)| *place);
        }
        let Reader { config, ignoring, mistakes, .. } = reader;
        if !mistakes.is_empty() {
            return Err(placed(mistakes));
        }
        config.validate()?;
        *self = config;
        Ok(ignoring.into_all())
    }

    /// The external application that runs Python scripts.
    fn python_handler(&self) -> Result<String, ConfigError> {
        let is_python =
            |handler: &&ScriptHandler| handler.suffixes.first().is_some_and(|suffix| suffix == "wsgi");
        match (self.script_handlers.iter().find(is_python), self.apps.as_slice()) {
            (Some(handler), _) => Ok(handler.handler.clone()),
            (None, [app]) => Ok(app.name.clone()),
            (None, apps) => {
                let message = format!(
                    "the scripts of an Apache configuration need one external application, and there are {}: add a \
                     script handler for the suffix wsgi that names it",
                    apps.len()
                );
                Err(ConfigError::Settings(vec![message]))
            }
        }
    }
}

struct Reader<'a> {
    config: ServerConfig,
    handler: String,
    scopes: Scopes,
    ignoring: Ignoring<'a>,
    mistakes: Vec<(usize, String)>,
}

impl Reader<'_> {
    fn directive(&mut self, directive: Directive) {
        let place = directive.place;
        match directive.form {
            Form::Opening => {
                if let Some(name) = self.scopes.enter(directive) {
                    self.ignoring.add(place, &name);
                }
            }
            Form::Closing => {
                if let Err(message) = self.scopes.leave(&directive) {
                    self.mistakes.push((place, message));
                }
            }
            Form::Plain if self.scopes.is_skipping() => {}
            Form::Plain => {
                if let Err(message) = self.plain(&directive) {
                    self.mistakes.push((place, message));
                }
            }
        }
    }

    fn plain(&mut self, directive: &Directive) -> Result<(), String> {
        let Directive { place, name, args, .. } = directive;
        let is_narrow = self.scopes.scope() != Scope::Everywhere;
        match (name.to_ascii_lowercase().as_str(), args.as_slice()) {
            // These are about the whole site: where Apache allows them in a section, they mean something else.
            ("wsgiscriptalias" | "wsgiscriptaliasmatch" | "alias" | "documentroot", _) if is_narrow => {
                self.ignoring.add(*place, &format!("{name} in a section for some files or URLs"));
                Ok(())
            }
            ("wsgiscriptalias", [url, script, options @ ..]) => {
                self.alias(directive, ScriptAlias::new(url, script, &self.handler), options)
            }
            ("wsgiscriptaliasmatch", [url, script, options @ ..]) => {
                self.alias(directive, ScriptAlias::matching(url, script, &self.handler), options)
            }
            ("wsgicallableobject", [value]) => self.variable(CALLABLE_OBJECT, value),
            ("wsgiapplicationgroup", [value]) => self.variable(APPLICATION_GROUP, value),
            ("wsgiscriptreloading", [value]) => {
                let value = value.to_ascii_uppercase();
                if !["ON", "OFF"].contains(&value.as_str()) {
                    return Err(format!("{name} is On or Off"));
                }
                self.variable(SCRIPT_RELOADING, &value)
            }
            ("addtype", [kind, suffixes @ ..]) if kind.eq_ignore_ascii_case(SCRIPT_TYPE) => {
                self.script_type(suffixes);
                Ok(())
            }
            ("documentroot", [path]) => {
                self.config.doc_root = absolute(name, path)?.into();
                Ok(())
            }
            ("alias", [url, path]) => {
                let path = absolute(name, path)?;
                if !url.starts_with('/') {
                    return Err(format!("the URL `{url}` of {name} begins with a slash"));
                }
                let uri = if Path::new(path).is_file() {
                    url.clone()
                } else {
                    format!("{}/", url.trim_end_matches('/'))
                };
                // As in Apache, the first counts.
                if self.config.contexts.iter().all(|context| context.uri != uri) {
                    self.config.contexts.push(Context::files(uri, path));
                }
                Ok(())
            }
            (
                "wsgiscriptalias"
                | "wsgiscriptaliasmatch"
                | "wsgicallableobject"
                | "wsgiapplicationgroup"
                | "wsgiscriptreloading"
                | "documentroot"
                | "alias",
                _,
            ) => Err(format!("{name} with {} values is not what Apache takes", args.len())),
            _ => {
                self.ignoring.add(*place, name);
                Ok(())
            }
        }
    }

    fn alias(&mut self, directive: &Directive, alias: ScriptAlias, options: &[String]) -> Result<(), String> {
        let Directive { place, name, .. } = directive;
        let mut alias = alias;
        if !alias.is_match || !alias.script.starts_with('$') {
            absolute(name, &alias.script)?;
        }
        if let Some(Err(error)) = alias.expression() {
            return Err(format!("the expression of {name} cannot be used here: {error}"));
        }
        if !alias.is_match && !alias.url.starts_with('/') {
            return Err(format!("the URL `{}` of {name} begins with a slash", alias.url));
        }
        for option in options {
            let (key, value) =
                option.split_once('=').ok_or_else(|| format!("`{option}` is no option of {name}"))?;
            match key {
                "callable-object" => alias = alias.variable(CALLABLE_OBJECT, value),
                "application-group" => alias = alias.variable(APPLICATION_GROUP, value),
                _ => self.ignoring.add(*place, &format!("{key}= of {name}")),
            }
        }
        self.config.aliases.push(alias);
        Ok(())
    }

    fn variable(&mut self, name: &str, value: &str) -> Result<(), String> {
        known(value)?;
        let (name, value) = (name.to_owned(), value.to_owned());
        self.config.wsgi_variables.push(WsgiVariable { name, value, scope: self.scopes.scope() });
        Ok(())
    }

    /// Gives suffixes the type of Python scripts. Its name is that of the first suffix of the handler.
    fn script_type(&mut self, suffixes: &[String]) {
        let handlers = &mut self.config.script_handlers;
        let is_python =
            |handler: &ScriptHandler| handler.suffixes.first().is_some_and(|suffix| suffix == "wsgi");
        if !handlers.iter().any(is_python) {
            handlers.push(ScriptHandler::new(["wsgi"], &self.handler));
        }
        let Some(handler) = handlers.iter_mut().find(|handler| is_python(handler)) else { return };
        for suffix in ScriptHandler::new(suffixes, "").suffixes {
            if !handler.suffixes.contains(&suffix) {
                handler.suffixes.push(suffix);
            }
        }
    }
}

/// A path as a directive needs it.
fn absolute<'a>(directive: &str, path: &'a str) -> Result<&'a str, String> {
    known(path)?;
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err(format!("the path `{path}` of {directive} has to be a whole one, from / on"))
    }
}

/// Refuses `${NAME}`, which only Apache can fill in. `%{...}` means something to whoever gets it.
fn known(value: &str) -> Result<(), String> {
    match value.split_once("${").and_then(|(_, rest)| rest.split_once('}')) {
        Some((name, _)) => Err(format!("what `${{{name}}}` stands for is not known here: write it out")),
        None => Ok(()),
    }
}
