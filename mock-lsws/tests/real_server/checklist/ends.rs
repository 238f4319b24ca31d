//! Points 22 to 24: connections that end, requests that are sent again, and what repeated failures cost.

use std::time::Duration;

use lsapi::{BeginRequest, limits};
use mock_lsws::Timing;

use super::stage::{Stage, answer, close, end, header, received, stream};
use crate::LONG;
use crate::client::Client;
use crate::misbehaviour_record::packet;
use crate::played_app::Step;

/// Two requests, one after the other; returns how many came on each connection.
async fn two_requests(first: Vec<Step>) -> Vec<usize> {
    let again = vec![Step::Request, Step::Send(answer("ok"))];
    let first = [first, again.clone()].concat();
    let stage = Stage::new(move |number| if number == 0 { first.clone() } else { again.clone() }).await;
    for number in 0..2 {
        assert_eq!(stage.get_whole().await.status(), Some(200));
        stage.site.until_records(number + 1).await.unwrap();
    }
    stage.app.links().iter().map(crate::played_app::Link::requests).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn point_22_a_connection_is_used_again_unless_the_application_says_it_closes() {
    let head = || [received(), header(200, &["X-A: 1"]), stream(b"ok")].concat();
    let send = |bytes: Vec<Vec<u8>>| vec![Step::Request, Step::Send(bytes.concat())];
    assert_eq!(two_requests(send(vec![head(), end()])).await, [2]);
    assert_eq!(two_requests(send(vec![head(), close(), end()])).await, [1, 1]);
    assert_eq!(two_requests(send(vec![head(), end(), close()])).await, [1, 1]);
    // The end of a connection behind RESP_END is no failure.
    assert_eq!(two_requests(vec![Step::Request, Step::Send(answer("ok")), Step::Close]).await, [1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_22_a_free_connection_that_turns_out_dead_costs_one_send() {
    let script = |number| match number {
        0 => vec![Step::Request, Step::Send(answer("ok")), Step::Request, Step::Close],
        1 => vec![Step::Request, Step::Close],
        _ => vec![Step::Request, Step::Send(answer("third"))],
    };
    let stage = Stage::new(script).await;
    assert_eq!(stage.get_whole().await.body(), b"ok");
    stage.site.until_records(1).await.unwrap();
    assert_eq!(stage.get_whole().await.body(), b"third");
    assert_eq!(stage.record(1).await.sends(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_23_a_post_is_sent_three_times_each_time_with_its_body() {
    // Bigger than what is buffered anywhere, so parts of it have left before the connection ends.
    let body: Vec<u8> = (0..300_000u32).map(|at| at.to_le_bytes()[1]).collect();
    let stage = Stage::new(|_| vec![Step::Request, Step::Close]).await;
    let mut client = Client::connect(stage.site.address()).await;
    let head = format!("POST /app/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: {}\r\n\r\n", body.len());
    client.send(head.as_bytes()).await;
    client.send(&body).await;
    let (response, _) = client.response(false, LONG).await;
    assert_eq!(response.status(), Some(503));
    assert_eq!(response.field("connection"), Some(&b"close"[..]));
    let links = stage.app.links();
    assert_eq!(links.len(), 3);
    for link in links {
        let begin = BeginRequest::decode(&link.received, limits::MAX_REQUEST_PACKET).unwrap();
        assert!(link.received[begin.packet_len()..] == body);
    }
    assert_eq!(stage.record(0).await.sends(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_23_the_second_or_third_send_may_succeed() {
    for failures in 1..3 {
        let script = move |number| {
            let last = if number < failures { Step::Close } else { Step::Send(answer("at last")) };
            vec![Step::Request, last]
        };
        let stage = Stage::new(script).await;
        assert_eq!(stage.get_whole().await.body(), b"at last");
        assert_eq!(stage.record(0).await.sends() as usize, failures + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_23_nobody_listens() {
    let stage = Stage::new(|_| Vec::new()).await;
    std::fs::remove_file(stage.app.address().path().unwrap()).unwrap();
    let mut client = stage.asking().await;
    assert_eq!(client.response(false, LONG).await.0.status(), Some(503));
    assert!(client.elapsed() < Duration::from_secs(2), "it is not waited for");
}

/// Answers every request with what is no packet.
fn broken(_: usize) -> Vec<Step> {
    vec![Step::Request, Step::Send(packet(10, b""))]
}

#[tokio::test(flavor = "multi_thread")]
async fn point_24_violations_lower_the_limit_until_nothing_is_sent() {
    let limit = |retry: u64| {
        move |app: mock_lsws::config::ExternalApp| app.max_conns(1).retry_timeout(Duration::from_secs(retry))
    };
    // One connection, one violation: none is left, and the application counts as bad for `retryTimeout`.
    let stage = Stage::with(broken, Timing::default(), limit(100), |config| config).await;
    assert_eq!(stage.get_whole().await.status(), Some(503));
    // A client has its answer a moment before the request is on record.
    stage.site.until_records(1).await.unwrap();
    let sent = stage.app.requests();
    assert_eq!(stage.get_whole().await.status(), Some(503));
    assert_eq!(stage.app.requests(), sent, "a bad application is left alone");
    assert_eq!(stage.record(1).await.sends(), 0);

    // Without `retryTimeout` the next request tries again.
    let stage = Stage::with(broken, Timing::default(), limit(0), |config| config).await;
    assert_eq!(stage.get_whole().await.status(), Some(503));
    let sent = stage.app.requests();
    assert_eq!(stage.get_whole().await.status(), Some(503));
    assert!(stage.app.requests() > sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_24_connections_that_have_served_do_not_count() {
    // The first request of each connection is answered, the second with what is no packet.
    let script =
        |_| vec![Step::Request, Step::Send(answer("ok")), Step::Request, Step::Send(packet(10, b""))];
    let stage = Stage::with(script, Timing::default(), |app| app.max_conns(1), |config| config).await;
    for number in 0..6 {
        assert_eq!(stage.get_whole().await.status(), Some(200));
        stage.site.until_records(number + 1).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_24_ends_of_connections_do_not_count() {
    let script = |_| vec![Step::Request, Step::Close];
    let stage = Stage::with(script, Timing::default(), |app| app.max_conns(1), |config| config).await;
    for number in 1..4 {
        assert_eq!(stage.get_whole().await.status(), Some(503));
        assert_eq!(stage.app.requests(), 3 * number);
    }
}
