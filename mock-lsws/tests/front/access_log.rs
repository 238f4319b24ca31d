//! The access log.

use crate::site::Site;

#[tokio::test]
async fn each_request_has_a_line_with_what_it_was_and_what_it_got() {
    let site = Site::start().await;
    let mut client = site.client().await;
    client
        .send(b"GET /app/x?y=1 HTTP/1.1\r\nHost: a\r\nReferer: http://r/\r\nUser-Agent: me \"\\\xe9\r\n\r\n")
        .await;
    client.response().await;
    client.get("/files/s.txt").await;
    client.get("/files/none").await;
    client.send("nonsense\r\n\r\n").await;
    client.response().await;
    client.assert_closed().await;
    let log = site.log.text();
    let lines: Vec<&str> = log.lines().collect();
    let [app, file, none, nonsense] = lines.as_slice() else { panic!("four lines, not {log}") };
    assert!(app.starts_with("127.0.0.1 - - ["), "{app}");
    assert!(
        app.contains(" +0000] \"GET /app/x?y=1 HTTP/1.1\" 200 15 \"http://r/\" \"me \\\"\\\\\\xe9\" "),
        "{app}"
    );
    assert!(app.ends_with(" 1"), "it was sent once: {app}");
    assert!(file.contains("\"GET /files/s.txt HTTP/1.1\" 200 8 \"-\" \"-\" "), "{file}");
    assert!(file.ends_with(" 0"), "it was sent to no application: {file}");
    assert!(none.contains("\" 404 "), "{none}");
    assert!(nonsense.contains("\"nonsense\" 400 "), "{nonsense}");
    site.server.stop().await;
}
