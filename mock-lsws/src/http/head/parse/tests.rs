use proptest::prelude::*;

use super::super::BodyLength;
use super::*;

const LIMITS: HeadLimits = HeadLimits { head: 64 << 10, url: 32 << 10 };

fn parse(text: &[u8]) -> Result<ParsedHead, Refusal> {
    RequestHead::parse(text, LIMITS)
}

/// A head that is right.
fn head(text: &[u8]) -> RequestHead {
    match parse(text).unwrap() {
        ParsedHead::Complete(head, len) => {
            assert_eq!(len, text.len());
            head
        }
        ParsedHead::Partial => panic!("partial: {}", text.escape_ascii()),
    }
}

/// A GET request with these fields.
fn with(fields: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: h\r\n{fields}\r\n").into_bytes()
}

fn values(head: &RequestHead) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    head.fields().map(|(name, value)| (text(name), text(value))).collect()
}

#[test]
fn what_is_wrong_is_refused_with_its_status() {
    let line = |line: &str| format!("{line}\r\nHost: h\r\n\r\n").into_bytes();
    let cases: Vec<(u16, Vec<u8>)> = vec![
        (400, with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
        (400, with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")),
        (400, with("Content-Length: 5\r\nContent-Length: 5\r\n")),
        (400, with("Content-Length: +5\r\n")),
        (400, with("Content-Length: -5\r\n")),
        (400, with("Content-Length: 5,5\r\n")),
        (400, with("Content-Length: 0x5\r\n")),
        (400, with("Content-Length: 5 5\r\n")),
        (400, with("Content-Length:\r\n")),
        (400, with("Content-Length: 18446744073709551616\r\n")),
        (400, with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
        (400, b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
        (501, with("Transfer-Encoding: gzip, chunked\r\n")),
        (501, with("Transfer-Encoding: chunked, chunked\r\n")),
        (501, with("Transfer-Encoding: identity\r\n")),
        (501, with("Transfer-Encoding:\r\n")),
        (501, with("Transfer-Encoding: chun\r\n ked\r\n")),
        (400, with("Proxy: http://evil\r\n")),
        (400, with("proxy:\r\n")),
        (400, with("X: () { :;}; echo\r\n")),
        (400, with("X: a\0b\r\n")),
        (400, with("X: a\rb\r\n")),
        (400, with("X: a\r\r\n")),
        (400, with("X: a\x07b\r\n")),
        (400, with("X Y: a\r\n")),
        (400, with("X : a\r\n")),
        (400, with(": a\r\n")),
        (400, with("X\r\n")),
        (400, with("X(Y): a\r\n")),
        (400, b"GET / HTTP/1.1\r\n Host: h\r\n\r\n".to_vec()),
        (400, b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        (400, line("GET /")),
        (400, line("GET")),
        (400, line("GET /  HTTP/1.1")),
        (400, line("GET  / HTTP/1.1")),
        (400, line("GET / HTTP/1.1 ")),
        (400, line("GET /a b HTTP/1.1")),
        (400, line("GET /a\0 HTTP/1.1")),
        (400, line("G(T / HTTP/1.1")),
        (400, line("GET a HTTP/1.1")),
        (400, line("OPTIONS * HTTP/1.1")),
        (400, line("CONNECT h:443 HTTP/1.1")),
        (400, line("GET ftp://h/ HTTP/1.1")),
        (400, line("GET / http/1.1")),
        (400, line("GET / HTTP/11")),
        (505, line("GET / HTTP/1.2")),
        (505, line("GET / HTTP/2.0")),
        (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        (400, b"\x16\x03\x01\x02".to_vec()),
        (414, line(&format!("GET /{} HTTP/1.1", "a".repeat(LIMITS.url)))),
        (414, format!("GET /{}", "a".repeat(LIMITS.url + REST_OF_LINE)).into_bytes()),
        (431, with(&format!("X: {}\r\n", "a".repeat(LIMITS.head)))),
        (431, format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(LIMITS.head)).into_bytes()),
        (400, b"\r\n".repeat(LIMITS.head)),
    ];
    for (status, bytes) in cases {
        let start = bytes.get(..60.min(bytes.len())).unwrap().escape_ascii().to_string();
        match parse(&bytes) {
            Err(refusal) => assert_eq!(refusal.status, status, "{start}: {refusal}"),
            Ok(parsed) => panic!("{start}: {parsed:?}"),
        }
    }
}

#[test]
fn what_is_unusual_but_right_is_taken() {
    let folded = head(b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n \tb\r\n  c\r\nY: d\r\n\r\n");
    assert_eq!(values(&folded)[1..], [("X".into(), "a   \\tb    c".into()), ("Y".into(), "d".into())]);
    let bare = head(b"GET /a HTTP/1.1\nHost: h\nX:a\n\n");
    assert_eq!(values(&bare), [("Host".into(), "h".into()), ("X".into(), "a".into())]);
    assert_eq!(bare.target(), b"/a");
    let empty = head(&with("X:\r\nY:  \t \r\nZ: é\r\n"));
    assert_eq!(values(&empty)[1..3], [("X".into(), String::new()), ("Y".into(), String::new())]);
    assert_eq!(head(b"GET HTTP://h HTTP/1.1\r\nHost: h\r\n\r\n").origin_form(), b"/");
    assert_eq!(head(b"GET https://h:1/a?b HTTP/1.1\r\nHost: h\r\n\r\n").origin_form(), b"/a?b");
    assert_eq!(head(b"BREW /\xe9#x HTTP/1.1\r\nHost: h\r\n\r\n").target(), b"/\xe9#x");
    // What comes behind a head is the next one's, and empty lines before it are nobody's.
    let bytes = b"\r\n\nGET / HTTP/1.0\r\n\r\nGET";
    let ParsedHead::Complete(first, len) = parse(bytes).unwrap() else { panic!() };
    assert_eq!((len, first.raw.as_slice()), (bytes.len() - 3, &b"GET / HTTP/1.0\r\n\r\n"[..]));
    let many: String = (0..2000).map(|number| format!("X-{number}: v\r\n")).collect();
    assert_eq!(head(&with(&many)).fields.len(), 2001);
}

#[test]
fn bodies_and_connections_are_understood() {
    let body = |fields: &str| head(&with(fields)).body;
    assert_eq!(body(""), BodyLength::None);
    assert_eq!(body("Content-Length: 0\r\n"), BodyLength::None);
    assert_eq!(body("content-length:  007 \r\n"), BodyLength::Declared(7));
    assert_eq!(body("Content-Length: 3000000000\r\n"), BodyLength::Declared(3_000_000_000));
    assert_eq!(body("Transfer-Encoding: Chunked\r\n"), BodyLength::Chunked);
    let keeps = |version: &str, fields: &str| {
        head(format!("GET / HTTP/{version}\r\nHost: h\r\n{fields}\r\n").as_bytes()).keep_alive
    };
    assert!(keeps("1.1", ""));
    assert!(keeps("1.1", "Connection: Keep-Alive\r\n"));
    assert!(!keeps("1.1", "Connection: x, Close\r\n"));
    assert!(!keeps("1.1", "Connection: x\r\nConnection: close\r\n"));
    assert!(!keeps("1.0", ""));
    assert!(keeps("1.0", "Connection: keep-alive\r\n"));
    assert!(!keeps("1.0", "Connection: keep-alive, close\r\n"));
    assert!(head(&with("Expect: 100-Continue\r\n")).expects_continue);
    assert!(!head(&with("Expect: x\r\n")).expects_continue);
    assert!(!head(b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects_continue);
}

#[test]
fn a_head_is_partial_until_its_last_byte() {
    let whole = b"\r\nPOST /a HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\nContent-Length: 3\r\n\r\n";
    for len in 0..whole.len() {
        assert_eq!(parse(&whole[..len]), Ok(ParsedHead::Partial), "{len} bytes");
    }
    assert_eq!(parse(b"GET /\r"), Ok(ParsedHead::Partial));
    assert!(parse(b"GET /\r\n").is_err(), "HTTP/0.9 does not wait for an empty line");
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn nothing_like_a_head_makes_it_panic(text in "(GET|P|) ?(/|http://|\\*)[a-z%?\r\n]{0,9} HTTP/1.[01]\r?\n([A-Za-z:]{0,20}[ \t\r\n\u{0}-\u{ff}]{0,9}\r?\n){0,5}\r?\n") {
        if let Ok(ParsedHead::Complete(head, len)) = parse(text.as_bytes()) {
            prop_assert!(len <= text.len());
            prop_assert!(head.fields().all(|(name, value)| !name.is_empty() && value == value.trim_ascii()));
        }
    }
}
