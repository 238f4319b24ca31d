//! What is no request, or one that two servers could read in two ways.

use crate::site::Site;

#[tokio::test]
async fn heads_that_are_wrong_are_refused_and_the_connection_closed() {
    let site = Site::start().await;
    let long_url = format!("GET /app/{} HTTP/1.1\r\nHost: a\r\n\r\n", "u".repeat(33 << 10));
    let long_head = format!("GET /app/ HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "h".repeat(65 << 10));
    let line =
        |line: &str| format!("POST /app/a HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\nGET /app/b HTTP/1.1\r\n\r\n");
    for (request, statuses) in [
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\r\n\r\n".to_owned(), &[400][..]),
        ("GET\r\n\r\n".to_owned(), &[400]),
        ("GET /app/a HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), &[400, 505]),
        (line("Content-Length: 3\r\nTransfer-Encoding: chunked"), &[400]),
        (line("Transfer-Encoding: chunked\r\nContent-Length: 3"), &[400]),
        (line("Content-Length: 3\r\nContent-Length: 3"), &[400]),
        (line("Content-Length: 3\r\nContent-Length: 4"), &[400]),
        (line("Content-Length: +3"), &[400]),
        (line("Content-Length: -3"), &[400]),
        (line("Content-Length: 3, 3"), &[400]),
        (line("Content-Length: 99999999999999999999"), &[400, 413]),
        (line("Transfer-Encoding: gzip"), &[501]),
        (line("Transfer-Encoding : chunked"), &[400]),
        (line("X Y: 1"), &[400]),
        (line("X: a\0b"), &[400]),
        (line("X: a\rb"), &[400]),
        (line("X: () { :; }"), &[400]),
        (line("Proxy: a"), &[400]),
        (line("no colon"), &[400]),
        (long_url, &[414]),
        (long_head, &[431, 413, 400]),
    ] {
        let mut client = site.client().await;
        client.send(&request).await;
        let shown = request.chars().take(120).collect::<String>();
        let response = client.response().await;
        assert!(statuses.contains(&response.status()), "{shown:?} got {}", response.status_line);
        assert_eq!(response.header("connection"), Some("close"), "{shown:?}");
        assert_eq!(
            response.names(),
            ["content-type", "cache-control", "pragma", "content-length", "server", "connection"]
        );
        client.assert_closed().await;
    }
    assert_eq!(site.app.requests(), 0);
    site.server.stop().await;
}

#[tokio::test]
async fn the_limits_are_those_that_are_configured() {
    let site = Site::limited(|limits| {
        limits.max_req_url_len = 300;
        limits.max_req_header_size = 2000;
    })
    .await;
    let ask = async |request: String| {
        let mut client = site.client().await;
        client.send(request).await;
        client.response().await.status()
    };
    assert_eq!(ask(format!("GET /app/{} HTTP/1.1\r\nHost: a\r\n\r\n", "u".repeat(200))).await, 200);
    assert_eq!(ask(format!("GET /app/{} HTTP/1.1\r\nHost: a\r\n\r\n", "u".repeat(400))).await, 414);
    assert_eq!(ask(format!("GET /app/ HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "h".repeat(1500))).await, 200);
    assert_ne!(ask(format!("GET /app/ HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "h".repeat(2500))).await, 200);
    site.server.stop().await;
}

/// Nothing ends such a head but the limit.
#[tokio::test]
async fn an_endless_head_is_refused_without_waiting_for_its_end() {
    let site = Site::start().await;
    for endless in [&b"G"[..], b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\n"] {
        let mut client = site.client().await;
        client.send(endless).await;
        client.send("X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(2000)).await;
        let status = client.response().await.status();
        assert!((400..500).contains(&status), "{} got {status}", endless.escape_ascii());
        client.assert_closed().await;
    }
    site.server.stop().await;
}
