//! What every `server_to_app.bin` contains, file by file and item by item, to its last byte.

use crate::capture::{self, REQUESTS};
use lsapi::KnownHeader::{Authorization, ContentLength, ContentType, Host, TransferEncoding};
use lsapi::{BodyLength, KnownHeader, RawRequest, ServerPacket, limits::MAX_REQUEST_PACKET};

/// The variables of a generic LSAPI context, in the order they come in.
const APP_ENV: &[&str] = &[
    "DOCUMENT_ROOT",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "SERVER_ADDR",
    "SERVER_NAME",
    "SERVER_ADMIN",
    "SERVER_PORT",
    "REQUEST_URI",
    "PATH_INFO",
    "PATH_TRANSLATED",
    "LSWS_EDITION",
    "X-LSCACHE",
    "QUERY_STRING",
    "SCRIPT_NAME",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "REQUEST_METHOD",
];

/// The variables of a Python context: nothing that tells about paths on disk.
const WSGI_ENV: &[&str] = &[
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "SERVER_ADDR",
    "SERVER_NAME",
    "SERVER_ADMIN",
    "SERVER_PORT",
    "REQUEST_URI",
    "PATH_INFO",
    "LSWS_EDITION",
    "X-LSCACHE",
    "QUERY_STRING",
    "SCRIPT_NAME",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "REQUEST_METHOD",
];

/// The variables of a request the server authenticated.
const AUTH_ENV: &[&str] = &[
    "AUTH_TYPE",
    "REMOTE_USER",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "SERVER_ADDR",
    "SERVER_NAME",
    "SERVER_ADMIN",
    "SERVER_PORT",
    "REQUEST_URI",
    "PATH_INFO",
    "HttpAuth",
    "LSWS_EDITION",
    "X-LSCACHE",
    "QUERY_STRING",
    "SCRIPT_NAME",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "REQUEST_METHOD",
];

/// The PHP settings a virtual host forces on every LSAPI application: 1 and the kind of setting, then its name.
const PHP_SETTINGS: &[(&str, &str)] = &[
    ("\u{1}\u{1}memory_limit", "77M"),
    ("\u{1}\u{4}upload_max_filesize", "5M"),
    ("\u{1}\u{4}log_errors", "0"),
    ("\u{1}\u{1}display_errors", "1"),
];

