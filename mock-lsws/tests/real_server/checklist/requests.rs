//! Points 8 and 10 to 13: what an application is told, and requests that are out of the ordinary.

use lsapi::{BeginRequest, BodyLength, KnownHeader, limits};
use mock_lsws::config::{Context, ScriptHandler, ServerConfig};
use mock_lsws::{Event, SentKind, Timing};

use super::stage::{Stage, answer};
use crate::LONG;
use crate::client::Client;
use crate::played_app::Step;
use crate::view::View;

/// An application that answers one request.
fn one_answer(_: usize) -> Vec<Step> {
    vec![Step::Request, Step::Send(answer("ok"))]
}

async fn ask(stage: &Stage, request: &[u8]) -> View {
    let mut client = Client::connect(stage.site.address()).await;
    client.send(request).await;
    client.response(false, LONG).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn point_08_https_is_told_before_the_name_of_the_server() {
    for https in [false, true] {
        let settings = |config: ServerConfig| config.https(https);
        let stage = Stage::with(one_answer, Timing::default(), |app| app, settings).await;
        assert_eq!(stage.get_whole().await.status(), Some(200));
        let links = stage.app.links();
        let begin = BeginRequest::decode(&links[0].received, limits::MAX_REQUEST_PACKET).unwrap();
        let keys: Vec<_> =
            begin.env().iter().map(|entry| String::from_utf8(entry.key().to_vec()).unwrap()).collect();
        let before_the_name = &keys[keys.iter().position(|key| key == "LSWS_EDITION").unwrap() - 1];
        assert_eq!(
            (before_the_name == "HTTPS", keys.iter().any(|key| key == "HTTPS")),
            (https, https),
            "{keys:?}"
        );
        assert!(!keys.iter().any(|key| key.starts_with("HTTP_") || key.starts_with("CONTENT_")), "{keys:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_10_paths_of_each_mapping() {
    let settings = |config: ServerConfig| {
        let root = config.doc_root.parent().unwrap().to_owned();
        std::fs::write(config.doc_root.join("x.php"), "").unwrap();
        config
            .context(Context::wsgi("/py/", "app", root, "wsgi.py"))
            .script_handler(ScriptHandler::new(["php"], "app"))
    };
    let script = |_| (0..10).flat_map(one_answer).collect();
    let stage = Stage::with(script, Timing::default(), |app| app, settings).await;
    let php = stage.site.folder().join("html/x.php").into_os_string().into_encoded_bytes();
    let mut start = 0;
    for (target, script_name, path_info, script_filename) in [
        ("/app/hello?q", "/app/", Some("/hello"), None),
        ("/app/a%2Fb//c/./d/../e%20", "/app/", Some("/a/b/c/e "), None),
        ("/py/foo/bar", "/py", Some("/foo/bar"), None),
        ("/py/", "/py", Some("/"), None),
        ("/py/_wsgi.py/xx", "/py/_wsgi.py", Some("/xx"), None),
        ("/x.php/pi", "/x.php", Some("/pi"), Some(&php)),
        ("/x.php?pi", "/x.php", None, Some(&php)),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: example.com\r\n\r\n");
        assert_eq!(ask(&stage, request.as_bytes()).await.status(), Some(200), "{target}");
        stage.site.until_records(stage.app.requests()).await.unwrap();
        let links = stage.app.links();
        let begin = BeginRequest::decode(&links[0].received[start..], limits::MAX_REQUEST_PACKET).unwrap();
        start += begin.packet_len();
        assert_eq!(begin.script_name(), Some(script_name.as_bytes()), "{target}");
        assert_eq!(begin.env().get(b"PATH_INFO"), path_info.map(str::as_bytes), "{target}");
        assert_eq!(begin.script_filename(), script_filename.map(Vec::as_slice), "{target}");
        assert_eq!(begin.env().get(b"REQUEST_URI"), Some(target.as_bytes()));
    }
    assert_eq!(stage.app.links().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_11_many_odd_and_big_headers_arrive_as_they_were_sent() {
    let stage = Stage::new(one_answer).await;
    let mut request =
        format!("GET /app/x?{} HTTP/1.1\r\nHost: Example.com\r\n", "q".repeat(20_000)).into_bytes();
    request.extend_from_slice(
        b"X-Dup: a\r\nx-dup: b\r\nX-Empty:\r\nX-Blank: \t \r\nX-Padded: \t v w \t\r\nX_Under: u\r\n",
    );
    request.extend_from_slice(
        b"Cookie: a=1\r\nCookie: b=2\r\nHost: other.example\r\nDate: today\r\nX-Latin: caf\xe9\r\n",
    );
    for number in 0..150 {
        request.extend_from_slice(format!("X-N{number}: {number}\r\n").as_bytes());
    }
    request.extend_from_slice(format!("X-Big: {}\r\n\r\n", "v".repeat(30_000)).as_bytes());
    assert_eq!(ask(&stage, &request).await.status(), Some(200));

    let links = stage.app.links();
    let begin = BeginRequest::decode(&links[0].received, limits::MAX_REQUEST_PACKET).unwrap();
    assert_eq!(begin.query_string().map(<[u8]>::len), Some(20_000));
    assert_eq!(begin.known_header(KnownHeader::Host), Some(&b"example.com"[..]));
    assert_eq!(begin.known_header(KnownHeader::Cookie), Some(&b"a=1"[..]));
    let unknown: Vec<_> =
        begin.unknown_headers().iter().map(|header| (header.name.to_vec(), header.value.to_vec())).collect();
    let text = |name: &str, value: &[u8]| (name.as_bytes().to_vec(), value.to_vec());
    let mut expected = vec![
        text("X-Dup", b"a"),
        text("x-dup", b"b"),
        text("X-Empty", b""),
        text("X-Blank", b""),
        text("X-Padded", b"v w"),
        text("X_Under", b"u"),
        text("Cookie", b"b=2"),
        text("Hos2", b"other.example"),
        text("Date", b"today"),
        text("X-Latin", b"caf\xe9"),
    ];
    expected.extend((0..150).map(|number| text(&format!("X-N{number}"), number.to_string().as_bytes())));
    expected.push(text("X-Big", &vec![b'v'; 30_000]));
    assert!(unknown == expected, "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn point_12_a_body_leaves_in_blocks_the_first_with_its_request() {
    let stage = Stage::new(one_answer).await;
    let body: Vec<u8> = (0..100_000u32).map(|at| at.to_le_bytes()[0]).collect();
    let head = format!("POST /app/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut client = Client::connect(stage.site.address()).await;
    client.send(head.as_bytes()).await;
    for piece in [&body[..1], &body[1..8192], &body[8192..16_385], &body[16_385..]] {
        client.send(piece).await;
    }
    assert_eq!(client.response(false, LONG).await.0.status(), Some(200));

    let links = stage.app.links();
    let begin = BeginRequest::decode(&links[0].received, limits::MAX_REQUEST_PACKET).unwrap();
    let packet = begin.packet_len();
    assert!(links[0].received[packet..] == body, "the body arrives whole and unframed");

    let transcript = stage.record(0).await.exchanges.remove(0).transcript.unwrap();
    let sent: Vec<_> = transcript
        .entries()
        .into_iter()
        .filter_map(|entry| match entry.event {
            Event::Sent { kind, bytes } => Some((kind, bytes.len())),
            _ => None,
        })
        .collect();
    let (kind, first) = sent[0];
    assert_eq!(kind, SentKind::Request);
    assert!(
        first > packet && first <= packet + 8192,
        "the first write has {first} bytes, {packet} of them the packet"
    );
    assert!(sent[1..].iter().all(|&(kind, length)| kind == SentKind::Body && length <= 8192), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn point_13_a_length_that_does_not_fit_is_left_to_the_header() {
    let head = b"POST /app/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: 2147483648\r\n\r\nstart";
    let big = |mut config: ServerConfig| {
        config.limits.max_req_body_size = 4 << 30;
        config
    };
    // The application answers when it has the packet: the body never ends.
    let script = |_| vec![Step::Receive(500), Step::Send(answer("ok"))];
    let stage = Stage::with(script, Timing::default(), |app| app, big).await;
    assert_eq!(ask(&stage, head).await.status(), Some(200));
    let links = stage.app.links();
    let begin = BeginRequest::decode(&links[0].received, limits::MAX_REQUEST_PACKET).unwrap();
    assert_eq!(begin.req_body_len(), -2);
    assert_eq!(begin.body_length(), BodyLength::Known(2_147_483_648));
    assert_eq!(begin.known_header(KnownHeader::ContentLength), Some(&b"2147483648"[..]));
    assert_eq!(&links[0].received[begin.packet_len()..], b"start");
}
