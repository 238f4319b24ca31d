//! Points 18 to 21: what becomes of an application's headers.

use super::stage::{Stage, end, header, received, stream};
use crate::LONG;
use crate::client::Client;
use crate::misbehaviour_record::{packet, response_header};
use crate::played_app::{Gate, Step};
use crate::view::View;

/// What a client sees of a response with these headers and the body `ok`, and how often the request was sent.
async fn seen(status: i32, headers: &[&str]) -> (View, Stage) {
    let bytes = [received(), header(status, headers), stream(b"ok"), end()].concat();
    let stage = Stage::new(move |_| vec![Step::Request, Step::Send(bytes.clone())]).await;
    (stage.get_whole().await, stage)
}

#[tokio::test(flavor = "multi_thread")]
async fn point_18_statuses() {
    for (told, shown) in [
        (0, "HTTP/1.1 200 OK"),
        (-1, "HTTP/1.1 200 OK"),
        (201, "HTTP/1.1 201 Created"),
        (299, "HTTP/1.1 200 OK"),
        (403, "HTTP/1.1 403 Forbidden"),
        (444, "HTTP/1.1 444 "),
        (503, "HTTP/1.1 503 Service Unavailable"),
        (599, "HTTP/1.1 200 OK"),
    ] {
        let (response, stage) = seen(told, &["Content-Type: text/plain"]).await;
        assert_eq!(response.status_line(), shown, "status {told}");
        assert_eq!((response.body(), stage.app.requests()), (b"ok".to_vec(), 1), "status {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_18_a_local_location_is_followed_by_the_server() {
    for headers in [
        &["Location: /index.html"][..],
        &["Content-Type: text/plain", "X-LiteSpeed-Location: /index.html"],
        &["Status: 404 Not Found", "X-LiteSpeed-Location: /index.html"],
    ] {
        let (response, stage) = seen(200, headers).await;
        assert_eq!((response.status(), response.body()), (Some(200), b"hi\n".to_vec()), "{headers:?}");
        stage.app.until("the end of the connection", |links| links[0].closed).await.unwrap();
        assert_eq!(stage.app.requests(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_18_other_locations_are_headers() {
    let (response, _) = seen(303, &["Location: /index.html"]).await;
    assert_eq!((response.status(), response.field("location")), (Some(303), Some(&b"/index.html"[..])));
    let (response, _) = seen(200, &["Location: https://elsewhere.example/x"]).await;
    let to = response.field("location");
    assert_eq!((response.status(), to), (Some(302), Some(&b"https://elsewhere.example/x"[..])));
    let (response, _) = seen(200, &["Status: 301", "Location: /index.html"]).await;
    assert_eq!((response.status(), response.body()), (Some(301), b"ok".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn point_18_an_application_that_frames_its_body_frames_it_twice() {
    let framed = b"2\r\nok\r\n0\r\n\r\n";
    let bytes =
        [received(), header(200, &["Transfer-Encoding: chunked", "X-A: 1"]), stream(framed), end()].concat();
    let stage = Stage::new(move |_| vec![Step::Request, Step::Send(bytes.clone())]).await;
    let response = stage.get_whole().await;
    assert_eq!(response.field("transfer-encoding"), Some(&b"chunked"[..]));
    assert_eq!(response.field("content-length"), None);
    assert_eq!(response.body(), framed);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_18_connection_close_is_a_wish_of_the_server_s_own() {
    let (response, _) =
        seen(200, &["Connection: close", "Keep-Alive: 3", "Date: long ago", "Server: mine"]).await;
    assert_eq!(response.field("server"), Some(&b"LiteSpeed/1.9.1 Open"[..]));
    assert_ne!(response.field("date"), Some(&b"long ago"[..]));
    assert_eq!(response.field("keep-alive"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_19_a_length_is_repaired_as_long_as_it_can_be() {
    for declared in ["0", "1", "2", "10"] {
        let (response, _) = seen(200, &[&format!("Content-Length: {declared}")]).await;
        assert_eq!(response.field("content-length"), Some(&b"2"[..]), "declared {declared}");
        assert_eq!(response.body(), b"ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_19_a_length_that_is_out_cuts_what_comes_after_it() {
    let gate = Gate::new();
    let script = {
        let gate = gate.clone();
        move |_| {
            vec![
                Step::Request,
                Step::Send([received(), header(200, &["Content-Length: 4"]), stream(b"pa")].concat()),
                Step::Gate(gate.clone()),
                Step::Send([stream(b"rt-and-more"), end()].concat()),
            ]
        }
    };
    let stage = Stage::new(script).await;
    let mut client = stage.asking().await;
    client.read_until(LONG, |view| view.body() == b"pa").await;
    gate.open();
    let (response, _) = client.response(false, LONG).await;
    assert_eq!(response.field("content-length"), Some(&b"4"[..]));
    assert_eq!(response.body(), b"part");
    assert_eq!(stage.app.requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_19_no_body_behind_a_head_request_204_and_304() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let bytes = [received(), header(status, &["X-A: 1"]), stream(b"body"), end()].concat();
        let script = move |_| vec![vec![Step::Request, Step::Send(bytes.clone())]; 2].concat();
        let stage = Stage::new(script).await;
        let mut client = Client::connect(stage.site.address()).await;
        let request = format!("{method} /app/ HTTP/1.1\r\nHost: example.com\r\n\r\n");
        // A body would be taken for the start of the second response.
        for _ in 0..2 {
            client.send(request.as_bytes()).await;
            let (response, _) = client.response(method == "HEAD", LONG).await;
            assert_eq!(response.status(), u16::try_from(status).ok(), "{method}");
            assert_eq!(response.field("content-length"), None, "{method} {status}");
        }
        assert!(client.is_kept(crate::site::Site::PROBE).await, "{method} {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_20_line_ends_in_a_header_pass_through() {
    let (response, _) = seen(200, &["X-A: 1\r\nX-Injected: yes", "X-B: 2"]).await;
    let seen = response.bytes().escape_ascii().to_string().to_lowercase();
    assert!(seen.contains("x-a: 1\\r\\nx-injected: yes\\r\\nx-b: 2\\r\\n"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn point_20_entries_of_no_bytes_are_skipped() {
    let headers = ["X-A: 1\0", "", "X-B: 2\0"];
    let bytes = [received(), packet(3, &response_header(200, &headers)), stream(b"ok"), end()].concat();
    let stage = Stage::new(move |_| vec![Step::Request, Step::Send(bytes.clone())]).await;
    let response = stage.get_whole().await;
    assert_eq!((response.field("x-a"), response.field("x-b")), (Some(&b"1"[..]), Some(&b"2"[..])));
}

#[tokio::test(flavor = "multi_thread")]
async fn point_21_a_second_header_packet_is_a_failure() {
    let twice =
        [received(), header(200, &["X-A: 1"]), header(200, &["X-B: 2"]), stream(b"ok"), end()].concat();
    let stage = Stage::new(move |_| vec![Step::Request, Step::Send(twice.clone())]).await;
    assert_ne!(stage.get().await.body(), b"ok");
    assert_eq!(stage.app.requests(), 3);
}
