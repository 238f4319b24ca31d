//! Request bodies.

use crate::site::Site;

#[tokio::test]
async fn a_body_comes_through_whatever_its_pieces_and_framing() {
    let site = Site::start().await;
    let mut client = site.client().await;
    let long = "x".repeat(200_000);
    for context in ["app", "py"] {
        let request =
            format!("POST /{context}/a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", long.len());
        client.send(request).await;
        for part in long.as_bytes().chunks(70_001) {
            client.send(part).await;
        }
        let response = client.response().await;
        assert_eq!(response.text(), format!("POST /{context}/a\n{long}"));
        if response.header("connection") == Some("close") {
            client = site.client().await;
        }
    }
    client.send("POST /py/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    client.send("3;x=y\r\nabc\r").await;
    client.send("\n2\r\nde").await;
    client.send("\r\n0\r\nTrailer: 1\r\n\r\n").await;
    assert_eq!(client.response().await.text(), "POST /py/a\nabcde");
    site.server.stop().await;
}

#[tokio::test]
async fn a_client_that_waits_for_leave_gets_it_before_its_body() {
    let site = Site::start().await;
    let mut client = site.client().await;
    for _ in 0..2 {
        client
            .send("POST /app/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            .await;
        let interim = client.response().await;
        assert_eq!(interim.status_line, "HTTP/1.1 100 Continue");
        assert!(interim.headers.is_empty());
        client.send("hello").await;
        assert_eq!(client.response().await.text(), "POST /app/a\nhello");
    }
    site.server.stop().await;
}

#[tokio::test]
async fn no_leave_is_given_for_a_body_nobody_asks_for() {
    let site = Site::start().await;
    let mut client = site.client().await;
    client
        .send("POST /files/s.txt HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .await;
    assert_eq!(client.response().await.status(), 405);
    client.assert_closed().await;
    site.server.stop().await;
}

#[tokio::test]
async fn a_malformed_body_is_refused() {
    let site = Site::start().await;
    for body in ["x\r\n", "5\r\nhello0\r\n\r\n", "-1\r\n", "5\nhello\n0\n\n", "fffffffffffffffff\r\n"] {
        let mut client = site.client().await;
        client
            .send(format!("POST /py/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"))
            .await;
        let response = client.response().await;
        assert_eq!(response.status(), 400, "{body:?}");
        assert_eq!(response.header("connection"), Some("close"), "{body:?}");
        client.assert_closed().await;
    }
    assert_eq!(site.app.requests(), 0);
    site.server.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let site = Site::limited(|limits| limits.max_req_body_size = 10).await;
    for request in [
        "POST /py/a HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n".to_owned(),
        format!(
            "POST /py/a HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world{}",
            "x".repeat(1 << 20)
        ),
        "POST /py/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n".to_owned(),
    ] {
        let mut client = site.client().await;
        client.send(&request).await;
        assert_eq!(client.response().await.status(), 413, "{}", &request[..80]);
        client.assert_closed().await;
    }
    assert_eq!(site.app.requests(), 0);
    let mut client = site.client().await;
    client.send("POST /py/a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello worl").await;
    assert_eq!(client.response().await.status(), 200);
    site.server.stop().await;
}

/// Bytes of a body that are still on their way must never be taken for a request.
#[tokio::test]
async fn behind_a_body_that_was_not_read_nothing_is_served() {
    let site = Site::start().await;
    for target in ["/app/unread", "/files/s.txt"] {
        let mut client = site.client().await;
        client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nab")).await;
        client.response().await;
        client.send("GET /app/smuggled HTTP/1.1\r\nHost: a\r\n\r\n").await;
        client.assert_closed().await;
    }
    assert_eq!(site.app.requests(), 1);
    assert!(!site.log.text().contains("smuggled"), "{}", site.log.text());
    site.server.stop().await;
}

/// The response must not be lost to a reset because bytes of the body are unread when the server closes.
#[tokio::test]
async fn a_client_that_is_still_sending_gets_the_whole_response() {
    let site = Site::start().await;
    site.file("big", vec![b'f'; 3 << 20]);
    for _ in 0..5 {
        let mut client = site.client().await;
        client.send("POST /app/unread HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n").await;
        client.send("x".repeat(300_000)).await;
        assert_eq!(client.response().await.text(), "unread\n");
    }
    site.server.stop().await;
}
