//! Answers that send the server elsewhere.

use crate::site::Site;

#[tokio::test]
async fn the_client_gets_what_is_there_and_keeps_its_connection() {
    let site = Site::start().await;
    let mut client = site.client().await;
    let response = client.get("/app/file").await;
    assert_eq!(response.text(), "static!\n");
    assert!(response.header("etag").is_some(), "it is the file's response");
    client.send("POST /app/file HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").await;
    assert_eq!(client.response().await.text(), "static!\n", "a redirected POST reads");
    client.send("HEAD /app/file HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.head().await.header("content-length"), Some("8"));
    assert_eq!(client.get("/app/x").await.text(), "GET /app/x\n");
    site.server.stop().await;
}

#[tokio::test]
async fn a_circle_ends_with_a_page() {
    let site = Site::start().await;
    let mut client = site.client().await;
    assert_eq!(client.get("/app/again").await.status(), 500);
    assert_eq!(site.app.requests(), 11, "the request, and ten redirects");
    let log = site.log.text();
    assert!(log.ends_with(" 11\n"), "all of it is one line of the log: {log}");
    site.server.stop().await;
}
