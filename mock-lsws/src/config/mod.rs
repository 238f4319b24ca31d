//! The configuration of the mock server: names, meanings and defaults of the real one.

mod context;
mod external_app;
mod server_config;

pub use context::{Context, ContextKind, Realm, ScriptAlias, ScriptHandler};
pub use external_app::{AppKind, ExternalApp, RunOnStartUp};
pub use server_config::{HttpLimits, ServerConfig};
