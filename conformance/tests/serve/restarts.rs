//! Point 29: an application that is started anew by its marker, and servers that are replaced while they serve.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use mock_lsws::ProcessInfo;
use mock_lsws::config::{RunOnStartUp, ServerConfig};
use rustix::process::Signal;

use crate::served::{Answer, Served, connect};
use crate::stand::{Answered, Stand, answered, fast, get, runs, signal, site, wsgi};
use crate::support::{lswsgi, serve};

/// Clients that ask without a pause until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<Answered>>>,
}

impl Load {
    /// Four clients, of which the second and fourth keep their connections.
    fn begin(address: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |keeps| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut answers = Vec::new();
                let mut connection = None;
                while !stop.load(Ordering::SeqCst) {
                    let answer = if keeps {
                        kept(&mut connection, address, "/?0.005")
                    } else {
                        get(address, "/?0.005")
                    };
                    answers.push(answered(&answer).unwrap_or_else(|| panic!("{answer:?}")));
                }
                answers
            })
        };
        Self { clients: [false, true, false, true].map(client).into(), stop }
    }

    /// What they were answered.
    fn end(self) -> Vec<Answered> {
        self.stop.store(true, Ordering::SeqCst);
        self.clients.into_iter().flat_map(|client| client.join().expect("every answer is right")).collect()
    }
}

/// The answer to GET on a connection that is kept, and made where there is none.
fn kept(connection: &mut Option<TcpStream>, address: SocketAddr, target: &str) -> Answer {
    let client = connection.get_or_insert_with(|| connect(address));
    client.write_all(format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes()).expect("it is sent");
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let len = client.read(&mut piece).expect("an answer");
        bytes.extend_from_slice(&piece[..len]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n").filter(|_| len > 0) else {
            assert!(len > 0, "the connection ended: {text:?}");
            continue;
        };
        let lines = head.lines().map(str::to_ascii_lowercase).collect::<Vec<_>>();
        let length =
            lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if length.map_or_else(|| body.ends_with("0\r\n\r\n"), |length| body.len() >= length) {
            if lines.iter().any(|line| line == "connection: close") {
                *connection = None;
            }
            return Answer::parse(&bytes);
        }
    }
}

fn touch(path: &Path) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
    let file = std::fs::File::options().create(true).append(true).open(path).expect("it can be made");
    file.set_modified(SystemTime::now() + Duration::from_secs(1)).expect("a time");
}

#[tokio::test(flavor = "multi_thread")]
async fn point_29_a_touched_marker_starts_another_instance_first() {
    for run in [RunOnStartUp::Yes, RunOnStartUp::Detached] {
        let site = site();
        let (app, context) = wsgi(site.path());
        let stand = Stand::start((app.run_on_start_up(run), context), fast()).await;
        let first = stand.asked("").await;
        let load = Load::begin(stand.address);
        touch(&site.path().join("tmp/restart.txt"));
        stand.says("restart.txt was touched").await;
        let mut next = first;
        while next.started == first.started {
            next = stand.asked("").await;
        }
        stand.until("the end of the old one", || !runs(first.started)).await;
        let answers = load.end();
        let is_known = |one: &Answered| [first.started, next.started].contains(&one.started);
        assert!(answers.iter().all(is_known), "one restart, and not more: {}", stand.log());
        let log = stand.log();
        let began = |pid: i32| log.find(&format!("process {pid} started")).expect("it was started");
        let ended = log.find(&format!("process {} ended", first.started));
        assert!(ended.is_none_or(|ended| began(next.started) < ended), "{log}");
        stand.stop(&[next.started, next.by]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_leaves_everything_as_it_is() {
    let site = site();
    let config = |max_conns| {
        let (app, context) = wsgi(site.path());
        ServerConfig::new().app(app.max_conns(max_conns)).context(context)
    };
    let stand = Stand::serve(config(4), fast()).await;
    let first = stand.asked("").await;
    assert!(stand.server().restart(config(0)).await.is_err(), "no connections");
    // Its second application cannot be set up, when the first one has been taken over already.
    let other = mock_lsws::config::ExternalApp::new("other")
        .command(["/bin/true"])
        .env("LSAPI_CHILDREN", "1")
        .address("/nonexistent/app.sock".parse().expect("an address"));
    let error = stand.server().restart(config(4).app(other)).await.expect_err("there is no such folder");
    assert!(error.to_string().contains("external application 'other'"), "{error}");
    assert_eq!(stand.asked("").await.started, first.started);
    // Its parent is who it was: it is the one that starts applications, too.
    let parent = ProcessInfo::of(first.started).expect("it runs").ppid;
    signal(first.started, Signal::KILL);
    stand.until("the end of its processes", || !runs(first.started) && !runs(first.by)).await;
    let next = stand.asked("").await;
    assert_eq!(ProcessInfo::of(next.started).expect("it runs").ppid, parent);
    stand.stop(&[next.started, next.by]).await;
}

/// `serve` with lswsgi, and `args`.
fn served(folder: &Path, args: &[&str]) -> Served {
    let all = [&["--max-conns", "4", "--env", "LSAPI_CHILDREN=4"], args, &["--", lswsgi(), "-m", "app.wsgi"]];
    serve(folder, &all.concat())
}

fn asked(served: &Served) -> Answered {
    let answer = served.get("/");
    answered(&answer).unwrap_or_else(|| panic!("{answer:?}: {}", served.stderr()))
}

/// Restarts the server `times` times under load; `is_right` judges each generation's process and the one before it.
fn restarted(served: &Served, times: usize, is_right: impl Fn(i32, i32) -> bool) -> usize {
    let mut last = asked(served).started;
    let load = Load::begin(served.address);
    for time in 1..=times {
        served.signal(Signal::USR1);
        let old = "the old configuration has served its last request";
        served.until(old, |text| text.matches(old).count() == time);
        let next = asked(served).started;
        assert!(is_right(last, next), "{last}, {next}: {}", served.stderr());
        last = next;
    }
    load.end().len()
}

#[test]
fn a_graceful_restart_under_load_loses_nothing_and_keeps_a_detached_application() {
    let site = site();
    let served = served(site.path(), &[]);
    let parent = ProcessInfo::of(asked(&served).started).expect("it runs").ppid;
    let requests = restarted(&served, 5, |last, next| last == next);
    let started = asked(&served).started;
    assert_ne!(ProcessInfo::of(started).expect("it runs").ppid, parent, "it has lost its parent");
    let log = served.stop();
    assert_eq!(log.matches(" was found running").count(), 5, "{log}");
    assert_eq!(log.matches(" started\n").count(), 1, "{log}");
    assert!(!runs(started), "without --keep-detached it goes with the server");
    eprintln!("{requests} requests over five graceful restarts");
}

#[test]
fn a_graceful_restart_under_load_replaces_others_without_loss() {
    let site = site();
    let socket = site.path().join("app.sock");
    let address = socket.to_str().expect("a path in UTF-8");
    let served = served(site.path(), &["--run-on-start-up", "1", "--address", address]);
    let first = asked(&served).started;
    restarted(&served, 3, |last, next| last != next && !runs(last));
    assert!(!runs(first));
    let log = served.stop();
    assert_eq!(log.matches(" started\n").count(), 4, "{log}");
    let left: Vec<_> = std::fs::read_dir(site.path()).expect("a folder").flatten().collect();
    assert!(left.iter().all(|entry| entry.file_name() == "app.wsgi" || entry.path().is_dir()), "{left:?}");
}
