//! Points 24, 29, 30 and 32: processes of an application, from the first request to the end of the server.

use std::path::Path;
use std::time::{Duration, Instant};

use mock_lsws::config::{Context, ExternalApp, RunOnStartUp, ServerConfig};
use mock_lsws::{Note, ProcessInfo, Signal, Timing, descendants};

use crate::LONG;
use crate::client::{Client, Until};
use crate::site::Site;

/// Short enough for a test, long enough for a busy machine.
const INIT_TIMEOUT: Duration = Duration::from_secs(1);

/// A server that starts the Python application in this mode when it needs it.
async fn site(mode: &str, settings: impl FnOnce(ExternalApp) -> ExternalApp) -> Site {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/app.py");
    with_command(&["/usr/bin/python3", program, mode], settings).await
}

async fn with_command(command: &[&str], settings: impl FnOnce(ExternalApp) -> ExternalApp) -> Site {
    let timing = Timing { kill: Duration::from_millis(300), ..Timing::default() };
    Site::with(timing, |folder| {
        // The last argument marks the processes of this test.
        let command = command.iter().copied().chain([folder.to_str().unwrap()]);
        let app = ExternalApp::new("app").command(command).run_on_start_up(RunOnStartUp::No);
        ServerConfig::new().app(settings(app)).context(Context::lsapi("/app/", "app"))
    })
    .await
}

/// Shares a listening socket among its processes, which may take their time to start.
fn shared(app: ExternalApp) -> ExternalApp {
    app.env("LSAPI_CHILDREN", "4").init_timeout(LONG / 2)
}

/// The same, for what never answers.
fn impatient(app: ExternalApp) -> ExternalApp {
    shared(app).init_timeout(INIT_TIMEOUT)
}

async fn get(site: &Site) -> (Option<u16>, String) {
    let mut client = Client::connect(site.address()).await;
    client.send(b"GET /app/ HTTP/1.1\r\nHost: example.com\r\n\r\n").await;
    let (response, until) = client.response(false, LONG).await;
    assert_ne!(until, Until::GaveUp);
    (response.status(), String::from_utf8(response.body()).unwrap())
}

/// The pid the application answers with.
async fn pid(site: &Site) -> i32 {
    let (status, body) = get(site).await;
    assert_eq!(status, Some(200), "{body}");
    body.parse().unwrap()
}

/// Processes of the server in this folder.
fn processes(folder: &Path) -> Vec<i32> {
    let mark = folder.to_str().unwrap();
    let is_ours = |process: &ProcessInfo| {
        let line = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    };
    let all = descendants(std::process::id().cast_signed());
    all.iter().filter(|process| is_ours(process)).map(|process| process.pid).collect()
}

