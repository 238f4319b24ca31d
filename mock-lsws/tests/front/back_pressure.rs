//! Clients that do not take what they asked for.

use std::time::Duration;

use tokio::io::AsyncReadExt;

use crate::LONG;
use crate::echo_app::BIG;
use crate::site::Site;

/// The application's writes are accepted only as the client reads: what nobody takes is nowhere in memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_waits_for_a_client_that_does_not_read() {
    let site = Site::start().await;
    let mut client = site.client().await;
    client.send("GET /app/big HTTP/1.1\r\nHost: a\r\n\r\n").await;
    site.app.until_requests(1).await;
    // It is stuck when nothing more was taken for a while.
    let stuck = async {
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = site.app.written();
            if now > 0 && now == before {
                return now;
            }
            before = now;
        }
    };
    let taken = tokio::time::timeout(LONG, stuck).await.expect("it gets stuck");
    // Two sockets' buffers, no more: the system gives a TCP connection of this machine up to about 10 MB.
    assert!(taken < BIG / 2, "{taken} bytes were taken without a reader");

    assert_eq!(client.response().await.body.len() as u64, BIG);
    assert_eq!(client.get("/files/s.txt").await.status(), 200);
    site.server.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_costs_nobody_else_anything() {
    let site = Site::start().await;
    for _ in 0..10 {
        let mut client = site.client().await;
        client.send("GET /app/big HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.stream.read_u8().await.unwrap();
    }
    let mut client = site.client().await;
    assert_eq!(client.get("/app/x").await.text(), "GET /app/x\n");
    site.server.stop().await;
}

/// A client that never reads holds its request no longer than `connTimeout`.
#[tokio::test]
async fn a_client_that_takes_nothing_for_too_long_is_given_up() {
    let (sender, mut records) = tokio::sync::mpsc::unbounded_channel();
    let site = Site::with(
        |limits| limits.conn_timeout = Duration::from_secs(1),
        |builder| builder.observe(move |record| drop(sender.send(record.clone()))),
    )
    .await;
    let mut client = site.client().await;
    client.send("GET /app/big HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let record = tokio::time::timeout(LONG, records.recv()).await.expect("it is over").unwrap();
    assert_eq!((record.status, record.complete), (200, false));
    assert!(record.body_bytes < BIG, "{}", record.body_bytes);
    let rest = client.rest().await;
    assert!((rest.len() as u64) < BIG && !rest.ends_with(b"0\r\n\r\n"), "the end is visibly missing");
    site.server.stop().await;
}
