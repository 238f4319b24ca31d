//! The configuration of the mock server: names, meanings and defaults of the real one.

mod apache;
mod app_kind;
mod command_line;
mod context;
mod error;
mod external_app;
mod file;
mod server_config;
mod validate;
mod wsgi_alias;

pub use apache::Ignored;
pub use app_kind::{AppKind, AppServerEnv, RunOnStartUp, WsgiApp};
pub use command_line::own_lsapi_variables;
pub use context::{Context, ContextKind, Realm, ScriptHandler};
pub use error::ConfigError;
pub use external_app::{BACKLOG, ExternalApp, INSTANCES, MAX_CONNS, PRIORITY, UMASK};
pub use file::keys::{KEYS, Key};
pub use server_config::{HttpLimits, PhpIni, ServerConfig};
pub use wsgi_alias::{
    APPLICATION_GROUP, CALLABLE_OBJECT, SCRIPT_RELOADING, Scope, ScriptAlias, WsgiVariable,
};
