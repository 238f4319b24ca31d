//! Point 29: how processes are told to end, and what follows when they do not.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use mock_lsws::Timing;
use mock_lsws::config::{Context, ExternalApp, RunOnStartUp};
use rustix::process::Signal;

use crate::stand::{Stand, fast, get, runs, signal, site, wsgi};
use crate::support::folder;

/// Writes down its number, and each signal that tells it to end, and goes on.
const STUBBORN: &str = r#"
trap 'echo TERM >> "$1/signals"' TERM
trap 'echo USR1 >> "$1/signals"' USR1
echo $$ > "$1/pid.part"
mv "$1/pid.part" "$1/pid"
while :; do read line < "$1/wait"; done
"#;

fn stubborn(folder: &Path) -> (ExternalApp, Context) {
    let words = ["/bin/sh", "-c", STUBBORN, "sh", folder.to_str().expect("a path in UTF-8")];
    let app = ExternalApp::new("app").command(words).env("LSAPI_CHILDREN", "1");
    (app.run_on_start_up(RunOnStartUp::Yes), Context::lsapi("/", "app"))
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn point_29_term_and_usr1_then_term_again_then_kill() {
    let folder = folder(&[]);
    // Nobody writes into it: reading waits, and a signal ends the wait.
    let fifo = folder.path().join("wait");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    let timing = Timing {
        remind: Duration::from_secs(1),
        kill: Duration::from_secs(2),
        last: Duration::from_secs(30),
        ..fast()
    };
    let stand = Stand::start(stubborn(folder.path()), timing).await;
    stand.until("a process", || folder.path().join("pid").exists()).await;
    let pid: i32 = read(folder.path(), "pid").trim().parse().expect("a process id");
    let begun = Instant::now();
    stand.stop(&[pid]).await;
    let taken = begun.elapsed();
    assert!(taken >= timing.kill, "{taken:?}");
    let mut signals: Vec<_> = read(folder.path(), "signals").lines().map(str::to_owned).collect();
    assert_eq!(signals.pop().as_deref(), Some("TERM"), "the second time it is only that");
    // Of two that are pending at once the shell may take any first.
    signals.sort();
    assert_eq!(signals, ["TERM", "USR1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_29_lswsgi_ends_by_itself_and_a_stopped_one_is_killed() {
    let site = site();
    let timing = Timing { remind: Duration::from_millis(500), kill: Duration::from_secs(1), ..fast() };
    for is_stopped in [false, true] {
        let (app, context) = wsgi(site.path());
        let stand = Stand::start((app.run_on_start_up(RunOnStartUp::Yes), context), timing).await;
        let first = stand.asked("").await;
        if is_stopped {
            signal(first.started, Signal::STOP);
        }
        let begun = Instant::now();
        let server = stand.server;
        let left = server.expect("it runs").stop().await;
        // What a killed manager leaves is ended by the server, unless it notices first.
        assert!(left.is_empty() || is_stopped, "{left:?}");
        assert_eq!(begun.elapsed() >= timing.kill, is_stopped, "{:?}", begun.elapsed());
        assert!(!runs(first.started) && !runs(first.by));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_29_requests_under_way_are_finished_first() {
    let site = site();
    let (app, context) = wsgi(site.path());
    let stand = Stand::start((app.run_on_start_up(RunOnStartUp::Yes), context), fast()).await;
    let first = stand.asked("").await;
    let address = stand.address;
    let slow = tokio::task::spawn_blocking(move || get(address, "/?2"));
    // It is there when the access log of the application is not: the worker is busy as soon as another one answers.
    stand.until("a busy worker", || fs::read_dir(format!("/proc/{}/fd", first.by)).is_ok()).await;
    let other = loop {
        let other = stand.asked("").await;
        if other.by != first.by {
            break other;
        }
    };
    stand.stop(&[first.started, first.by, other.by]).await;
    let answer = slow.await.expect("an answer");
    assert!(answer.status == 200 && answer.is_whole, "{answer:?}");
}
