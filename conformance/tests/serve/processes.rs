//! Points 30 to 32: processes and connections of lswsgi while it serves.

use std::time::Duration;

use mock_lsws::config::RunOnStartUp;
use rustix::process::Signal;

use crate::stand::{Stand, fast, generic, runs, signal, site, wsgi};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn point_30_each_connection_has_a_process_that_goes_with_it() {
    let site = site();
    let (app, context) = generic(site.path());
    let app = app.pc_keep_alive_timeout(Some(SECOND));
    let stand = Stand::start((app, context), fast()).await;
    assert!(!stand.log().contains("started"), "without a request there is no connection");
    let first = stand.asked("").await;
    assert_eq!(first.started, first.by, "it serves itself");
    assert_eq!(stand.asked("").await, first, "the connection is used again");
    // Two at a time have two.
    let (one, other) = tokio::join!(stand.asked("0.5"), stand.asked("0.5"));
    assert_ne!(one, other);
    // The server closes what is idle, and tells the process.
    stand.until("the end of both", || !runs(one.by) && !runs(other.by)).await;
    let next = stand.asked("").await;
    assert!(next != one && next != other);
    stand.stop(&[next.by]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn point_31_a_worker_serves_on_when_an_idle_connection_was_closed() {
    let site = site();
    let (app, context) = wsgi(site.path());
    let app = app.pc_keep_alive_timeout(Some(SECOND)).env("LSAPI_CHILDREN", "1");
    let stand = Stand::start((app, context), fast()).await;
    let first = stand.asked("").await;
    let connected = || connections(first.by);
    stand.until("a connection", || connected() == 1).await;
    stand.until("the end of the connection", || connected() == 0).await;
    assert_eq!(stand.asked("").await, first);
    stand.stop(&[first.by, first.started]).await;
}

/// Connected sockets of a process, as far as they lead to a server: they have the path of the socket that was listened on.
fn connections(pid: i32) -> usize {
    let table = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let inodes: Vec<&str> = table
        .lines()
        .filter(|line| line.ends_with("app.sock"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words[3] == "00000000")
        .map(|words| words[6])
        .collect();
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links = descriptors.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links
        .filter(|link| {
            let inode = link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']'));
            inode.is_some_and(|inode| inodes.contains(&inode))
        })
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn point_32_what_died_is_started_again_when_it_is_needed() {
    for run in [RunOnStartUp::Yes, RunOnStartUp::Detached] {
        let site = site();
        let (app, context) = wsgi(site.path());
        let stand = Stand::start((app.run_on_start_up(run), context), fast()).await;
        let mut last = stand.asked("").await;
        for round in 1..=3 {
            signal(last.started, Signal::KILL);
            // Noticed within a second, and nothing is started for it.
            stand.until("its end is noticed", || stand.count(" ended: ") == round).await;
            // Its worker leaves a moment later, and would still answer.
            stand.until("the end of its worker", || !runs(last.by)).await;
            assert_eq!(stand.count(" started"), round, "{}", stand.log());
            let begun = std::time::Instant::now();
            let next = stand.asked("").await;
            assert!(begun.elapsed() < 30 * SECOND, "{:?}: {}", begun.elapsed(), stand.log());
            assert_ne!(next.started, last.started);
            last = next;
        }
        stand.stop(&[last.started, last.by]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_32_a_worker_that_died_is_the_managers_to_replace() {
    let site = site();
    let stand = Stand::start(wsgi(site.path()), fast()).await;
    let first = stand.asked("").await;
    signal(first.by, Signal::KILL);
    let next = stand.asked("").await;
    assert_eq!(next.started, first.started);
    assert_ne!(next.by, first.by);
    stand.stop(&[next.by, next.started]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_without_requests_is_stopped_and_started_again() {
    let site = site();
    let limit = 2 * SECOND;
    for is_group in [true, false] {
        let socket = site.path().join("app.sock");
        let (app, context) = if is_group { wsgi(site.path()) } else { generic(site.path()) };
        let app = app
            .run_on_start_up(RunOnStartUp::Yes)
            .ext_max_idle_time(Some(limit))
            .address(mock_lsws::Address::Unix(socket.clone()));
        let stand = Stand::start((app, context), fast()).await;
        // A request holds it, however long it takes.
        let first = stand.asked("3").await;
        let answered = std::time::Instant::now();
        stand.until("its end", || !runs(first.started)).await;
        assert!(answered.elapsed() >= limit, "{:?}: {}", answered.elapsed(), stand.log());
        stand.until("no socket", || !socket.exists()).await;
        let next = stand.asked("").await;
        assert_ne!(next.started, first.started);
        stand.stop(&[next.started, next.by]).await;
        assert!(!socket.exists());
    }
}
