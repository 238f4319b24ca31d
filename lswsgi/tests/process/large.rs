//! Bodies of more than two gigabytes, in both directions: their lengths do not fit into 31 bits.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use lsapi::{PacketType, RequestBuilder};
use sha2::{Digest as _, Sha256};

use crate::support::{Event, Response, Start};

/// By how many kB the process may grow: far less than any of these bodies.
const GROWTH: u64 = 16_000;

const GIB: u64 = 1 << 30;

const READS: &str = "def application(environ, start_response):\n\
    \x20   read, size, count = environ['wsgi.input'].read, 1 << 20, 0\n\
    \x20   first = read(size)\n\
    \x20   if environ['QUERY_STRING'] == 'all':\n\
    \x20       while data := read(size): count += len(data)\n\
    \x20   start_response('200 OK', [])\n\
    \x20   import hashlib\n\
    \x20   text = f\"{environ['CONTENT_LENGTH']} {len(first)} {hashlib.sha256(first).hexdigest()} {count}\"\n\
    \x20   return [text.encode()]\n";

#[test]
fn the_length_of_a_large_upload_is_exact_and_its_start_can_be_read_alone() {
    let (_worker, mut connection) = Start::application(READS).connected();
    let first: Vec<u8> = (0..1_u32 << 20).map(|place| (place ^ (place >> 8) ^ (place >> 16)) as u8).collect();
    let request = RequestBuilder::new("POST", "/").body_len(3_000_000_000);
    connection.send(&[&request.encode()[..], &first].concat());
    let response = connection.response();
    let sha = Sha256::digest(&first);
    assert_eq!(response.text(), format!("3000000000 1048576 {sha:x} 0"));
    // Nobody can say where the next request begins.
    assert!(response.names().contains(&"CONN_CLOSE"), "{:?}", response.names());
    connection.expect_end();
}

#[test]
fn an_upload_of_three_gigabytes_is_read_to_its_end_and_never_held() {
    let (worker, mut connection) = Start::application(READS).connected();
    connection.post("/?all", b"warm");
    let memory = worker.peak_memory();
    let block = vec![0; 1 << 20];
    connection.send(&RequestBuilder::new("POST", "/?all").body_len(3 * GIB).encode());
    for _ in 0..3 * GIB / block.len() as u64 {
        connection.send(&block);
    }
    let response = connection.response();
    let sha = Sha256::digest(&block);
    assert_eq!(response.text(), format!("{} 1048576 {sha:x} {}", 3 * GIB, 3 * GIB - (1 << 20)));
    assert!(!response.names().contains(&"CONN_CLOSE"), "{:?}", response.names());
    let growth = worker.peak_memory() - memory;
    assert!(growth < GROWTH, "{growth} kB");
}

#[test]
fn a_file_of_three_gigabytes_is_sent_with_every_byte_in_its_place() {
    let source = "def application(environ, start_response):\n\
        \x20   start_response('200 OK', [('Content-Type', 'application/x-data')])\n\
        \x20   return environ['wsgi.file_wrapper'](open('large', 'rb'))\n";
    let (worker, mut connection) = Start::application(source).connected();
    let path = worker.dir.path().join("large");
    std::fs::write(&path, "small").unwrap();
    assert_eq!(connection.get("/").text(), "small");
    let memory = worker.peak_memory();

    // Holes but for a few bytes: at both ends, and across the places where a length stops fitting.
    let file = File::create(&path).unwrap();
    file.set_len(3 * GIB).unwrap();
    let marks = [(0, "start"), (2 * GIB - 3, "across"), (3 * GIB - 3, "end")];
    let mut expected = Sha256::new();
    let zeros = vec![0; 1 << 20];
    let mut place = 0;
    for (at, text) in marks {
        file.write_all_at(text.as_bytes(), at).unwrap();
        while place < at {
            let step = (at - place).min(zeros.len() as u64);
            expected.update(&zeros[..step as usize]);
            place += step;
        }
        expected.update(text);
        place += text.len() as u64;
    }
    assert_eq!(place, 3 * GIB);

    connection.send(&RequestBuilder::get("/").encode());
    let (mut response, mut received, mut count) = (Response::default(), Sha256::new(), 0);
    while response.packets.last() != Some(&PacketType::RespEnd) {
        assert!(matches!(connection.next(&mut response), Event::Packet(_)), "{count}: {}", worker.log());
        received.update(&response.body);
        count += response.body.len() as u64;
        response.body.clear();
    }
    assert_eq!((response.header("Content-Length"), count), (Some("3221225472"), 3 * GIB));
    assert_eq!(received.finalize(), expected.finalize());
    let growth = worker.peak_memory() - memory;
    assert!(growth < GROWTH, "{growth} kB");
}
