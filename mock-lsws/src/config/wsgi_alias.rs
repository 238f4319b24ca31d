//! The directives of mod_wsgi: scripts outside the document root, and the variables their requests get.

use std::path::{Path, PathBuf};

use regex::bytes::Regex;

/// The callable in a script, instead of `application`.
pub const CALLABLE_OBJECT: &str = "WSGICallableObject";
/// The group of applications a script belongs to.
pub const APPLICATION_GROUP: &str = "WSGIApplicationGroup";
/// Whether a script that has changed is loaded anew: ON or OFF, as the existing lswsgi compares it.
pub const SCRIPT_RELOADING: &str = "WSGIScriptReloading";

/// WSGIScriptAlias or WSGIScriptAliasMatch. The first that fits wins; contexts of static files come before all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScriptAlias {
    /// URL prefix, or a regular expression for the whole path.
    pub url: String,
    /// Whether `url` is a regular expression.
    pub is_match: bool,
    /// The script, or with a slash at the end the folder of scripts; `$1` and so on in it are groups of the expression.
    pub script: String,
    /// Name of the external application.
    pub handler: String,
    /// Variables of its requests, which win over those of the server.
    pub variables: Vec<(String, String)>,
}

impl ScriptAlias {
    /// URLs at and below `url` go to `script`, by the external application `handler`.
    #[must_use]
    pub fn new(url: impl Into<String>, script: impl Into<String>, handler: impl Into<String>) -> Self {
        let (url, script, handler) = (url.into(), script.into(), handler.into());
        Self { url, is_match: false, script, handler, variables: Vec::new() }
    }

    /// URLs that fit the regular expression `url` go to `script`, with the groups of the expression put in.
    #[must_use]
    pub fn matching(url: impl Into<String>, script: impl Into<String>, handler: impl Into<String>) -> Self {
        Self { is_match: true, ..Self::new(url, script, handler) }
    }

    /// The regular expression, if `url` is one. It is not anchored: it says so itself where it begins with `^`.
    #[must_use]
    pub fn expression(&self) -> Option<Result<Regex, regex::Error>> {
        self.is_match.then(|| Regex::new(&self.url))
    }

    /// Adds a variable to its requests.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }
}

/// A variable of the mod_wsgi directives, and the requests that get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WsgiVariable {
    /// [`CALLABLE_OBJECT`], [`APPLICATION_GROUP`] or [`SCRIPT_RELOADING`].
    pub name: String,
    /// Its value.
    pub value: String,
    /// The requests.
    pub scope: Scope,
}

/// Which requests something counts for. A later one in this list wins over an earlier one, as in Apache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    Everywhere,
    /// Scripts in this folder, or below it (`<Directory>`).
    Directory(PathBuf),
    /// Scripts with this file name; `*` and `?` stand for anything in it (`<Files>`).
    Files(String),
    /// Paths of URLs at and below this one (`<Location>`).
    Location(String),
}

impl Scope {
    /// How narrow it is: greater is narrower.
    pub(super) fn rank(&self) -> (u8, usize) {
        match self {
            Self::Everywhere => (0, 0),
            Self::Directory(directory) => (1, directory.components().count()),
            Self::Files(_) => (2, 0),
            Self::Location(_) => (3, 0),
        }
    }

    /// Whether a request for `script` with the URL path `path` is among them.
    #[must_use]
    pub fn contains(&self, path: &str, script: &Path) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Directory(directory) => script.starts_with(directory),
            Self::Files(name) => script
                .file_name()
                .is_some_and(|file| wildmatch::WildMatch::new(name).matches(&file.to_string_lossy())),
            Self::Location(location) => {
                let location = location.trim_end_matches('/');
                path.strip_prefix(location).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
        }
    }
}
