//! Files the server sends itself.

use std::time::{Duration, SystemTime};

use crate::site::Site;

const MODIFIED: &str = "Sun, 22 Nov 2026 05:14:39 GMT";

/// A file as old as [`MODIFIED`].
fn age(site: &Site, name: &str) {
    let file =
        std::fs::File::options().write(true).open(site.folder.path().join("files").join(name)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_324_479)).unwrap();
}

#[tokio::test]
async fn a_file_has_its_type_its_length_and_its_validators() {
    let site = Site::start().await;
    age(&site, "s.txt");
    site.file("a.css", "b{}");
    site.file("a.html", "<p>");
    site.file("a.unknown", "?");
    let mut client = site.client().await;
    let response = client.get("/files/s.txt").await;
    assert_eq!(response.status_line, "HTTP/1.1 200 OK");
    assert_eq!(
        response.names(),
        ["etag", "last-modified", "content-type", "content-length", "accept-ranges", "server", "connection"]
    );
    let etag = response.header("etag").unwrap();
    assert!(etag.starts_with("\"8-6b027a3f-") && etag.ends_with(";;;\""), "{etag}");
    assert_eq!(response.header("last-modified"), Some(MODIFIED));
    assert_eq!(response.header("content-type"), Some("text/plain"));
    assert_eq!(response.text(), "static!\n");
    for (name, media_type) in
        [("a.css", "text/css"), ("a.html", "text/html"), ("a.unknown", "application/octet-stream")]
    {
        let response = client.get(&format!("/files/{name}")).await;
        assert_eq!(response.header("content-type"), Some(media_type));
    }
    site.server.stop().await;
}

#[tokio::test]
async fn a_client_that_has_the_file_is_told_so() {
    let site = Site::start().await;
    age(&site, "s.txt");
    let mut client = site.client().await;
    let etag = client.get("/files/s.txt").await.header("etag").unwrap().to_owned();
    for (condition, status) in [
        (format!("If-None-Match: {etag}"), 304),
        (format!("If-None-Match: \"x\", W/{etag}"), 304),
        ("If-None-Match: *".to_owned(), 304),
        ("If-None-Match: \"x\"".to_owned(), 200),
        (format!("If-Modified-Since: {MODIFIED}"), 304),
        ("If-Modified-Since: Sun, 22 Nov 2026 05:14:38 GMT".to_owned(), 200),
        ("If-Modified-Since: yesterday".to_owned(), 200),
        (format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {MODIFIED}"), 200),
    ] {
        client.send(format!("GET /files/s.txt HTTP/1.1\r\nHost: a\r\n{condition}\r\n\r\n")).await;
        let response = client.response().await;
        assert_eq!(response.status(), status, "{condition}");
        if status == 304 {
            assert_eq!(response.names(), ["etag", "last-modified", "server", "connection"]);
        }
    }
    site.server.stop().await;
}

#[tokio::test]
async fn a_part_of_a_file_can_be_asked_for() {
    let site = Site::start().await;
    age(&site, "s.txt");
    let mut client = site.client().await;
    for (range, status, part, content_range) in [
        ("Range: bytes=0-5", 206, "static", Some("bytes 0-5/8")),
        ("Range: bytes=6-", 206, "!\n", Some("bytes 6-7/8")),
        ("Range: bytes=-2", 206, "!\n", Some("bytes 6-7/8")),
        ("Range: bytes=0-1,3-4", 200, "static!\n", None),
        ("Range: bytes=0-5\r\nIf-Range: \"x\"", 200, "static!\n", None),
        ("Range: bytes=0-5\r\nIf-Range: Sun, 22 Nov 2026 05:14:39 GMT", 206, "static", Some("bytes 0-5/8")),
    ] {
        client.send(format!("GET /files/s.txt HTTP/1.1\r\nHost: a\r\n{range}\r\n\r\n")).await;
        let response = client.response().await;
        assert_eq!(response.status(), status, "{range}");
        assert_eq!(response.text(), part, "{range}");
        assert_eq!(response.header("content-range"), content_range, "{range}");
    }
    client.send("GET /files/s.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=8-\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!(response.status(), 416);
    assert_eq!(response.header("content-range"), Some("bytes */8"));
    site.server.stop().await;
}

#[tokio::test]
async fn a_large_file_is_sent_in_parts() {
    let site = Site::start().await;
    let content: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    site.file("large", &content);
    let mut client = site.client().await;
    let response = client.get("/files/large").await;
    assert!(response.body == content, "it is another file");
    assert_eq!(client.get("/files/s.txt").await.text(), "static!\n");
    site.server.stop().await;
}

#[tokio::test]
async fn what_is_no_file_has_a_page() {
    let site = Site::start().await;
    std::fs::create_dir(site.folder.path().join("files/folder")).unwrap();
    let pipe = site.folder.path().join("files/pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, 0o644.into()).unwrap();
    let mut client = site.client().await;
    assert_eq!(client.get("/files/none").await.status(), 404);
    assert_eq!(client.get("/files/s.txt/x").await.status(), 404);
    assert!([403, 404].contains(&client.get("/files/folder/").await.status()));
    assert!([403, 404].contains(&client.get("/files/pipe").await.status()), "it does not wait for a writer");
    client.send("POST /files/s.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!(response.status(), 405);
    assert_eq!(response.header("allow"), Some("GET, HEAD"));
    assert_eq!(client.get("/files/s.txt").await.status(), 200, "none of these costs the connection");
    site.server.stop().await;
}

#[tokio::test]
async fn a_password_opens_what_it_protects() {
    let site = Site::start().await;
    let mut client = site.client().await;
    for (credentials, status) in [
        ("", 401),
        ("Authorization: Basic Ym9iOndyb25n\r\n", 401),
        ("Authorization: Basic Ym9iOnNlY3JldA==\r\n", 200),
    ] {
        client.send(format!("GET /private/s.txt HTTP/1.1\r\nHost: a\r\n{credentials}\r\n")).await;
        let response = client.response().await;
        assert_eq!(response.status(), status, "{credentials}");
        assert_eq!(response.header("www-authenticate"), Some("Basic realm=\"x\""), "{credentials}");
        let place = response.names().iter().position(|name| *name == "www-authenticate");
        assert_eq!(place, Some(response.headers.len() - 2), "it stands between server and connection");
    }
    assert!(site.log.text().lines().last().unwrap().contains(" - bob ["), "{}", site.log.text());
    site.server.stop().await;
}
