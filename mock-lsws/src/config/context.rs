//! Parts of the URL space, and what is there.

use std::path::PathBuf;

/// A context: a part of the URL space.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// Begins with `/`, and ends with it unless it is that of one static file.
    pub uri: String,
    /// What is there.
    pub kind: ContextKind,
    /// Who may enter.
    pub realm: Option<Realm>,
    /// Variables added to each request (SetEnv), in order.
    pub set_env: Vec<(String, String)>,
    /// Whether it lies in a Python context: the variables about the document root are left out (lsapi 4.2.1).
    pub python: bool,
    /// Whether clients may see what is there (`allowBrowse`); otherwise they get 403.
    pub allow_browse: bool,
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
        /// The folder; the file, where the URI does not end with `/`.
        location: PathBuf,
    },
}

impl Context {
    fn new(uri: impl Into<String>, kind: ContextKind) -> Self {
        let python = matches!(kind, ContextKind::Wsgi { .. });
        Self { uri: uri.into(), kind, realm: None, set_env: Vec::new(), python, allow_browse: true }
    }

    /// An LSAPI application at `uri`: the external application `handler`.
    #[must_use]
    pub fn lsapi(uri: impl Into<String>, handler: impl Into<String>) -> Self {
        Self::new(uri, ContextKind::Lsapi { handler: handler.into() })
    }

    /// A Python application at `uri`: the external application `handler`, which is in the folder `location` and starts
    /// with `startup_file` there.
    #[must_use]
    pub fn wsgi(
        uri: impl Into<String>,
        handler: impl Into<String>,
        location: impl Into<PathBuf>,
        startup_file: impl Into<String>,
    ) -> Self {
        let public = location.into().join("public");
        Self::new(
            uri,
            ContextKind::Wsgi { handler: handler.into(), public, startup_file: startup_file.into() },
        )
    }

    /// The files in the folder `location`, or the one file `location` where `uri` has no slash at its end.
    #[must_use]
    pub fn files(uri: impl Into<String>, location: impl Into<PathBuf>) -> Self {
        Self::new(uri, ContextKind::Static { location: location.into() })
    }

    /// Sets who may enter.
    #[must_use]
    pub fn realm(mut self, realm: Realm) -> Self {
        self.realm = Some(realm);
        self
    }

    /// Adds a variable to each request.
    #[must_use]
    pub fn set_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set_env.push((name.into(), value.into()));
        self
    }

    /// Sets whether it lies in a Python context.
    #[must_use]
    pub const fn python(mut self, python: bool) -> Self {
        self.python = python;
        self
    }

    /// Sets whether clients may see what is there.
    #[must_use]
    pub const fn allow_browse(mut self, allow: bool) -> Self {
        self.allow_browse = allow;
        self
    }

    /// The external application it leads to.
    #[must_use]
    pub fn handler(&self) -> Option<&str> {
        match &self.kind {
            ContextKind::Lsapi { handler } | ContextKind::Wsgi { handler, .. } => Some(handler),
            ContextKind::Static { .. } => None,
        }
    }
}

/// Basic authentication by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    /// Its name, shown to the user.
    pub name: String,
    /// Users and their passwords.
    pub users: Vec<(String, String)>,
}

/// Scripts below the document root, handled by suffix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptHandler {
    /// Without the dot, the first first: that one gives the MIME type `application/x-httpd-SUFFIX` its name.
    pub suffixes: Vec<String>,
    /// Name of the external application.
    pub handler: String,
}

impl ScriptHandler {
    /// Scripts with these suffixes, with or without their dots, go to the external application `handler`.
    #[must_use]
    pub fn new(suffixes: impl IntoIterator<Item = impl AsRef<str>>, handler: impl Into<String>) -> Self {
        let without_dot = |suffix: &str| suffix.strip_prefix('.').unwrap_or(suffix).to_owned();
        let suffixes = suffixes.into_iter().map(|suffix| without_dot(suffix.as_ref())).collect();
        Self { suffixes, handler: handler.into() }
    }
}
