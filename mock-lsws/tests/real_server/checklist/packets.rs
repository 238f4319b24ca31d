//! Points 15 to 17: which packets the server takes.

use mock_lsws::Timing;
use tokio::task::JoinSet;

use super::stage::{Stage, answer, end, header, received, stream};
use crate::misbehaviour_record::{packet, response_header};
use crate::played_app::Step;

const ABORT_REQUEST: &[u8] = b"LS\x02\x00\x08\x00\x00\x00";

/// A RESP_HEADER packet whose payload has this many bytes, in this many headers of about the same size.
fn header_of(payload: usize, count: usize) -> Vec<u8> {
    let strings = payload - 8 - 2 * count;
    let header = |number: usize| {
        let length = strings / count + usize::from(number < strings % count);
        [b"x:", &vec![b'y'; length - 3][..], b"\0"].concat()
    };
    packet(3, &response_header(200, &(0..count).map(header).collect::<Vec<_>>()))
}

fn with_length(mut packet: Vec<u8>, length: i32) -> Vec<u8> {
    packet[4..8].copy_from_slice(&length.to_le_bytes());
    packet
}

/// Sends the same bytes on every connection; returns the status the client gets, and the number of sends.
async fn outcome(bytes: Vec<u8>) -> (Option<u16>, usize) {
    let script = move |_| vec![Step::Request, Step::Send(bytes.clone())];
    let stage = Stage::with(script, Timing::default(), |app| app.max_conns(100), |config| config).await;
    let status = stage.get().await.status();
    (status, stage.app.requests())
}

#[tokio::test(flavor = "multi_thread")]
async fn point_15_the_limits_of_packets() {
    let right = answer("ok");
    let before = |bad: Vec<u8>| [received(), bad, right.clone()].concat();
    let inside = |bad: Vec<u8>| [header(200, &["x: y"]), bad, end()].concat();
    let bytes = |count| vec![b'b'; count];
    let taken = Some(200);
    let refused = Some(503);
    let rows = [
        ("magic 'LX'", before(b"LX\x07\x00\x08\x00\x00\x00".to_vec()), refused),
        ("type 0", before(packet(0, b"")), refused),
        ("type 2", before(packet(2, b"")), refused),
        ("type 10", before(packet(10, b"")), refused),
        ("length 7", before(with_length(packet(7, b""), 7)), refused),
        ("length 0", before(with_length(packet(7, b""), 0)), refused),
        ("length -1", before(with_length(packet(7, b""), -1)), refused),
        ("a header packet of 7 bytes", before(packet(3, &bytes(7))), refused),
        ("a header packet of 65535 bytes", [header_of(65_535, 10), end()].concat(), taken),
        ("a header packet of 65536 bytes", with_length(packet(3, &bytes(65_536)), 65_544), refused),
        ("4095 headers", [header_of(30_000, 4095), end()].concat(), taken),
        ("4096 headers", [header_of(30_000, 4096), end()].concat(), refused),
        ("-1 headers", before(packet(3, &[(-1i32).to_le_bytes(), 200i32.to_le_bytes()].concat())), refused),
        ("a stream of 16384 bytes", inside(stream(&bytes(16_384))), taken),
        ("a stream of 16385 bytes", before(stream(&bytes(16_385))), refused),
        ("16384 bytes of standard error", before(packet(6, &bytes(16_384))), taken),
        ("16385 bytes of standard error", before(packet(6, &bytes(16_385))), refused),
        ("an acknowledgement of 16384 bytes", before(packet(7, &bytes(16_384))), taken),
        ("an acknowledgement of 16385 bytes", before(packet(7, &bytes(16_385))), refused),
        ("an internal error of 16385 bytes", before(packet(9, &bytes(16_385))), refused),
        ("an internal error with words", before(packet(9, b"words")), refused),
        ("an internal error without", before(packet(9, b"")), taken),
        ("an end with a payload", before(packet(5, b"p")), refused),
        ("a close with a payload", before(packet(8, b"p")), refused),
    ];
    let mut running = JoinSet::new();
    for (name, bytes, status) in rows {
        running.spawn(
            async move { (name, outcome(bytes).await, (status, if status == taken { 1 } else { 3 })) },
        );
    }
    let wrong: Vec<_> =
        running.join_all().await.into_iter().filter(|(_, seen, expected)| seen != expected).collect();
    assert!(wrong.is_empty(), "what was seen, and what should have been: {wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn point_16_streams_of_nothing_and_a_pid_for_an_acknowledgement() {
    let pid = packet(6, &[b"\0PID", &4242i32.to_le_bytes()[..]].concat());
    let bytes = [pid, header(200, &["x: y"]), stream(b""), stream(b"ok"), stream(b""), end()].concat();
    let stage = Stage::new(move |_| vec![Step::Request, Step::Send(bytes.clone())]).await;
    let response = stage.get_whole().await;
    assert_eq!((response.status(), response.body()), (Some(200), b"ok".to_vec()));
    let notes = stage.notes(0).await;
    assert!(!notes.iter().any(|note| note.text.contains("4242") || note.text.contains("PID")), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn point_16_a_packet_may_be_split_anywhere() {
    let bytes = answer("ok");
    let mut running = JoinSet::new();
    for at in 1..bytes.len() {
        let (start, rest) = bytes.split_at(at);
        let steps = [start, rest].map(|part| Step::Send(part.to_vec()));
        running.spawn(async move {
            let [start, rest] = steps;
            let script = vec![Step::Request, start, Step::Sleep(std::time::Duration::from_millis(5)), rest];
            let response = Stage::new(move |_| script.clone()).await.get_whole().await;
            (at, response.status(), response.body())
        });
    }
    for (at, status, body) in running.join_all().await {
        assert_eq!((status, body), (Some(200), b"ok".to_vec()), "split at {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_17_an_end_without_a_header_is_answered_with_an_abort() {
    let stage = Stage::new(|_| vec![Step::Request, Step::Send([received(), end()].concat())]).await;
    assert_eq!(stage.get_whole().await.status(), Some(500));
    stage.app.until("the end of the connection", |links| links[0].closed).await.unwrap();
    assert!(stage.app.links()[0].received.ends_with(ABORT_REQUEST));
}

#[tokio::test(flavor = "multi_thread")]
async fn point_17_text_without_headers_is_read_as_cgi() {
    let text = b"Content-Type: text/html\nX-Lines: end as they like\r\n\nbody";
    let count_0 = packet(3, &response_header(404, &[""; 0]));
    for start in [Vec::new(), count_0] {
        let bytes = [received(), start, stream(&text[..30]), stream(&text[30..]), end()].concat();
        let stage = Stage::new(move |_| vec![Step::Request, Step::Send(bytes.clone())]).await;
        let response = stage.get_whole().await;
        assert_eq!(response.field("content-type"), Some(&b"text/html"[..]));
        assert_eq!(response.field("x-lines"), Some(&b"end as they like"[..]));
        assert_eq!(response.body(), b"body");
    }
}