/// What one request has to decode to.
struct Request {
    method: &'static str,
    uri: String,
    script_name: &'static str,
    path_info: &'static str,
    env: &'static [&'static str],
    special_env: &'static [(&'static str, &'static str)],
    body: BodyLength,
    /// All of them, in index order.
    known: Vec<(KnownHeader, &'static str)>,
    unknown: Vec<(&'static str, String)>,
}

/// A piece of a connection.
enum Item {
    Request(Request),
    /// Bytes outside packets.
    Body(Vec<u8>),
    Abort,
}
use Item::{Abort, Body};

/// A request to the generic context at `/app/`.
fn app(method: &'static str, uri: &str, path_info: &'static str) -> Request {
    Request {
        method,
        uri: uri.into(),
        script_name: "/app/",
        path_info,
        env: APP_ENV,
        special_env: &[],
        body: BodyLength::Known(0),
        known: vec![(Host, "example.com:8088")],
        unknown: Vec::new(),
    }
}

/// A request to the Python context at `/py`.
fn wsgi(method: &'static str, uri: &str, path_info: &'static str) -> Request {
    Request {
        script_name: "/py",
        env: WSGI_ENV,
        known: vec![(Host, "example.com")],
        ..app(method, uri, path_info)
    }
}

/// A request of the sessions that talked to the server's default port.
fn later(method: &'static str, uri: &str, path_info: &'static str) -> Request {
    app(method, uri, path_info).known(vec![(Host, "example.com")])
}

/// A request to a virtual host with PHP settings.
fn with_settings(method: &'static str, uri: &str, path_info: &'static str) -> Request {
    Request { special_env: PHP_SETTINGS, ..later(method, uri, path_info) }
}

impl Request {
    fn body(self, len: u64) -> Self {
        Self { body: BodyLength::Known(len), ..self }
    }

    fn known(self, known: Vec<(KnownHeader, &'static str)>) -> Self {
        Self { known, ..self }
    }

    fn only(self) -> Vec<Item> {
        vec![Item::Request(self)]
    }

    fn then(self, body: &[u8]) -> Vec<Item> {
        vec![Item::Request(self), Body(body.into())]
    }
}

/// Every file, in the order of their names.
fn table() -> Vec<(&'static str, Vec<Item>)> {
    let plain_text =
        |len| vec![(ContentType, "text/plain"), (ContentLength, len), (Host, "example.com:8088")];
    let form = (ContentType, "application/x-www-form-urlencoded");
    let host = (Host, "example.com");
    let exits = || later("GET", "/app/x?exit=3", "/x").only();
    let next = || with_settings("GET", "/app/next", "/next").only();
    let unread = |len, text| {
        with_settings("POST", "/app/x?read=0", "/x").known(vec![(ContentLength, text), host]).body(len)
    };
    vec![
        ("01-get-simple/conn000", app("GET", "/app/hello/world?a=1&b=2&dump=1", "/hello/world").only()),
        (
            "03-post-form/conn000",
            app("POST", "/app/post?dump=1", "/post")
                .known(vec![form, (ContentLength, "11"), (Host, "example.com:8088")])
                .body(11)
                .then(b"hello=world"),
        ),
        (
            "04-post-split/conn000",
            app("POST", "/app/post?dump=1", "/post").known(plain_text("11")).body(11).then(b"hello world"),
        ),
        (
            // A chunked upload passed on as it arrives: no length, and no sign where it ends.
            "06-post-chunked/conn000",
            Request {
                body: BodyLength::Streaming,
                known: vec![
                    (ContentType, "text/plain"),
                    (Host, "example.com:8088"),
                    (TransferEncoding, "chunked"),
                ],
                ..app("POST", "/app/post?dump=1", "/post")
            }
            .then(b"hello"),
        ),
        (
            // The same upload collected by the server: it has a length now, and no Transfer-Encoding.
            "07-post-chunked-onewrite/conn000",
            app("POST", "/app/post?dump=1", "/post").known(plain_text("11")).body(11).then(b"hello world"),
        ),
        ("08-head/conn000", app("HEAD", "/app/h?dump=1", "/h").only()),
        (
            "10-big-header/conn000",
            Request { unknown: vec![("X-Big", "v".repeat(30_000))], ..app("GET", "/app/m", "/m") }.only(),
        ),
        ("11-long-query/conn000", app("GET", &format!("/app/m?q={}", "z".repeat(20_000)), "/m").only()),
        ("13-options/conn000", app("OPTIONS", "/app/m", "/m").only()),
        ("14-http10/conn000", app("GET", "/app/m?dump=1", "/m").known(Vec::new()).only()),
        (
            "16-expect-100/conn000",
            app("POST", "/app/post?dump=1", "/post")
                .known(vec![(ContentLength, "5"), (Host, "example.com:8088")])
                .body(5)
                .then(b"hello"),
        ),
        (
            "17-keepalive-two-requests/conn000",
            vec![Item::Request(app("GET", "/app/1", "/1")), Item::Request(app("GET", "/app/2", "/2"))],
        ),
        (
            "18-post-zero/conn000",
            app("POST", "/app/post?dump=1", "/post")
                .known(vec![(ContentLength, "0"), (Host, "example.com:8088")])
                .only(),
        ),
        ("30-wsgi-get/conn000", wsgi("GET", "/py/foo/bar?x=1&dump=1", "/foo/bar").only()),
        ("31-wsgi-root/conn000", wsgi("GET", "/py/?dump=1", "/").only()),
        (
            "35-wsgi-percent-long/conn000",
            wsgi("GET", "/py/%41%42%43%44%45%46%47%48?dump=1", "/ABCDEFGH").only(),
        ),
        (
            "37-wsgi-post-split/conn000",
            wsgi("POST", "/py/p?dump=1", "/p")
                .known(vec![(ContentLength, "11"), host])
                .body(11)
                .then(b"hello world"),
        ),
        ("39-wsgi-head/conn000", wsgi("HEAD", "/py/h?dump=1", "/h").only()),
        ("41-wsgi-dotdot/conn000", wsgi("GET", "/py/a/../b//c/./d?dump=1", "/b/c/d").only()),
        (
            "42-wsgi-second-app/conn000",
            Request { script_name: "/pyroot", ..wsgi("GET", "/pyroot/deep/er?dump=1", "/deep/er") }.only(),
        ),
        ("44-wsgi-no-query/conn000", wsgi("GET", "/py/e", "/e").only()),
        (
            "45-wsgi-put/conn000",
            wsgi("PUT", "/py/e?dump=1", "/e").known(vec![(ContentLength, "0"), host]).only(),
        ),
        ("47-wsgi-absolute-uri/conn000", wsgi("GET", "/py/abs?dump=1", "/abs").only()),
        ("50-abort-waiting/conn000", later("GET", "/app/x?sleep=4", "/x").only()),
        (
            // The client left after ten of a hundred bytes: the abort stands where body was expected.
            "52-abort-body-incomplete/conn001",
            vec![
                Item::Request(
                    later("POST", "/app/x", "/x").known(vec![(ContentLength, "100"), host]).body(100),
                ),
                Body(b"abcdefghij".into()),
                Abort,
            ],
        ),
        ("53-abort-wsgi-waiting/conn001", wsgi("GET", "/py/x?sleep=4", "/x").only()),
        ("54-half-close/conn002", later("GET", "/app/x?usleep=500000", "/x").only()),
        // The application died; the server sent the same request twice more, each time on a fresh connection.
        ("55-app-exits-mid-request/conn002", exits()),
        ("55-app-exits-mid-request/conn003", exits()),
        ("55-app-exits-mid-request/conn004", exits()),
        ("57-status-and-headers/conn005", later("GET", "/app/x?status=404&nh=20&hl=100", "/x").only()),
        ("58-stderr/conn005", later("GET", "/app/x?err=1", "/x").only()),
        ("59-big-1M/conn005", later("GET", "/app/x?big=1048576", "/x").only()),
        ("60-concurrent-second-conn/conn005", later("GET", "/app/a?usleep=300000", "/a").only()),
        ("62-abort-long-wait/conn000", vec![Item::Request(later("GET", "/app/x?sleep=45", "/x")), Abort]),
        // Ten of a thousand bytes, and no more ever: the application had answered, so the server stopped sending.
        ("63-early-answer-incomplete-body/conn000", unread(1000, "1000").then(&[b'p'; 10])),
        ("64-next-request-after-63/conn000", next()),
        ("65-early-answer-full-body-unread/conn000", unread(200_000, "200000").then(&[b'p'; 200_000])),
        ("66-next-request-after-65/conn001", next()),
        ("67-early-answer-small-body-unread/conn001", unread(100, "100").then(&[b'p'; 100])),
        ("68-next-request-after-67/conn001", next()),
        (
            "70-wsgi-root-context/conn000",
            Request { script_name: "", ..wsgi("GET", "/foo/bar?x=1&dump=1", "/foo/bar") }
                .known(vec![(Host, "root.test")])
                .only(),
        ),
        (
            "71-wsgi-root-context-slash/conn000",
            Request { script_name: "", ..wsgi("GET", "/", "/") }.known(vec![(Host, "root.test")]).only(),
        ),
        (
            // The server checked the password itself and passes the header on all the same.
            "72-auth-basic/conn000",
            Request { script_name: "/auth/", env: AUTH_ENV, ..app("GET", "/auth/x?dump=1", "/x") }
                .known(vec![(Authorization, "Basic Ym9iOnNlY3JldA=="), (Host, "root.test")])
                .only(),
        ),
    ]
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Compares the request at the start of `bytes` and returns the length of its packet.
fn check_request(file: &str, want: &Request, bytes: &[u8]) -> usize {
    let ServerPacket::BeginRequest(got) = ServerPacket::decode(bytes, MAX_REQUEST_PACKET).unwrap() else {
        panic!("{file}: an abort where a request was expected");
    };
    let query = want.uri.split_once('?').map_or("", |(_, query)| query);
    let variable = |name: &str| text(got.env().get(name.as_bytes()).unwrap());

    assert_eq!(text(got.request_method().unwrap()), want.method, "{file}");
    assert_eq!(text(got.script_name().unwrap()), want.script_name, "{file}");
    assert_eq!(text(got.query_string().unwrap()), query, "{file}");
    assert_eq!(got.script_filename(), None, "{file}: none of these contexts has a script on disk");
    assert_eq!(got.body_length(), want.body, "{file}");

    let keys: Vec<_> = got.env().iter().map(|entry| text(entry.key())).collect();
    assert_eq!(keys, want.env, "{file}");
    assert_eq!(variable("REQUEST_URI"), want.uri, "{file}");
    assert_eq!(variable("PATH_INFO"), want.path_info, "{file}");
    assert_eq!(variable("REQUEST_METHOD"), want.method, "{file}");
    assert_eq!(variable("SCRIPT_NAME"), want.script_name, "{file}");
    assert_eq!(variable("QUERY_STRING"), query, "{file}");

    let special: Vec<_> = got.special_env().iter().map(|e| (text(e.key()), text(e.value()))).collect();
    let want_special: Vec<_> = want.special_env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    assert_eq!(special, want_special, "{file}");

    let known: Vec<_> = got.known_headers().iter().map(|(header, value)| (header, text(value))).collect();
    let want_known: Vec<_> = want.known.iter().map(|(header, value)| (*header, value.to_string())).collect();
    assert_eq!(known, want_known, "{file}");
    let unknown: Vec<_> = got.unknown_headers().iter().map(|h| (text(h.name), text(h.value))).collect();
    let want_unknown: Vec<_> = want.unknown.iter().map(|(n, v)| (n.to_string(), v.clone())).collect();
    assert_eq!(unknown, want_unknown, "{file}");

    // The block is the HTTP head behind four NULs, which keep every real offset away from 0.
    assert!(got.header_block().starts_with(format!("\0\0\0\0{} ", want.method).as_bytes()), "{file}");
    assert!(got.header_block().ends_with(b"\r\n\r\n"), "{file}");

    let packet = &bytes[..got.packet_len()];
    assert!(RawRequest::from(&got).encode() == packet, "{file}: encoding what was decoded gives other bytes");
    packet.len()
}

#[test]
fn every_request_file_decodes_to_what_the_table_says_and_encodes_to_itself() {
    for (file, items) in table() {
        let bytes = capture::read(file, REQUESTS);
        let mut rest = &bytes[..];
        for item in &items {
            let taken = match item {
                Item::Request(want) => check_request(file, want, rest),
                Body(body) => {
                    assert!(rest.starts_with(body), "{file}: another body");
                    body.len()
                }
                Abort => {
                    let packet = ServerPacket::decode(rest, MAX_REQUEST_PACKET).unwrap();
                    assert_eq!(packet, ServerPacket::AbortRequest, "{file}");
                    packet.packet_len()
                }
            };
            rest = &rest[taken..];
        }
        assert!(rest.is_empty(), "{file}: {} bytes more than the table knows of", rest.len());
    }
}

#[test]
fn table_and_folders_name_the_same_captures() {
    let described: Vec<_> = table().into_iter().map(|(file, _)| file.to_owned()).collect();
    assert_eq!(described, capture::files(REQUESTS));
    let mut folders: Vec<_> = described.iter().map(|file| file.split('/').next().unwrap()).collect();
    folders.dedup();
    assert_eq!(folders, capture::folders(), "a folder without LSAPI bytes does not belong here");
}

#[test]
fn a_removed_header_keeps_its_length_and_is_absent_all_the_same() {
    let bytes = capture::read("07-post-chunked-onewrite/conn000", REQUESTS);
    let request = capture::first_request(&bytes);
    assert_eq!(request.known_headers().slot(TransferEncoding), ("chunked".len() as u16, 0));
    assert_eq!(request.known_header(TransferEncoding), None);
    assert_eq!(request.known_header(ContentLength), Some(&b"11"[..]));
}

#[test]
fn path_info_ends_at_its_nul_and_not_where_the_server_over_read() {
    for (file, path, sent) in [("35-wsgi-percent-long", "/ABCDEFGH", 25), ("41-wsgi-dotdot", "/b/c/d", 14)] {
        let bytes = capture::read(&format!("{file}/conn000"), REQUESTS);
        let env = capture::first_request(&bytes).env();
        let entry = env.iter().find(|entry| entry.key() == b"PATH_INFO").unwrap();
        assert_eq!((text(entry.value()), entry.raw_value.len()), (path.to_owned(), sent + 1), "{file}");
    }
}

#[test]
fn an_http_1_0_request_says_so_in_its_variables_only() {
    let bytes = capture::read("14-http10/conn000", REQUESTS);
    let request = capture::first_request(&bytes);
    assert_eq!(request.env().get(b"SERVER_PROTOCOL"), Some(&b"HTTP/1.0"[..]));
    assert_eq!(request.env().get(b"SERVER_NAME"), Some(&b""[..]), "there was no Host to take it from");
    assert!(request.header_block().ends_with(b"HTTP/1.1\r\n\r\n"));
}

#[test]
fn an_answered_expectation_is_blanked_out_of_the_header_block() {
    let bytes = capture::read("16-expect-100/conn000", REQUESTS);
    let request = capture::first_request(&bytes);
    let block = request.header_block();
    assert!(!text(block).contains("Expect") && !text(block).contains("100-continue"));
    let blanks = b" ".repeat("Expect: 100-continue".len());
    assert!(block.windows(blanks.len()).any(|window| window == blanks));
}

#[test]
fn a_query_is_carried_three_times() {
    let bytes = capture::read("11-long-query/conn000", REQUESTS);
    let runs = bytes.split(|&byte| byte != b'z').filter(|run| run.len() == 20_000);
    assert_eq!(runs.count(), 3, "in REQUEST_URI, in QUERY_STRING and in the header block");
}

#[test]
fn an_authenticated_user_comes_with_the_header_that_proved_it() {
    let bytes = capture::read("72-auth-basic/conn000", REQUESTS);
    let request = capture::first_request(&bytes);
    assert_eq!(request.env().get(b"AUTH_TYPE"), Some(&b"Basic"[..]));
    assert_eq!(request.env().get(b"REMOTE_USER"), Some(&b"bob"[..]));
    assert_eq!(request.known_header(Authorization), Some(&b"Basic Ym9iOnNlY3JldA=="[..]));
}
