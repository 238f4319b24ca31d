use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lsapi::{BeginRequest, BodyLength, KnownHeader, limits};
use proptest::prelude::*;

use super::*;
use crate::config::{Context, ExternalApp, Realm, ServerConfig};
use crate::http::{BodyLength as HttpLength, HeadLimits, ParsedHead};
use crate::request::Addresses;
use crate::route::{Route, Router};

const LIMITS: HeadLimits = HeadLimits { head: 64 << 10, url: 32 << 10 };

fn here(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// The heads in `bytes`, each with how its body came: all of it, in these records, but for 06.
fn requests(name: &str, mut bytes: &[u8]) -> Vec<(RequestHead, BodyState)> {
    let mut requests = Vec::new();
    while !bytes.is_empty() {
        let Ok(ParsedHead::Complete(head, len)) = RequestHead::parse(bytes, LIMITS) else { panic!("{name}") };
        let rest = bytes.split_off(len..).unwrap();
        let state = match head.body {
            HttpLength::None => BodyState::None,
            HttpLength::Declared(length) => BodyState::Declared(length),
            HttpLength::Chunked if name.starts_with("06") => BodyState::Streaming,
            HttpLength::Chunked => BodyState::Collected(11),
        };
        if head.body == HttpLength::None {
            bytes = rest;
        } else {
            bytes = &[];
        }
        requests.push((head, state));
    }
    requests
}

/// The virtual hosts of the recorded server.
fn router(name: &str) -> Router {
    let number: u32 = name.split('-').next().unwrap().parse().unwrap();
    let app = ExternalApp::new;
    let config = ServerConfig::new().path_info_overread(true).app(app("a"));
    let config = if number >= 70 {
        let realm = Realm { name: "x".into(), users: vec![("bob".into(), "secret".into())] };
        config
            .context(Context::wsgi("/", "a", "/nonexistent/root", "sub/app.wsgi"))
            .context(Context::lsapi("/auth/", "a").python(true).realm(realm))
    } else {
        config
            .doc_root("/usr/local/lsws/app/html")
            .server_admin("vhadmin@localhost")
            .context(Context::lsapi("/app/", "a"))
            .context(Context::wsgi("/py/", "a", "/nonexistent/py", "wsgi.py"))
            .context(Context::wsgi("/pyroot/", "a", "/nonexistent/pyroot", "wsgi.py"))
    };
    let ini = |admin, name: &str, value: &str| PhpIni { admin, name: name.into(), value: value.into() };
    let config = if (63..=68).contains(&number) {
        config
            .php_ini(ini(false, "memory_limit", "77M"))
            .php_ini(ini(true, "upload_max_filesize", "5M"))
            .php_ini(ini(true, "log_errors", "0"))
            .php_ini(ini(false, "display_errors", "1"))
    } else {
        config
    };
    Router::new(Arc::new(config)).unwrap()
}

/// The addresses of a recorded packet.
fn addresses(packet: &BeginRequest<'_>) -> Addresses {
    let env = |key: &str| String::from_utf8(packet.env().get(key.as_bytes()).unwrap().to_vec()).unwrap();
    let address = |ip: &str, port: &str| format!("{}:{}", env(ip), env(port)).parse().unwrap();
    Addresses { client: address("REMOTE_ADDR", "REMOTE_PORT"), server: address("SERVER_ADDR", "SERVER_PORT") }
}

#[test]
fn every_recorded_packet_is_made_byte_for_byte() {
    let mut packets = 0;
    for folder in fs::read_dir(here("tests/data/real-server")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let Ok(recorded) = fs::read_dir(here("../lsapi/tests/captures").join(&name)) else { continue };
        let sent = requests(&name, &fs::read(folder.join("request.http")).unwrap());
        let files = recorded.map(|entry| entry.unwrap().path());
        for file in files.filter(|file| file.to_str().unwrap().ends_with(".server_to_app.bin")) {
            let bytes = fs::read(&file).unwrap();
            let mut rest = bytes.as_slice();
            for (head, state) in &sent {
                let packet = BeginRequest::decode(rest, limits::MAX_REQUEST_PACKET).unwrap();
                let Route::App { begin, .. } = router(&name).resolve(head, addresses(&packet)) else {
                    panic!("{name}: no application")
                };
                let ours = begin.encode(*state);
                let expected = rest.split_off(..ours.len()).unwrap_or(rest);
                assert_eq!(ours.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{name}");
                packets += 1;
            }
        }
    }
    assert_eq!(packets, 45, "all recorded packets were compared");
}

fn facts(split: crate::request::Split) -> Facts<'static> {
    Facts {
        addresses: Addresses::default(),
        split,
        server_admin: "",
        https: false,
        user: None,
        added: &[],
        redirected: None,
    }
}

fn begin(text: &[u8]) -> Begin {
    let Ok(ParsedHead::Complete(head, _)) = RequestHead::parse(text, LIMITS) else {
        panic!("{}", text.escape_ascii())
    };
    let path = crate::request::DecodedPath::new(head.origin_form());
    let split = crate::request::Mapping::root().split(&path, false);
    Begin::new(&head, &facts(split), &[])
}

fn decode(bytes: &[u8]) -> BeginRequest<'_> {
    BeginRequest::decode(bytes, limits::MAX_REQUEST_PACKET).unwrap()
}

