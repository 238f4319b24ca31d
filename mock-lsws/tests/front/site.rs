//! A server with something to serve.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mock_lsws::config::{Context, ExternalApp, HttpLimits, Realm, ServerConfig};
use mock_lsws::{AccessLog, MockServer, MockServerBuilder};
use tempfile::TempDir;

use crate::client::Client;
use crate::echo_app::EchoApp;

/// A running server: a generic application at `/app/`, a Python one at `/py/`, files at `/files/`, files for bob
/// (`secret`) at `/private/`.
pub(crate) struct Site {
    pub(crate) server: MockServer,
    pub(crate) app: EchoApp,
    pub(crate) log: Log,
    pub(crate) folder: TempDir,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}, |builder| builder).await
    }

    /// With other limits.
    pub(crate) async fn limited(limits: impl FnOnce(&mut HttpLimits)) -> Self {
        Self::with(limits, |builder| builder).await
    }

    pub(crate) async fn with(
        limits: impl FnOnce(&mut HttpLimits),
        change: impl FnOnce(MockServerBuilder) -> MockServerBuilder,
    ) -> Self {
        let app = EchoApp::start();
        let folder = tempfile::tempdir().unwrap();
        let log = Log::default();
        let mut config = config(&app, folder.path());
        limits(&mut config.limits);
        let builder =
            MockServer::builder(config).access_log(AccessLog::writer(log.clone())).grace(Duration::ZERO);
        let server = change(builder).start().await.unwrap();
        Self { server, app, log, folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address()).await
    }

    /// Makes a file below `/files/`.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        write(&self.folder.path().join("files").join(name), content.as_ref());
    }
}

fn config(app: &EchoApp, folder: &Path) -> ServerConfig {
    write(&folder.join("files/s.txt"), b"static!\n");
    write(&folder.join("private/s.txt"), b"secret!\n");
    let app = |name: &str| ExternalApp::new(name).address(app.address());
    let realm = Realm { name: "x".into(), users: vec![("bob".into(), "secret".into())] };
    ServerConfig::new()
        .app(app("app"))
        .app(app("py"))
        .context(Context::lsapi("/app/", "app"))
        .context(Context::wsgi("/py/", "py", folder.join("py"), "wsgi.py"))
        .context(Context::files("/files/", folder.join("files")))
        .context(Context::files("/private/", folder.join("private")).realm(realm))
}

fn write(path: &Path, content: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Where the access log goes: memory.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
