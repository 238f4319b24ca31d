//! From a request head to what answers it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::ServerConfig;
use crate::gateway::Dispatch;
use crate::http::RequestHead;
use crate::request::{Addresses, Begin};

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
    },
    /// A file.
    File(PathBuf),
    /// 301 to this URL.
    Moved(Vec<u8>),
    /// 401 with this realm.
    Unauthorized(String),
    /// The server's own page: 403, 404, 400 ...
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
    #[expect(dead_code, reason = "skeleton")]
    config: Arc<ServerConfig>,
}

impl Router {
    /// For this configuration.
    pub(crate) fn new(config: Arc<ServerConfig>) -> Self {
        Self { config }
    }

    /// What answers `head`.
    pub(crate) fn resolve(&self, head: &RequestHead, addresses: Addresses) -> Route {
        let _ = (head, addresses);
        Route::Page(404)
    }

    /// Who asked, where `head` came with a password that is right: the response repeats the realm, and the access log
    /// names the user. `None` where nobody is asked for one.
    pub(crate) fn login(&self, head: &RequestHead) -> Option<Login> {
        let _ = head;
        None
    }

    /// What answers an internal redirect of `head` to `target` (a path with an optional query).
    pub(crate) fn redirect(&self, head: &RequestHead, addresses: Addresses, target: &[u8]) -> Route {
        let _ = target;
        self.resolve(head, addresses)
    }
}
