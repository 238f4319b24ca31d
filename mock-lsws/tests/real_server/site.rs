//! The configurations the records were made with, and servers that have them.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use mock_lsws::config::{Context, ExternalApp, PhpIni, Realm, ServerConfig};
use mock_lsws::{Address, MockServer, RequestRecord, Timing};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::LONG;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vhost {
    /// `example.com`: a generic application at `/app/`, Python ones at `/py/` and `/pyroot/`.
    Example,
    /// The same, and it looks after waiting requests each second instead of every ten.
    ExampleQuickCheck,
    /// The same, and it overrides settings of PHP.
    ExamplePhpIni,
    /// `root.test`: a Python application at `/`, and a generic one at `/auth/` behind a password.
    Root,
    /// A generic application at `/ext0/`.
    Misbehaviour,
}

/// A running server.
pub(crate) struct Site {
    server: MockServer,
    records: watch::Receiver<Vec<RequestRecord>>,
    folder: TempDir,
}

impl Site {
    /// Asks for a file that every server has.
    pub(crate) const PROBE: &[u8] = b"GET /probe/s.txt HTTP/1.1\r\nHost: example.com\r\n\r\n";

    /// Starts a server in front of an application that runs already.
    pub(crate) async fn start(vhost: Vhost, app: Address) -> Self {
        let check =
            if vhost == Vhost::ExampleQuickCheck { Duration::from_secs(1) } else { Timing::default().check };
        let timing = Timing { check, ..Timing::default() };
        Self::with(timing, |folder| vhost.config(&app, folder)).await
    }

    /// Starts a server with any configuration. It is told a folder with the files of [`Site::folder`].
    pub(crate) async fn with(timing: Timing, config: impl FnOnce(&Path) -> ServerConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        file(&folder.path().join("public/s.txt"), "static!\n");
        file(&folder.path().join("html/index.html"), "hi\n");
        let config = config(folder.path()).context(Context::files("/probe/", folder.path().join("public")));
        let (sender, records) = watch::channel(Vec::new());
        let server =
            MockServer::builder(config).timing(timing).grace(Duration::ZERO).transcripts(true).observe(
                move |record| sender.send_modify(|records: &mut Vec<_>| records.push(record.clone())),
            );
        Self { server: server.start().await.unwrap(), records, folder }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its folder: `public/s.txt`, which [`PROBE`](Self::PROBE) asks for, and `html/index.html`.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The requests that are over.
    pub(crate) fn records(&self) -> Vec<RequestRecord> {
        self.records.borrow().clone()
    }

    /// Waits until so many requests are over.
    pub(crate) async fn until_records(&self, count: usize) -> Result<(), String> {
        let mut records = self.records.clone();
        match tokio::time::timeout(LONG, records.wait_for(|seen| seen.len() >= count)).await {
            Ok(_) => Ok(()),
            Err(_) => Err("the server never came to the end of the request".into()),
        }
    }

    /// Stops it, with all it has under way.
    pub(crate) async fn stop(self) {
        assert!(self.server.stop().await.is_empty());
    }
}

impl Vhost {
    fn config(self, app: &Address, folder: &Path) -> ServerConfig {
        let app = |name: &str| ExternalApp::new(name).address(app.clone());
        let config = ServerConfig::new().announced(([127, 0, 0, 1], 8088).into()).path_info_overread(true);
        let example = |config: ServerConfig| {
            config
                .doc_root("/usr/local/lsws/app/html")
                .server_admin("vhadmin@localhost")
                .app(app("cap").max_conns(4))
                .app(app("py").max_conns(4))
                .app(app("pyroot").max_conns(4))
                .context(Context::lsapi("/app/", "cap"))
                .context(Context::wsgi("/py/", "py", folder, "wsgi.py"))
                .context(Context::wsgi("/pyroot/", "pyroot", folder, "wsgi.py"))
        };
        match self {
            Self::Example | Self::ExampleQuickCheck => example(config),
            Self::ExamplePhpIni => [
                (false, "memory_limit", "77M"),
                (true, "upload_max_filesize", "5M"),
                (true, "log_errors", "0"),
                (false, "display_errors", "1"),
            ]
            .into_iter()
            .fold(example(config), |config, (admin, name, value)| {
                config.php_ini(PhpIni { admin, name: name.into(), value: value.into() })
            }),
            Self::Root => {
                let realm = Realm { name: "x".into(), users: vec![("bob".into(), "secret".into())] };
                config
                    .doc_root(folder.join("html"))
                    .app(app("root"))
                    .app(app("cap"))
                    .context(Context::wsgi("/", "root", folder, "sub/app.wsgi"))
                    .context(Context::lsapi("/auth/", "cap").python(true).realm(realm))
            }
            Self::Misbehaviour => config
                .doc_root(folder.join("html"))
                .app(app("ext0").max_conns(4).init_timeout(Duration::from_secs(5)))
                .context(Context::lsapi("/ext0/", "ext0")),
        }
    }
}

/// A file as old as those that were recorded.
fn file(path: &Path, content: &str) {
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_324_479);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}
