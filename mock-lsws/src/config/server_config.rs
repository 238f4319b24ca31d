//! The whole configuration of one mock server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::wsgi_alias::{ScriptAlias, WsgiVariable};
use super::{Context, ExternalApp, ScriptHandler};
use crate::{Address, AppLog};

/// What one mock server serves.
///
/// ```
/// use mock_lsws::config::{Context, ExternalApp, ServerConfig};
///
/// let config = ServerConfig::new()
///     .app(ExternalApp::new("shop").command(["/usr/local/bin/shop"]).max_conns(8))
///     .context(Context::lsapi("/shop/", "shop"));
/// config.validate()?;
/// # Ok::<(), mock_lsws::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    /// `docRoot`. Without one, a folder that does not exist.
    pub doc_root: PathBuf,
    /// `indexFiles`.
    pub index_files: Vec<String>,
    /// SERVER_ADMIN (`adminEmails`); may be empty.
    pub server_admin: String,
    /// Say HTTPS=on to applications, as behind a TLS listener.
    pub https: bool,
    /// Repeat the real server's over-read of PATH_INFO (lsapi 4.2.2).
    pub path_info_overread: bool,
    /// SERVER_ADDR and SERVER_PORT applications are told. `None`: the address the connection came to.
    pub announced: Option<SocketAddr>,
    /// `phpIniOverride`: sent to every LSAPI application, Python ones too (lsapi 4.2).
    pub php_ini: Vec<PhpIni>,
    /// `minUID`: no application runs as a user with a smaller number.
    pub min_uid: u32,
    /// `minGID`: nor with a smaller group.
    pub min_gid: u32,
    /// `allowExtAppSetuid`: whether an application that runs as root may become another user.
    pub allow_ext_app_setuid: bool,
    /// The server's log for standard error, where its applications write too. `None`: its own standard error.
    pub stderr_log: Option<PathBuf>,
    /// Detached applications outlive the server, as those of the real one do, and this is the folder of their sockets, by
    /// which the next server finds them. `None`: they end with the server.
    pub keep_detached: Option<PathBuf>,
    /// External applications.
    pub apps: Vec<ExternalApp>,
    /// Contexts; the longest URI wins.
    pub contexts: Vec<Context>,
    /// Script handlers.
    pub script_handlers: Vec<ScriptHandler>,
    /// Script aliases, in order.
    pub aliases: Vec<ScriptAlias>,
    /// Request variables of the mod_wsgi directives; [`ServerConfig::wsgi_variables_for`] says which a request gets.
    pub wsgi_variables: Vec<WsgiVariable>,
    /// Limits of the HTTP side.
    pub limits: HttpLimits,
    /// What a configuration says that has no effect here, for whoever wrote it.
    pub remarks: Vec<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            doc_root: "/nonexistent".into(),
            index_files: vec!["index.html".into()],
            server_admin: String::new(),
            https: false,
            path_info_overread: false,
            announced: None,
            php_ini: Vec::new(),
            min_uid: 11,
            min_gid: 10,
            allow_ext_app_setuid: true,
            stderr_log: None,
            keep_detached: None,
            apps: Vec::new(),
            contexts: Vec::new(),
            script_handlers: Vec::new(),
            aliases: Vec::new(),
            wsgi_variables: Vec::new(),
            limits: HttpLimits::default(),
            remarks: Vec::new(),
        }
    }
}

impl ServerConfig {
    /// A server with nothing to serve, and the real one's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the document root, an absolute path.
    #[must_use]
    pub fn doc_root(mut self, doc_root: impl Into<PathBuf>) -> Self {
        self.doc_root = doc_root.into();
        self
    }

    /// Sets SERVER_ADMIN.
    #[must_use]
    pub fn server_admin(mut self, server_admin: impl Into<String>) -> Self {
        self.server_admin = server_admin.into();
        self
    }

    /// Sets whether applications are told HTTPS=on.
    #[must_use]
    pub const fn https(mut self, https: bool) -> Self {
        self.https = https;
        self
    }

    /// Sets whether PATH_INFO is over-read.
    #[must_use]
    pub const fn path_info_overread(mut self, overread: bool) -> Self {
        self.path_info_overread = overread;
        self
    }

    /// Sets the address applications are told.
    #[must_use]
    pub const fn announced(mut self, address: SocketAddr) -> Self {
        self.announced = Some(address);
        self
    }

    /// Sets whether applications that run as root may become another user.
    #[must_use]
    pub const fn allow_ext_app_setuid(mut self, allow: bool) -> Self {
        self.allow_ext_app_setuid = allow;
        self
    }

    /// Sets the file applications write their standard error to, an absolute path.
    #[must_use]
    pub fn stderr_log(mut self, file: impl Into<PathBuf>) -> Self {
        self.stderr_log = Some(file.into());
        self
    }

