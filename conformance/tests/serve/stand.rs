//! A mock server in this process, with lswsgi behind it and a rhythm that tests can wait for.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mock_lsws::config::{Context, ExternalApp, ServerConfig, WsgiApp};
use mock_lsws::{Launcher, MockServer, ProcessInfo, ServerLog, Spawner, Timing};

use crate::served::Answer;
use crate::support::{folder, lswsgi, mock_lsws};

/// Nothing a test waits for takes this long, even on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Says which processes answer: itself, and the leader of its session, which is the one the server started. The query asks
/// it to take its time.
pub(crate) const APP: &str = r#"
import os, time

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    time.sleep(float(environ["QUERY_STRING"] or 0))
    return [f"{os.getsid(0)} {os.getpid()}".encode()]
"#;

/// The processes that answered a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// The one the server started.
    pub(crate) started: i32,
    /// The one that ran the application.
    pub(crate) by: i32,
}

/// A server with lswsgi.
pub(crate) struct Stand {
    pub(crate) server: Option<MockServer>,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
}

/// A rhythm that is fast enough to wait for.
pub(crate) fn fast() -> Timing {
    Timing {
        tick: Duration::from_millis(50),
        restart_check: Duration::from_millis(100),
        restart_pause: Duration::from_millis(100),
        ..Timing::default()
    }
}

/// A folder with the application, which sockets can be in too.
pub(crate) fn site() -> tempfile::TempDir {
    folder(&[("app.wsgi", APP)])
}

/// lswsgi as a native WSGI context at `/`, with a group of processes.
pub(crate) fn wsgi(folder: &Path) -> (ExternalApp, Context) {
    let root = WsgiApp::new(folder).startup_file("app.wsgi");
    let command = root.command(lswsgi());
    let app = ExternalApp::wsgi("app", root).command(command).max_conns(4).directory(folder);
    (app, Context::wsgi("/", "app", folder, "app.wsgi"))
}

/// lswsgi at an LSAPI context, with a process for each connection unless its environment says otherwise.
pub(crate) fn generic(folder: &Path) -> (ExternalApp, Context) {
    let script = folder.join("app.wsgi");
    let words = [lswsgi().into(), "-m".into(), script.into_os_string()];
    (ExternalApp::new("app").command(words).directory(folder), Context::lsapi("/", "app"))
}

impl Stand {
    /// Serves `app`.
    pub(crate) async fn start((app, context): (ExternalApp, Context), timing: Timing) -> Self {
        Self::serve(ServerConfig::new().app(app).context(context), timing).await
    }

    /// Serves `config`.
    pub(crate) async fn serve(config: ServerConfig, timing: Timing) -> Self {
        let log = Arc::new(Mutex::new(String::new()));
        let lines = Arc::clone(&log);
        let spawner = Spawner::start(mock_lsws(), ["spawner"]).await.expect("it starts");
        let server = MockServer::builder(config)
            .launcher(Launcher::Spawner(spawner))
            .timing(timing)
            .log(ServerLog::new(move |note| {
                lines.lock().expect("nobody panics with it").push_str(&format!("{note}\n"));
            }))
            .start()
            .await
            .expect("it starts");
        Self { address: server.address(), server: Some(server), log }
    }

    pub(crate) fn server(&self) -> &MockServer {
        self.server.as_ref().expect("it runs")
    }

    /// The lines of its log.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("nobody panics with it").clone()
    }

    /// Waits until `seen`.
    pub(crate) async fn until(&self, what: &str, mut seen: impl FnMut() -> bool) {
        let limit = Instant::now() + LONG;
        while !seen() {
            assert!(Instant::now() < limit, "never came: {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the log has `text`.
    pub(crate) async fn says(&self, text: &str) {
        self.until(text, || self.log().contains(text)).await;
    }

    /// How often the log has `text`.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// Which processes answer a request that takes `seconds`.
    pub(crate) async fn asked(&self, seconds: &str) -> Answered {
        let address = self.address;
        let target = format!("/?{seconds}");
        let answer = tokio::task::spawn_blocking(move || get(address, &target)).await.expect("an answer");
        answered(&answer).unwrap_or_else(|| panic!("{answer:?}: {}", self.log()))
    }

    /// Stops it. None of `processes` runs then.
    pub(crate) async fn stop(mut self, processes: &[i32]) -> String {
        let left = self.server.take().expect("it runs").stop().await;
        assert!(left.is_empty(), "{left:?}: {}", self.log());
        for pid in processes {
            assert!(!runs(*pid), "{pid}: {}", self.log());
        }
        self.log()
    }
}

/// The answer to GET.
pub(crate) fn get(address: SocketAddr, target: &str) -> Answer {
    let request = format!("GET {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    Answer::to(address, request.as_bytes())
}

/// Which processes answered, if it is an answer of theirs.
pub(crate) fn answered(answer: &Answer) -> Option<Answered> {
    let (started, by) = std::str::from_utf8(&answer.body).ok()?.split_once(' ')?;
    let is_right = answer.status == 200 && answer.is_whole;
    Some(Answered { started: started.parse().ok()?, by: by.parse().ok()? }).filter(|_| is_right)
}

/// Whether a process runs.
pub(crate) fn runs(pid: i32) -> bool {
    ProcessInfo::of(pid).is_some_and(|process| !process.is_zombie())
}

/// Sends a signal.
pub(crate) fn signal(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process id");
    rustix::process::kill_process(pid, signal).expect("it runs");
}

/// The file beside a socket.
pub(crate) fn pid_file(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_os_string();
    name.push(".pid");
    name.into()
}
