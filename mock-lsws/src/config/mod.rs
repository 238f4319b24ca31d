//! The configuration of the mock server: names, meanings and defaults of the real one.
//!
//! Owns what can be set, what makes it unusable, and what follows from settings together: the environment of an
//! application, its process model, how many connections it gets. A configuration is built in a program, read from TOML,
//! or taken from the mod_wsgi directives of an Apache configuration. Which URL leads where is the router's to find out;
//! starting applications is the gateway's.

mod apache;
mod app_kind;
mod command_line;
mod context;
mod error;
mod external_app;
mod file;
mod server_config;
mod suexec;
mod validate;
mod wsgi_alias;

pub use apache::Ignored;
pub use app_kind::{AppKind, AppServerEnv, RunOnStartUp, WsgiApp};
pub use command_line::own_lsapi_variables;
pub use context::{Context, ContextKind, Realm, ScriptHandler};
pub use error::ConfigError;
pub use external_app::{BACKLOG, ExternalApp, INSTANCES, MAX_CONNS, PRIORITY, UMASK};
pub use file::account::{AccountError, find_account};
pub use file::keys::{KEYS, Key};
pub use file::section::parse_size;
pub use server_config::{HttpLimits, PhpIni, ServerConfig};
pub use suexec::{DEFAULT_ACCOUNT_CONNS, Suexec};
pub use wsgi_alias::{
    APPLICATION_GROUP, CALLABLE_OBJECT, SCRIPT_RELOADING, Scope, ScriptAlias, WsgiVariable,
};
