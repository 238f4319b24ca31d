//! One request on its way through the configuration.

use std::path::{Path, PathBuf};

use super::auth;
use super::place::Place;
use super::router::{Route, Router};
use crate::config::{AppKind, Context, ContextKind, ExternalApp, ScriptAlias, Suexec};
use crate::gateway::{Account, Dispatch};
use crate::http::RequestHead;
use crate::request::{Addresses, Begin, DecodedPath, Facts, Mapping, Redirected, Split, split_query};

/// A request that is looked up.
pub(super) struct Resolve<'a> {
    router: &'a Router,
    head: &'a RequestHead,
    addresses: Addresses,
    /// Path and query as they came, of the client's target or the redirect's.
    raw_path: &'a [u8],
    query: &'a [u8],
    path: DecodedPath,
    is_redirect: bool,
    /// The context the path falls under, if any, and who has come into it.
    context: Option<&'a Context>,
    user: Option<Vec<u8>>,
}

impl<'a> Resolve<'a> {
    pub(super) fn new(
        router: &'a Router,
        head: &'a RequestHead,
        addresses: Addresses,
        redirect: Option<&'a [u8]>,
    ) -> Self {
        let (raw_path, query) = split_query(redirect.unwrap_or_else(|| head.origin_form()));
        let path = DecodedPath::new(raw_path);
        let context = router.context(path.path());
        let is_redirect = redirect.is_some();
        Self { router, head, addresses, raw_path, query, path, is_redirect, context, user: None }
    }

    pub(super) fn route(mut self) -> Route {
        if self.path.path().contains(&0) {
            return Route::Page(400);
        }
        if let Some(context) = self.context {
            if let Some(realm) = &context.realm {
                self.user = auth::user(self.head, realm);
                if self.user.is_none() {
                    return Route::Unauthorized(realm.name.clone());
                }
            }
            if !context.allow_browse {
                return Route::Page(403);
            }
            if let ContextKind::Static { location } = &context.kind {
                return self.files(&context.uri, location).unwrap_or(Route::Page(404));
            }
        }
        if let Some(route) = self.alias() {
            return route;
        }
        let config = &self.router.config;
        let Some(context) = self.context else {
            return self.files("/", &config.doc_root).unwrap_or(Route::Page(404));
        };
        if self.path.path().len() < context.uri.len() {
            return self.moved();
        }
        match &context.kind {
            ContextKind::Lsapi { handler } => {
                let mapping = Mapping::LsapiContext {
                    prefix: context.uri.clone(),
                    document_root: config.doc_root.clone(),
                };
                let split = mapping.split(&self.path, false);
                self.app(handler, split, Dispatch::Streaming, Vec::new(), &config.doc_root)
            }
            ContextKind::Wsgi { handler, public, startup_file } => {
                if let Some(split) = self.startup_file(&context.uri, startup_file) {
                    return self.app(handler, split, Dispatch::WholeBody, Vec::new(), public);
                }
                self.files(&context.uri, public).unwrap_or_else(|| {
                    let mapping = Mapping::WsgiContext { prefix: context.uri.clone() };
                    let split = mapping.split(&self.path, config.path_info_overread);
                    self.app(handler, split, Dispatch::WholeBody, Vec::new(), public)
                })
            }
            ContextKind::Static { .. } => Route::Page(404),
        }
    }

    /// The startup file of a Python context, called by its own name: `/uri/_wsgi.py`.
    fn startup_file(&self, uri: &str, file: &str) -> Option<Split> {
        let path = self.path.path();
        let name = format!("{uri}_{}", file.trim_start_matches('/'));
        let info =
            path.strip_prefix(name.as_bytes()).filter(|info| info.is_empty() || info.starts_with(b"/"))?;
        Some(Split {
            script_name: name.into_bytes(),
            path_info: Some(info.to_vec()).filter(|info| !info.is_empty()),
            script_filename: None,
            document_root: None,
            path_translated: None,
        })
    }

    /// The first script alias the path falls under.
    fn alias(&self) -> Option<Route> {
        let aliases = self.router.config.aliases.iter().zip(&self.router.aliases);
        let path = self.path.path();
        let (alias, found) =
            aliases.into_iter().find_map(|(alias, ready)| Some((alias, ready.find(alias, path)?)))?;
        Some(found.map_or(Route::Page(404), |script| {
            self.script(&alias.handler, &script.file, script.name, script.info, Some(alias))
        }))
    }

