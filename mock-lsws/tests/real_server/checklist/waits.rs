//! Points 25 to 27: how long the server waits, clients that leave, and standard error.

use std::time::Duration;

use mock_lsws::{Level, Timing};

use super::stage::{Stage, answer, end, header, received, stream};
use crate::LONG;
use crate::misbehaviour_record::packet;
use crate::played_app::Step;

const INIT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longer than that.
const LONGER: Duration = Duration::from_millis(1600);

#[tokio::test(flavor = "multi_thread")]
async fn point_25_what_nobody_acknowledges_is_sent_again() {
    let script = |_| vec![Step::Request];
    let stage =
        Stage::with(script, Timing::default(), |app| app.init_timeout(INIT_TIMEOUT), |config| config).await;
    let mut client = stage.asking().await;
    assert_eq!(client.response(false, LONG).await.0.status(), Some(503));
    assert_eq!(stage.app.requests(), 3);
    let taken = client.elapsed();
    assert!((3 * INIT_TIMEOUT..8 * INIT_TIMEOUT).contains(&taken), "took {taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn point_25_an_acknowledged_request_may_take_its_time() {
    let pid = packet(6, &[b"\0PID", &4242i32.to_le_bytes()[..]].concat());
    for acknowledgement in [received(), pid] {
        let script = move |_| {
            let late = [header(200, &["X-A: 1"]), stream(b"late"), end()].concat();
            vec![Step::Request, Step::Send(acknowledgement.clone()), Step::Sleep(LONGER), Step::Send(late)]
        };
        let stage =
            Stage::with(script, Timing::default(), |app| app.init_timeout(INIT_TIMEOUT), |config| config)
                .await;
        assert_eq!(stage.get_whole().await.body(), b"late");
        assert_eq!(stage.app.requests(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_25_a_connection_that_has_served_is_waited_for_with_notices() {
    let script = |_| {
        vec![
            Step::Request,
            Step::Send(answer("ok")),
            Step::Request,
            Step::Sleep(LONGER),
            Step::Send(answer("late")),
        ]
    };
    let timing = Timing { check: Duration::from_millis(500), ..Timing::default() };
    let stage = Stage::with(script, timing, |app| app.init_timeout(INIT_TIMEOUT), |config| config).await;
    assert_eq!(stage.get_whole().await.body(), b"ok");
    stage.site.until_records(1).await.unwrap();
    assert_eq!(stage.get_whole().await.body(), b"late");
    assert_eq!(stage.app.requests(), 2);
    let notices = |notes: &[mock_lsws::Note]| notes.iter().filter(|note| note.level == Level::Notice).count();
    assert_eq!(notices(&stage.notes(0).await), 0);
    let waited = stage.notes(1).await;
    assert!(notices(&waited) >= 2, "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn point_26_a_client_that_leaves_while_the_response_streams_ends_it() {
    let script = |_| {
        let start = [received(), header(200, &["X-A: 1"])].concat();
        vec![Step::Request, Step::Send(start), Step::SendForEver(stream(&[b's'; 16_000]))]
    };
    let stage = Stage::new(script).await;
    let mut client = stage.asking().await;
    let _ = client.read_until(LONG, |view| view.bytes().len() > 100_000).await;
    drop(client);
    stage.app.until("the end of the connection", |links| links[0].closed).await.unwrap();
    assert!(stage.app.links()[0].received.ends_with(&packet(2, b"")), "ABORT_REQUEST comes before the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn point_27_standard_error_is_logged_wherever_it_comes() {
    let error = |text: &str| packet(6, text.as_bytes());
    let pid = packet(6, &[b"\0PID", &4242i32.to_le_bytes()[..]].concat());
    let bytes = [
        pid,
        error("one before\n"),
        header(200, &["X-A: 1"]),
        error("one between\n"),
        stream(b"ok"),
        end(),
        error("one after\n"),
    ];
    let bytes = bytes.concat();
    let stage = Stage::new(move |_| vec![Step::Request, Step::Send(bytes.clone())]).await;
    assert_eq!(stage.get_whole().await.body(), b"ok");
    let notes = stage.notes(0).await;
    for text in ["one before", "one between", "one after"] {
        assert!(
            notes.iter().any(|note| note.level == Level::Notice && note.text.contains(text)),
            "{text}: {notes:?}"
        );
    }
    assert_eq!(
        notes.iter().filter(|note| note.level == Level::Notice).count(),
        3,
        "the pid is not logged: {notes:?}"
    );
}