async fn eventually(what: &str, mut seen: impl FnMut() -> bool) {
    let limit = Instant::now() + LONG;
    while !seen() {
        assert!(Instant::now() < limit, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What would have been logged about the first request.
async fn notes(site: &Site) -> String {
    site.until_records(1).await.unwrap();
    let notes = site.records().swap_remove(0).exchanges.into_iter().flat_map(|exchange| exchange.notes);
    notes.map(|note: Note| note.to_string()).collect::<Vec<_>>().join("\n")
}

fn signal(pid: i32, signal: Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn point_30_without_children_there_is_a_process_for_each_connection() {
    let site = site("pid", |app| app).await;
    assert!(processes(site.folder()).is_empty(), "nothing is started before it is needed");
    let first = pid(&site).await;
    assert_eq!(pid(&site).await, first, "the connection and its process serve again");
    assert_eq!(processes(site.folder()), [first]);
    signal(first, Signal::KILL);
    eventually("the end of the process", || processes(site.folder()).is_empty()).await;
    assert_ne!(pid(&site).await, first);
    let folder = site.folder().to_owned();
    site.stop().await;
    assert!(processes(&folder).is_empty(), "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn point_32_a_dead_application_is_replaced_when_it_is_needed() {
    let site = site("pid", shared).await;
    let first = pid(&site).await;
    signal(first, Signal::KILL);
    eventually("the end of the process", || processes(site.folder()).is_empty()).await;
    let second = pid(&site).await;
    assert_ne!(second, first);
    assert_eq!(processes(site.folder()), [second]);
    let folder = site.folder().to_owned();
    site.stop().await;
    assert!(processes(&folder).is_empty(), "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn point_32_of_three_instances_two_are_started_for_the_first_request() {
    let site = site("pid", |app| shared(app).instances(3)).await;
    pid(&site).await;
    assert_eq!(processes(site.folder()).len(), 2);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn point_32_an_application_is_started_with_the_server_where_that_is_configured() {
    let site = site("pid", |app| shared(app).run_on_start_up(RunOnStartUp::Yes)).await;
    let started = processes(site.folder());
    assert_eq!(started.len(), 1);
    assert_eq!(pid(&site).await, started[0]);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn point_24_below_half_of_its_connections_an_application_is_restarted() {
    let site = site("garbage", |app| shared(app).max_conns(4).run_on_start_up(RunOnStartUp::Yes)).await;
    let before = processes(site.folder());
    assert_eq!(before.len(), 1);
    assert_eq!(get(&site).await.0, Some(503));
    eventually("the end of the process", || processes(site.folder()).is_empty()).await;
    site.until_records(1).await.unwrap();
    // The next request needs another one.
    assert_eq!(get(&site).await.0, Some(503));
    assert_ne!(processes(site.folder()), before);
    site.until_records(2).await.unwrap();
    assert_eq!(site.records()[1].sends(), 1, "the one connection it was trusted with is lost too");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_dies_at_once_is_503_with_its_exit_code() {
    // With a listening socket connections succeed, and nobody answers; without, the end is seen at once.
    let site_of = [site("die", impatient).await, site("die", |app| app).await];
    for (site, waits) in site_of.into_iter().zip([true, false]) {
        let begun = Instant::now();
        assert_eq!(get(&site).await.0, Some(503));
        let taken = begun.elapsed();
        assert!(!waits || taken >= 3 * INIT_TIMEOUT, "took {taken:?}");
        let notes = notes(&site).await;
        assert!(notes.contains("exit code 7"), "{notes}");
        site.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_does_not_exist_is_503_and_the_log_names_it() {
    let site = with_command(&["/bin/no-such-program"], |app| app).await;
    assert_eq!(get(&site).await.0, Some(503));
    let notes = notes(&site).await;
    assert!(notes.contains("/bin/no-such-program: cannot be executed"), "{notes}");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_never_accepts_is_503_and_the_log_says_that_it_runs() {
    let site = with_command(&["/bin/sh", "-c", "exec sleep 600"], impatient).await;
    assert_eq!(get(&site).await.0, Some(503));
    let notes = notes(&site).await;
    assert_eq!(site.records()[0].sends(), 3);
    assert!(notes.contains("does it serve the socket"), "{notes}");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn point_29_a_process_that_ignores_signals_is_killed() {
    for settings in [shared, |app| app] {
        let site = site("hang", settings).await;
        let mut client = Client::connect(site.address()).await;
        client.send(b"GET /app/ HTTP/1.1\r\nHost: example.com\r\n\r\n").await;
        eventually("a process", || !processes(site.folder()).is_empty()).await;
        let folder = site.folder().to_owned();
        site.stop().await;
        assert!(processes(&folder).is_empty(), "nothing is left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_server_that_is_dropped() {
    let site = site("pid", shared).await;
    pid(&site).await;
    let folder = site.folder().to_owned();
    drop(site);
    eventually("the end of the process", || processes(&folder).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_file_somebody_removed_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("app.sock");
    let address = mock_lsws::Address::Unix(socket.clone());
    let site = site("pid", |app| shared(app).address(address).run_on_start_up(RunOnStartUp::Yes)).await;
    std::fs::remove_file(&socket).unwrap();
    pid(&site).await;
    assert!(socket.exists());
    site.stop().await;
    assert!(!socket.exists(), "it goes with the server");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_find_no_socket_at_the_same_time_make_one_together() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("app.sock");
    let address = mock_lsws::Address::Unix(socket.clone());
    let settings = |app| shared(app).address(address).run_on_start_up(RunOnStartUp::Yes);
    let site = site("pid", settings).await;
    std::fs::remove_file(&socket).unwrap();
    let requests: Vec<_> = (0..4)
        .map(|_| {
            let address = site.address();
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                client.send(b"GET /app/ HTTP/1.1\r\nHost: example.com\r\n\r\n").await;
                client.response(false, LONG).await.0
            })
        })
        .collect();
    for request in requests {
        assert_eq!(request.await.unwrap().status(), Some(200));
    }
    site.until_records(4).await.unwrap();
    let sends: u32 = site.records().iter().map(|record| record.sends()).sum();
    assert_eq!(sends, 4, "none was sent to a process that was stopped for another");
    site.stop().await;
}
