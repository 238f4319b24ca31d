//! A Django project with its admin site, behind lswsgi, behind `mock-lsws serve`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use conformance::binary;
use rustix::process::{Pid, Signal};

use crate::packages;

/// Who may log in.
pub(crate) const USER: &str = "ada";

/// With what.
pub(crate) const PASSWORD: &str = "correct horse";

/// What the project's settings get beside what Django writes: where the files of the admin site are put, so that the server
/// finds them below `public/`.
const SETTINGS: &str = "
STATIC_URL = '/static/'
STATIC_ROOT = BASE_DIR / 'public' / 'static'
LOGGING_CONFIG = None
";

/// The site while it is served.
pub(crate) struct Site {
    server: Child,
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    folder: tempfile::TempDir,
}

impl Site {
    /// Makes the project and serves it.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        make(root);
        let log = std::fs::File::create(root.join("server.log")).expect("the folder is ours");
        let mut server = Command::new(build("mock-lsws"))
            .args(["serve", "--http", "127.0.0.1:0", "--"])
            .arg(lswsgi())
            .args(["-m", "app.wsgi"])
            .current_dir(root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("mock-lsws starts");
        let mut ready = String::new();
        let mut output = BufReader::new(server.stdout.take().expect("a pipe"));
        output.read_line(&mut ready).expect("it writes text");
        let mut site = Self { server, url: String::new(), folder };
        let url = ready.split_whitespace().find(|word| word.starts_with("http://"));
        let url = url.unwrap_or_else(|| panic!("no ready line but {ready:?}: {}", site.log()));
        site.url = url.trim_end_matches('/').to_owned();
        site
    }

    /// What server and application have said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// Stops it as Ctrl-C does. Returns its log.
    pub(crate) fn stop(mut self) -> String {
        signal(&self.server, Signal::INT);
        let status = self.server.wait().expect("it can be waited for");
        assert!(status.success(), "{status}: {}", self.log());
        self.log()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // After stop() there is nothing left to signal. What it started ends with it.
        if self.server.try_wait().is_ok_and(|ended| ended.is_none()) {
            signal(&self.server, Signal::TERM);
            let _ = self.server.wait();
        }
    }
}

fn signal(process: &Child, signal: Signal) {
    if let Some(pid) = Pid::from_raw(process.id().cast_signed()) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is in a checkout")
}

fn build(package: &str) -> PathBuf {
    binary::build(package, checkout(), None, &|_| {}).unwrap_or_else(|error| panic!("{error}"))
}

fn lswsgi() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build("lswsgi"))
}

/// The interpreter lswsgi is linked to.
fn interpreter() -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("app.wsgi");
    std::fs::write(&script, "def application(environ, start_response):\n    return []\n")
        .expect("the folder is ours");
    let output = run(Command::new(lswsgi()).args(["check", "--json", "-m"]).arg(&script));
    let report: serde_json::Value = serde_json::from_slice(&output).expect("check writes JSON");
    report["installation"]["executable"].as_str().expect("check names the interpreter").to_owned()
}

/// The project, as Django's own commands make it.
fn make(root: &Path) {
    let requirements = checkout().join("lswsgi/tests/frameworks/requirements.txt");
    let venv = packages::venv(Path::new(env!("CARGO_TARGET_TMPDIR")), &interpreter(), &requirements);
    // lswsgi finds it there by itself.
    std::os::unix::fs::symlink(&venv, root.join("venv")).expect("the folder is ours");
    run(Command::new(venv.join("bin/django-admin")).args(["startproject", "shop", "."]).current_dir(root));
    let settings = root.join("shop/settings.py");
    let made = std::fs::read_to_string(&settings).expect("startproject wrote it");
    std::fs::write(&settings, made + SETTINGS).expect("the folder is ours");
    std::fs::write(root.join("app.wsgi"), "from shop.wsgi import application\n").expect("the folder is ours");
    let manage = |args: &[&str]| {
        run(Command::new(venv.join("bin/python"))
            .arg("manage.py")
            .args(args)
            .env("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
            .current_dir(root));
    };
    manage(&["migrate", "--verbosity=0"]);
    manage(&["createsuperuser", "--noinput", "--username", USER, "--email", "ada@example.com"]);
    manage(&["collectstatic", "--noinput", "--verbosity=0"]);
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
