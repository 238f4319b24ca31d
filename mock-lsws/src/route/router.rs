//! From a request head to what answers it.

use std::path::PathBuf;
use std::sync::Arc;

use super::alias::Alias;
use super::auth;
use super::resolve::Resolve;
use crate::config::{ConfigError, Context, ContextKind, ServerConfig};
use crate::gateway::{Account, Dispatch};
use crate::http::RequestHead;
use crate::request::{Addresses, Begin, DecodedPath, split_query};

/// What answers a request.
#[derive(Debug)]
pub(crate) enum Route {
    /// An application.
    App {
        /// Its name.
        app: String,
        /// The packet.
        begin: Begin,
        /// When it is sent.
        dispatch: Dispatch,
        /// Who owns what is asked for, where the application runs as that.
        owner: Option<Account>,
    },
    /// A file.
    File(PathBuf),
    /// 301 to this URL.
    Moved(Vec<u8>),
    /// 401 with this realm.
    Unauthorized(String),
    /// The server's own page: 400, 403 or 404.
    Page(u16),
}

/// Who asked for something that takes a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    /// The realm.
    pub(crate) realm: String,
    /// The user.
    pub(crate) user: Vec<u8>,
}

/// Finds what answers a request.
#[derive(Debug)]
pub(crate) struct Router {
    pub(super) config: Arc<ServerConfig>,
    /// One for each alias of `config`.
    pub(super) aliases: Vec<Alias>,
}

impl Router {
    /// For this configuration.
    ///
    /// # Errors
    /// When the regular expression of a script alias cannot be compiled.
    pub(crate) fn new(config: Arc<ServerConfig>) -> Result<Self, ConfigError> {
        let aliases = config.aliases.iter().map(|alias| {
            Alias::new(alias).map_err(|error| {
                ConfigError::Settings(vec![format!(
                    "script alias '{}': `url` is no regular expression: {error}",
                    alias.url
                )])
            })
        });
        let aliases = aliases.collect::<Result<_, _>>()?;
        Ok(Self { config, aliases })
    }

    /// What answers `head`.
    pub(crate) fn resolve(&self, head: &RequestHead, addresses: Addresses) -> Route {
        Resolve::new(self, head, addresses, None).route()
    }

    /// What answers an internal redirect of `head` to `target` (a path with an optional query). It is followed with GET and
    /// without a body; all else is as the client said it.
    pub(crate) fn redirect(&self, head: &RequestHead, addresses: Addresses, target: &[u8]) -> Route {
        Resolve::new(self, head, addresses, Some(target)).route()
    }

    /// Who asked, where `head` came with a password that is right: the response repeats the realm, and the access log
    /// names the user. `None` where nobody is asked for one.
    pub(crate) fn login(&self, head: &RequestHead) -> Option<Login> {
        // Nothing to decode for most servers.
        self.config.contexts.iter().find(|context| context.realm.is_some())?;
        let (path, _) = split_query(head.origin_form());
        let realm = self.context(DecodedPath::new(path).path())?.realm.as_ref()?;
        Some(Login { realm: realm.name.clone(), user: auth::user(head, realm)? })
    }

    /// The context a path falls under: the one with the longest URI.
    pub(super) fn context(&self, path: &[u8]) -> Option<&Context> {
        let fits = |context: &&Context| covers(context, path);
        self.config.contexts.iter().filter(fits).max_by_key(|context| context.uri.len())
    }
}

/// Whether a path is that of a context or below it. A folder is also called by its name without the slash.
fn covers(context: &Context, path: &[u8]) -> bool {
    let uri = context.uri.as_bytes();
    match uri.strip_suffix(b"/") {
        Some(folder) => path.starts_with(uri) || path == folder,
        None => match context.kind {
            ContextKind::Static { .. } => path == uri,
            _ => false,
        },
    }
}