    /// Has detached applications outlive the server. Their sockets are in `folder`, an absolute path that is made if it is
    /// missing, unless they have an address of their own.
    #[must_use]
    pub fn keep_detached(mut self, folder: impl Into<PathBuf>) -> Self {
        self.keep_detached = Some(folder.into());
        self
    }

    /// `app` as the server starts it, with what it gets from the server's own settings.
    #[must_use]
    pub(crate) fn prepared(&self, app: &ExternalApp) -> ExternalApp {
        let mut app = app.clone();
        app.may_switch_user &= self.allow_ext_app_setuid;
        if app.log == AppLog::Inherit {
            app.log = match &self.stderr_log {
                Some(file) => AppLog::Append(file.clone()),
                // What the server was started with may wait for the end of everything that writes there.
                None if self.keep_detached.is_some() && app.is_detached() => AppLog::Discard,
                None => AppLog::Inherit,
            };
        }
        if let (Some(folder), None, true) = (&self.keep_detached, &app.address, app.is_detached()) {
            let name = app.name.replace('/', "_");
            app.address = Some(Address::Unix(folder.join(format!("{name}.sock"))));
        }
        app
    }

    /// Adds a setting of PHP.
    #[must_use]
    pub fn php_ini(mut self, setting: PhpIni) -> Self {
        self.php_ini.push(setting);
        self
    }

    /// Adds an external application.
    #[must_use]
    pub fn app(mut self, app: ExternalApp) -> Self {
        self.apps.push(app);
        self
    }

    /// Adds a context.
    #[must_use]
    pub fn context(mut self, context: Context) -> Self {
        self.contexts.push(context);
        self
    }

    /// Adds a script handler.
    #[must_use]
    pub fn script_handler(mut self, handler: ScriptHandler) -> Self {
        self.script_handlers.push(handler);
        self
    }

    /// Adds a script alias.
    #[must_use]
    pub fn alias(mut self, alias: ScriptAlias) -> Self {
        self.aliases.push(alias);
        self
    }

    /// Adds a request variable of the mod_wsgi directives.
    #[must_use]
    pub fn wsgi_variable(mut self, variable: WsgiVariable) -> Self {
        self.wsgi_variables.push(variable);
        self
    }

    /// Sets the limits of the HTTP side.
    #[must_use]
    pub const fn limits(mut self, limits: HttpLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether a URL can lead to an application.
    #[must_use]
    pub fn has_mapping(&self) -> bool {
        self.contexts.iter().any(|context| context.handler().is_some())
            || !self.script_handlers.is_empty()
            || !self.aliases.is_empty()
    }

    /// The variables a request for `script` with the URL path `path` gets from the mod_wsgi directives: the narrowest
    /// scope wins, of two alike the later, and those of the alias it came by before all. In the order of their names.
    #[must_use]
    pub fn wsgi_variables_for(
        &self,
        path: &str,
        script: &Path,
        alias: Option<&ScriptAlias>,
    ) -> Vec<(String, String)> {
        let mut fitting: Vec<_> =
            self.wsgi_variables.iter().filter(|variable| variable.scope.contains(path, script)).collect();
        fitting.sort_by_key(|variable| variable.scope.rank());
        let of_alias = alias.into_iter().flat_map(|alias| alias.variables.iter().cloned());
        let all = fitting.into_iter().map(|variable| (variable.name.clone(), variable.value.clone()));
        all.chain(of_alias).collect::<std::collections::BTreeMap<_, _>>().into_iter().collect()
    }
}

/// A setting of PHP the server makes (`phpIniOverride`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhpIni {
    /// `php_admin_value` or `php_admin_flag`: scripts cannot change it. Otherwise `php_value` or `php_flag`.
    pub admin: bool,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Limits of the HTTP side (`tuning`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpLimits {
    /// `maxReqHeaderSize`, bytes. 64 KiB.
    pub max_req_header_size: usize,
    /// `maxReqURLLen`, bytes. 32 KiB.
    pub max_req_url_len: usize,
    /// `maxReqBodySize`, bytes. 2047 MiB.
    pub max_req_body_size: u64,
    /// `keepAliveTimeout`: how long an idle client connection stays. 5 s.
    pub keep_alive_timeout: Duration,
    /// `maxKeepAliveReq`: requests on one client connection. 10000.
    pub max_keep_alive_requests: u32,
    /// `connTimeout`: how long a client may make no progress. 300 s.
    pub conn_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            max_req_header_size: 64 << 10,
            max_req_url_len: 32 << 10,
            max_req_body_size: 2047 << 20,
            keep_alive_timeout: Duration::from_secs(5),
            max_keep_alive_requests: 10_000,
            conn_timeout: Duration::from_secs(300),
        }
    }
}
