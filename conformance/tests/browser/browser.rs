//! A headless Chromium and the driver that steers it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal};
use serde_json::json;

/// The programs a test with a browser needs, and the packages they come in.
const PROGRAMS: [(&str, &str); 2] = [("chromium", "chromium"), ("chromedriver", "chromium-driver")];

/// A browser with nobody's settings, and no way to anything but this machine.
pub(crate) struct Browser {
    /// What steers it.
    pub(crate) client: Client,
    driver: Driver,
    /// Its profile.
    _profile: tempfile::TempDir,
}

/// The driver, and whatever it started.
struct Driver(Child);

impl Browser {
    /// Starts one. `None` where there is none to start, which is said.
    pub(crate) async fn start() -> Option<Self> {
        if let Some((_, package)) = PROGRAMS.iter().find(|(program, _)| !is_installed(program)) {
            let what = format!("no browser to test with: install it with apt-get install {package}");
            assert!(std::env::var_os("CI").is_none(), "{what}");
            eprintln!("SKIPPED: {what}");
            return None;
        }
        let profile = tempfile::tempdir().expect("a temporary folder");
        let (driver, port) = Driver::start();
        let folder = profile.path().display();
        let arguments = [
            "--headless=new".to_owned(),
            // Chromium refuses to run as root with its sandbox, and containers do not allow one.
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            // /dev/shm is small in containers.
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--window-size=1000,800".to_owned(),
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1".to_owned(),
            format!("--user-data-dir={folder}"),
        ];
        let options = json!({"goog:chromeOptions": {"args": arguments}});
        let serde_json::Value::Object(capabilities) = options else { unreachable!("written as an object") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a session of the browser");
        Some(Self { client, driver, _profile: profile })
    }

    /// Ends the session and the browser.
    pub(crate) async fn close(self) {
        self.client.close().await.expect("the session ends");
        drop(self.driver);
    }
}

fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    found.is_ok_and(|output| output.status.success())
}

impl Driver {
    /// Starts it on a free port, which it tells.
    fn start() -> (Self, u16) {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Its browsers are in its group, and end with it.
            .process_group(0)
            .spawn()
            .expect("chromedriver starts");
        let mut driver = Self(driver);
        let mut output = BufReader::new(driver.0.stdout.take().expect("a pipe"));
        let mut told = String::new();
        let port = loop {
            let mut line = String::new();
            let len = output.read_line(&mut line).expect("chromedriver writes text");
            told.push_str(&line);
            assert!(len > 0, "chromedriver ended before it was ready: {told}");
            let number = line.trim_end().trim_end_matches('.').rsplit_once("successfully on port ");
            if let Some(port) = number.and_then(|(_, port)| port.parse().ok()) {
                break port;
            }
        };
        // It must not block on a pipe nobody reads.
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        (driver, port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(group) = Pid::from_raw(self.0.id().cast_signed()) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}
