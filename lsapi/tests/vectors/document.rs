//! PROTOCOL.md: the clauses that vectors name are there, and the bytes it shows are those of the vectors.

use std::path::Path;

use lsapi::{ByteOrder, RequestBuilder};

use crate::file::{bytes_of, vector};

fn document() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("PROTOCOL.md")).unwrap()
}

pub(crate) fn assert_has_clause(id: &str) {
    assert!(document().contains(&format!("\n* **{id}** (")), "PROTOCOL.md has no clause {id}");
}

/// The bytes of the block of `text` behind the line that names `file`. A line is an offset, bytes, and what they are,
/// with two blanks between; `00 x 20` is twenty times 00.
fn bytes_shown(text: &str, file: &str) -> Vec<u8> {
    let (_, rest) =
        text.split_once(&format!("`vectors/{file}.bin`")).unwrap_or_else(|| panic!("{file} is not shown"));
    let (_, rest) = rest.split_once("```text\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let mut shown = Vec::new();
    for line in block.lines() {
        let (offset, rest) = line.split_once("  ").unwrap();
        assert_eq!(usize::from_str_radix(offset, 16).unwrap(), shown.len(), "{line}");
        let hex = rest.split("  ").next().unwrap();
        let byte = |hex| u8::from_str_radix(hex, 16).unwrap_or_else(|_| panic!("{line}"));
        match hex.split_once(" x ") {
            Some((one, times)) => shown.extend(vec![byte(one); times.trim().parse().unwrap()]),
            None => shown.extend(hex.split(' ').map(byte)),
        }
    }
    shown
}

#[test]
fn the_examples_are_the_bytes_of_their_vectors() {
    for name in ["request-example", "response-example"] {
        assert_eq!(bytes_shown(&document(), name), bytes_of(&vector(name)), "{name}");
    }
}

#[test]
fn a_byte_that_is_shown_wrongly_is_found() {
    let shown = |line: &str| {
        bytes_shown(&format!("`vectors/a.bin`:\n\n```text\n0000  4c 53  LS\n{line}\n```\n"), "a")
    };
    assert_eq!(shown("0002  00 x 3  zeros"), *b"LS\0\0\0");
    assert_ne!(shown("0002  01  one"), *b"LS\0");
    assert!(std::panic::catch_unwind(|| shown("0003  00")).is_err());
}

#[test]
fn the_request_is_one_that_the_builder_makes() {
    let request = RequestBuilder::bare()
        .request_line(b"GET /shop?item=3 HTTP/1.1")
        .header("Host", "shop.example")
        .header("X-Trace", "a1")
        .env("REMOTE_ADDR", "192.0.2.7")
        .env("REQUEST_URI", "/shop?item=3")
        .env("SCRIPT_FILENAME", "/srv/shop/app.py")
        .env("QUERY_STRING", "item=3")
        .env("SCRIPT_NAME", "/shop")
        .env("SERVER_PROTOCOL", "HTTP/1.1")
        .env("REQUEST_METHOD", "GET")
        .order(ByteOrder::Little);
    assert_eq!(request.encode(), bytes_of(&vector("request-example")));
}
