//! A second opinion: the application behind the captures answered with what LiteSpeed's C library had decoded. This crate
//! must have decoded the same, from the same bytes.
//!
//! The account starts with `pid=... bodylen=N ...` and `... method=M script=S`, a line feed inside S, ` name=N qs=Q`. With
//! `dump=1` in the query there follows a line for each variable, `E KEY(length)=value(length)`, and for each header under
//! its CGI name, `H NAME(length)=value(length)`; values end at their first NUL, lengths are those of the packet.

use crate::capture::{self, REQUESTS, RESPONSES};
use lsapi::{AppPacket, BeginRequest, KnownHeader};

/// The body of the first answer in `bytes`; empty if there is none.
fn first_body(bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut rest = bytes;
    while let Ok((header, packet)) = AppPacket::decode(rest) {
        match packet {
            AppPacket::RespStream(piece) => body.extend(piece),
            AppPacket::RespEnd => break,
            _ => {}
        }
        rest = &rest[header.len..];
    }
    body
}

/// A line of the account.
fn line(kind: char, name: &[u8], name_len: usize, value: &[u8], value_len: usize) -> Vec<u8> {
    let mut line = format!("{kind} ").into_bytes();
    line.extend(name);
    line.extend(format!("({name_len})=").bytes());
    line.extend(value);
    line.extend(format!("({value_len})").bytes());
    line
}

/// The variables and headers of `request` as the account would list them. The library never gets to the last known header,
/// Transfer-Encoding, so it is left out here.
fn account(request: &BeginRequest<'_>) -> Vec<Vec<u8>> {
    let env = request.env().iter().map(|entry| {
        let lengths = (entry.raw_key.len() - 1, entry.raw_value.len() - 1);
        line('E', entry.key(), lengths.0, entry.value(), lengths.1)
    });
    let headers =
        request.known_headers().iter().filter(|(header, _)| *header != KnownHeader::TransferEncoding);
    let headers = headers.map(|(header, value)| {
        let name = header.cgi_name().as_bytes();
        line('H', name, name.len(), value, value.len())
    });
    env.chain(headers).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn the_c_library_saw_the_same_variables_and_headers() {
    let mut compared = 0;
    for file in capture::files(REQUESTS) {
        let bytes = capture::read(&file, REQUESTS);
        let request = capture::first_request(&bytes);
        let body = first_body(&capture::read(&file, RESPONSES));
        let theirs: Vec<_> = body
            .split(|&byte| byte == b'\n')
            .filter(|line| line.starts_with(b"E ") || line.starts_with(b"H "))
            .map(<[u8]>::to_vec)
            .collect();
        if contains(request.query_string().unwrap(), b"dump=1") {
            assert_eq!(theirs, account(&request), "{file}");
            compared += 1;
        }
    }
    assert!(compared >= 20, "only {compared} captures have the long form");
}

#[test]
fn the_c_library_saw_the_same_method_script_name_query_and_body_length() {
    let mut compared = 0;
    for file in capture::files(REQUESTS) {
        let body = first_body(&capture::read(&file, RESPONSES));
        if body.is_empty() {
            continue; // it died before it could answer
        }
        let bytes = capture::read(&file, REQUESTS);
        let request = capture::first_request(&bytes);
        let body_len = format!(" bodylen={} ", request.req_body_len());
        let method = [b" method=", request.request_method().unwrap(), b" "].concat();
        let strings =
            [b" name=", request.script_name().unwrap(), b" qs=", request.query_string().unwrap(), b"\n"]
                .concat();
        for wanted in [body_len.as_bytes(), &method, &strings] {
            assert!(contains(&body, wanted), "{file}: no {:?}", String::from_utf8_lossy(wanted));
        }
        compared += 1;
    }
    assert_eq!(compared, capture::files(REQUESTS).len() - 3, "all but the three of 55 have answers");
}