    /// What lies at the path in `folder`, which is at `uri`: `None` for nothing.
    fn files(&self, uri: &str, folder: &Path) -> Option<Route> {
        let path = self.path.path();
        let Some(base) = uri.strip_suffix('/') else {
            // A context of one file.
            return folder.is_file().then(|| self.file(folder.to_path_buf(), path, b"")).flatten();
        };
        let below = path.strip_prefix(base.as_bytes())?;
        match Place::find(folder, below) {
            Place::File(file, info) => {
                let name = path.get(..path.len() - info.len())?;
                self.file(file, name, info)
            }
            Place::Folder(_) if !path.ends_with(b"/") => Some(self.moved()),
            Place::Folder(folder) => self.router.config.index_files.iter().find_map(|index| {
                let file = folder.join(index);
                let name = [path, index.as_bytes()].concat();
                file.is_file().then(|| self.file(file, &name, b"")).flatten()
            }),
            Place::Nothing => None,
        }
    }

    /// A file that was found: a script if its suffix has a handler.
    fn file(&self, file: PathBuf, name: &[u8], info: &[u8]) -> Option<Route> {
        let suffix = file.extension().and_then(|suffix| suffix.to_str());
        let handlers = &self.router.config.script_handlers;
        let handler =
            handlers.iter().find(|known| known.suffixes.iter().any(|own| Some(own.as_str()) == suffix));
        match handler {
            Some(handler) => Some(self.script(&handler.handler, &file, name, info, None)),
            None => info.is_empty().then_some(Route::File(file)),
        }
    }

    fn script(&self, app: &str, file: &Path, name: &[u8], info: &[u8], alias: Option<&ScriptAlias>) -> Route {
        let config = &self.router.config;
        let path = String::from_utf8_lossy(self.path.path());
        let variables = config.wsgi_variables_for(&path, file, alias);
        let bytes = file.as_os_str().as_encoded_bytes().to_vec();
        let split = Split::script(name, info, bytes, &config.doc_root);
        self.app(app, split, Dispatch::Streaming, variables, file)
    }

    /// Whose `served` is, where the application runs as that; of a WSGI application it is the startup file that counts.
    fn owner(&self, app: &str, served: &Path) -> Option<Account> {
        let is_suexec = |known: &&ExternalApp| known.name == app && known.suexec != Suexec::Off;
        match &self.router.config.apps.iter().find(is_suexec)?.kind {
            AppKind::Wsgi(app) => Account::owner(&app.root.join(&app.startup_file)),
            AppKind::Generic => Account::owner(served),
        }
    }

    fn app(
        &self,
        app: &str,
        split: Split,
        dispatch: Dispatch,
        variables: Vec<(String, String)>,
        served: &Path,
    ) -> Route {
        let config = &self.router.config;
        let is_python = self.context.is_some_and(|context| context.python);
        let set_env = self.context.map_or(&[][..], |context| &context.set_env);
        let added: Vec<_> = set_env
            .iter()
            .cloned()
            .chain(variables)
            .map(|(name, value)| (name, value.into_bytes()))
            .collect();
        let facts = Facts {
            addresses: self.addresses,
            split: if is_python { split.without_document_root() } else { split },
            server_admin: &config.server_admin,
            https: config.https,
            user: self.user.as_deref(),
            added: &added,
            redirected: self.is_redirect.then_some(Redirected { query: self.query }),
        };
        let begin = Begin::new(self.head, &facts, &config.php_ini);
        Route::App { app: app.to_owned(), begin, dispatch, owner: self.owner(app, served) }
    }

    /// The same URL with a slash behind its path.
    fn moved(&self) -> Route {
        let scheme = if self.router.config.https { "https://" } else { "http://" };
        let host = match self.head.field("host") {
            Some(host) if !host.is_empty() => host.to_ascii_lowercase(),
            _ => self.addresses.server.to_string().into_bytes(),
        };
        let mut url = [scheme.as_bytes(), &host, self.raw_path, b"/"].concat();
        if !self.query.is_empty() {
            url.push(b'?');
            url.extend_from_slice(self.query);
        }
        Route::Moved(url)
    }
}

#[cfg(test)]
mod tests;
