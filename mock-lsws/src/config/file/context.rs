//! `context`: parts of the URL space, and the applications of WSGI contexts.

use std::path::{Path, PathBuf};

use super::app::{WsgiDefaults, set};
use super::section::Section;
use crate::AppLog;
use crate::config::{AppKind, AppServerEnv, Context, ExternalApp, Realm, WsgiApp};

/// What a context is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ContextType {
    Lsapi,
    AppServer,
    Null,
}

const MODES: [AppServerEnv; 3] = [AppServerEnv::Development, AppServerEnv::Production, AppServerEnv::Staging];

/// Reads a context, and the application that a WSGI context brings with it. The last is what the context is, for
/// messages about keys it cannot have.
pub(super) fn context(
    section: &mut Section<'_, '_>,
    defaults: &WsgiDefaults,
    home: &Path,
    realms: &[Realm],
) -> (Context, Option<ExternalApp>, &'static str) {
    let uri = section.required("uri").unwrap_or_else(|| "/".to_owned());
    let types =
        [("lsapi", ContextType::Lsapi), ("appserver", ContextType::AppServer), ("null", ContextType::Null)];
    let kind = match section.choice("type", &types) {
        Some(kind) => kind,
        // Without a type there are files, unless an application is named.
        None if section.has("handler") => ContextType::Lsapi,
        None if section.has("startupFile") || section.has("appType") => ContextType::AppServer,
        None => ContextType::Null,
    };
    let (mut context, app, what) = match kind {
        ContextType::Lsapi => {
            let handler = section.required("handler").unwrap_or_default();
            (Context::lsapi(uri, handler), None, "in a context of type lsapi")
        }
        ContextType::Null => {
            let location = location(section);
            (Context::files(uri, location), None, "in a context of type null")
        }
        ContextType::AppServer => {
            let app = wsgi_app(section, &uri, defaults, home);
            let (root, file) = match &app.kind {
                AppKind::Wsgi(wsgi) => (wsgi.root.clone(), wsgi.startup_file.clone()),
                AppKind::Generic => (PathBuf::new(), PathBuf::new()),
            };
            let context = Context::wsgi(uri, &app.name, root, file.to_string_lossy());
            (context, Some(app), "in a context of type appserver")
        }
    };
    if let Some(name) = section.text("realm") {
        match realms.iter().find(|realm| realm.name == name) {
            Some(realm) => context.realm = Some(realm.clone()),
            None => {
                let known = realms.iter().map(|realm| format!("`{}`", realm.name)).collect::<Vec<_>>();
                section
                    .wrong("realm", format!("unknown realm `{name}`, expected one of {}", known.join(", ")));
            }
        }
    }
    set(&mut context.allow_browse, section.flag("allowBrowse"));
    set(&mut context.set_env, section.variables("setEnv"));
    (context, app, what)
}

/// The folder or file of a context; its place in the file stands for it where it is missing.
fn location(section: &mut Section<'_, '_>) -> PathBuf {
    section.required_path("location").unwrap_or_else(|| PathBuf::from("/"))
}

/// The application of a WSGI context (lsapi 4.5).
fn wsgi_app(section: &mut Section<'_, '_>, uri: &str, defaults: &WsgiDefaults, home: &Path) -> ExternalApp {
    section.choice("appType", &[("wsgi", ())]);
    let mut wsgi = WsgiApp::new(location(section)).home(home);
    set(&mut wsgi.startup_file, section.text("startupFile").map(PathBuf::from));
    set(&mut wsgi.mode, section.numbered("appserverEnv", &MODES));
    set(&mut wsgi.defaults, defaults.env.clone());

    let mut app = defaults.app.clone();
    app.name = format!("wsgi:{uri}");
    app.log = AppLog::Append(wsgi.root.join("stderr.log"));
    set(&mut app.max_conns, section.number("maxConns"));
    set(&mut app.ext_max_idle_time, section.limit("extMaxIdleTime"));
    set(&mut app.env, section.environment("env"));
    match section.text("binPath").map(Into::into).or_else(|| defaults.bin_path.clone()) {
        Some(bin_path) => app.command = wsgi.command(bin_path),
        None => section
            .wrong("binPath", "`binPath` is missing, here or in `wsgiDefaults`: name the lswsgi to start"),
    }
    app.kind = AppKind::Wsgi(wsgi);
    app
}
