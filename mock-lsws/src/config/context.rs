//! How URLs come to applications.

use std::path::PathBuf;

/// A context: a part of the URL space.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// Begins and ends with `/`.
    pub uri: String,
    /// What is there.
    pub kind: ContextKind,
    /// Who may enter.
    pub realm: Option<Realm>,
    /// Variables added to each request (SetEnv), in order.
    pub set_env: Vec<(String, String)>,
    /// Whether it lies in a Python context: the variables about the document root are left out (lsws 2.1).
    pub python: bool,
}

/// What a context leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextKind {
    /// Any LSAPI application (`type lsapi`).
    Lsapi {
        /// Name of the external application.
        handler: String,
    },
    /// A Python application (`type appserver`, `appType wsgi`), with static files below `public/`.
    Wsgi {
        /// Name of the external application.
        handler: String,
        /// `<location>/public`.
        public: PathBuf,
        /// Path of the startup file below the location: `/uri/_STARTUP` leads to the application directly.
        startup_file: String,
    },
    /// Files (`type null`).
    Static {
        /// The folder.
        location: PathBuf,
    },
}

/// Basic authentication by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    /// Its name, shown to the user.
    pub name: String,
    /// Users and their passwords.
    pub users: Vec<(String, String)>,
}

/// Scripts handled by suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptHandler {
    /// Without the dot, the first first.
    pub suffixes: Vec<String>,
    /// Name of the external application.
    pub handler: String,
}

/// WSGIScriptAlias or WSGIScriptAliasMatch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScriptAlias {
    /// URL prefix, or a regular expression for the whole path.
    pub url: String,
    /// Whether `url` is a regular expression.
    pub is_match: bool,
    /// The script; `$1` and so on in it are groups of the expression.
    pub script: String,
    /// Name of the external application.
    pub handler: String,
}
