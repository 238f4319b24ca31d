//! The whole configuration.

use std::path::PathBuf;

use super::{Context, ExternalApp, ScriptAlias, ScriptHandler};

/// What one mock server serves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// `docRoot`.
    pub doc_root: PathBuf,
    /// `indexFiles`.
    pub index_files: Vec<String>,
    /// SERVER_ADMIN; may be empty.
    pub server_admin: String,
    /// Say HTTPS=on to applications, as behind a TLS listener.
    pub https: bool,
    /// Repeat the real server's over-read of PATH_INFO (lsws 2.2).
    pub path_info_overread: bool,
    /// External applications.
    pub apps: Vec<ExternalApp>,
    /// Contexts; the longest URI wins.
    pub contexts: Vec<Context>,
    /// Script handlers.
    pub script_handlers: Vec<ScriptHandler>,
    /// Script aliases, in order.
    pub aliases: Vec<ScriptAlias>,
    /// Request variables of the mod_wsgi directives (WSGICallableObject, WSGIApplicationGroup, WSGIScriptReloading).
    pub wsgi_variables: Vec<(String, String)>,
    /// Limits of the HTTP side.
    pub limits: HttpLimits,
}

/// Limits of the HTTP side.
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
    pub keep_alive_timeout: std::time::Duration,
    /// `maxKeepAliveReq`: requests on one client connection. 10000.
    pub max_keep_alive_requests: u32,
    /// `connTimeout`: how long a client may make no progress. 300 s.
    pub conn_timeout: std::time::Duration,
}