#[test]
fn the_length_of_a_body_is_said_in_four_ways() {
    let declared = begin(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2147483648\r\n\r\n");
    assert_eq!(decode(&declared.encode(BodyState::Declared(2_147_483_648))).req_body_len(), -2);
    assert_eq!(decode(&declared.encode(BodyState::Declared(2_147_483_647))).req_body_len(), i32::MAX);
    let chunked = begin(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:chunked\r\n\r\n");
    let streaming = chunked.encode(BodyState::Streaming);
    assert_eq!(decode(&streaming).req_body_len(), -1);
    assert_eq!(decode(&streaming).known_header(KnownHeader::TransferEncoding), Some(&b"chunked"[..]));
    // The shortest way to write the field has no room for a blank and ten digits.
    let collected = chunked.encode(BodyState::Collected(2_000_000_000));
    let packet = decode(&collected);
    assert_eq!(packet.body_length(), BodyLength::Known(2_000_000_000));
    assert_eq!(packet.known_header(KnownHeader::ContentLength), Some(&b"2000000000"[..]));
    assert_eq!(packet.known_header(KnownHeader::TransferEncoding), None);
    assert!(packet.header_block().ends_with(b"\r\nContent-length:2000000000\r\n\r\n"));
    assert_eq!(packet.known_headers().slot(KnownHeader::TransferEncoding), (7, 0), "its length stays");
}

#[test]
fn second_copies_are_unknown_and_expect_is_gone() {
    let bytes = begin(
        b"GET / HTTP/1.1\r\nHost: A\r\nCookie: x\r\nHOST: B\r\nX: 1\r\nExpect: 100-continue \r\ncookie: y\r\nX:\r\n\r\n",
    )
    .encode(BodyState::None);
    let packet = decode(&bytes);
    let unknown: Vec<_> = packet.unknown_headers().iter().map(|field| (field.name, field.value)).collect();
    let expected: [(&[u8], &[u8]); 4] = [(b"Hos2", b"b"), (b"X", b"1"), (b"cookie", b"y"), (b"X", b"")];
    assert_eq!(unknown, expected);
    assert_eq!(packet.known_header(KnownHeader::Cookie), Some(&b"x"[..]));
    let blanked = [b"X: 1", " ".repeat(23).as_bytes(), b"\r\ncookie: y\r\n"].concat();
    assert!(packet.header_block().windows(blanked.len()).any(|part| part == blanked));
}

#[test]
fn variables_a_packet_cannot_hold_are_left_out() {
    let head = RequestHead::compose(b"GET", b"/", []);
    let added = [
        ("A".repeat(1024), b"1".to_vec()),
        ("B".repeat(1025), b"2".to_vec()),
        ("C".into(), vec![b'c'; 65_534]),
        ("D".into(), vec![b'd'; 65_535]),
    ];
    let split = crate::request::Mapping::root().split(&crate::request::DecodedPath::new(b"/"), false);
    let bytes = Begin::new(&head, &Facts { added: &added, ..facts(split) }, &[]).encode(BodyState::None);
    let packet = decode(&bytes);
    let has = |name: &str| packet.env().get(name.as_bytes()).is_some();
    assert_eq!(added.each_ref().map(|(name, _)| has(name)), [true, false, true, false]);
}

proptest! {
    #[test]
    fn what_was_taken_can_be_decoded(
        method in "[A-Z]{1,8}",
        path in "/[a-z%/.]{0,20}",
        query in "[a-z=&%?]{0,10}",
        old in any::<bool>(),
        fields in proptest::collection::vec(("[Xx]-[A-Za-z-]{1,9}|Cookie|Accept|Host", "[!-~]([ -~]{0,20}[!-~])?|"), 0..12),
        body in 0..3_u64,
    ) {
        let target = format!("{path}?{query}");
        let version = if old { "1.0" } else { "1.1" };
        let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!("{method} {target} HTTP/{version}\r\nHost: H\r\n{lines}\r\n");
        prop_assume!(!lines.contains(": () {"));
        let state = match body { 0 => BodyState::None, 1 => BodyState::Declared(7), _ => BodyState::Streaming };
        let bytes = begin(text.as_bytes()).encode(state);
        let packet = decode(&bytes);
        prop_assert_eq!(packet.request_method(), Some(method.as_bytes()));
        prop_assert_eq!(packet.env().get(b"REQUEST_URI"), Some(target.as_bytes()));
        prop_assert_eq!(packet.query_string(), Some(query.as_bytes()));
        prop_assert_eq!(packet.req_body_len(), [0, 7, -1][usize::try_from(body).unwrap()]);
        let mut expected: Vec<_> = fields.iter().map(|(name, value)| match name.as_str() {
            "Host" => ("Hos2".to_owned(), value.to_ascii_lowercase()),
            name => (name.to_owned(), value.clone()),
        }).collect();
        let mut seen: Vec<_> = packet.unknown_headers().iter()
            .map(|field| (field.name, field.value))
            .chain([(&b"Cookie"[..], KnownHeader::Cookie), (b"Accept", KnownHeader::Accept)].into_iter()
                .filter_map(|(name, header)| Some((name, packet.known_header(header)?))))
            .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(value).into_owned()))
            .collect();
        expected.sort();
        seen.sort();
        prop_assert_eq!(seen, expected);
    }
}
