//! `wsgi.file_wrapper`: files that are sent past Python, and everything else that can be read.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};

use lsapi::RequestBuilder;

use crate::support::{Response, Start};

/// Sends what `expression` opens, in a folder with a file `data` of 100 000 bytes; says on standard error when it is closed.
fn wrap(expression: &str, headers: &str) -> Start {
    let source = format!(
        "import gzip, io, os, sys\n\
         DATA = bytes(range(250)) * 400\n\
         with open('data', 'wb') as file: file.write(DATA)\n\
         class Only:\n\
         \x20   def __init__(self): self.left, self.sizes = [b'ab', b'c'], []\n\
         \x20   def read(self, size):\n\
         \x20       print('asked for', size, file=sys.stderr)\n\
         \x20       return self.left.pop(0) if self.left else b''\n\
         def at(file, place):\n\
         \x20   file.seek(place)\n\
         \x20   return file\n\
         def piped():\n\
         \x20   reader, writer = os.pipe()\n\
         \x20   os.write(writer, b'through a pipe')\n\
         \x20   os.close(writer)\n\
         \x20   return os.fdopen(reader, 'rb')\n\
         def compressed():\n\
         \x20   with gzip.open('data.gz', 'wb') as file: file.write(b'plain')\n\
         \x20   return gzip.open('data.gz')\n\
         def told(file):\n\
         \x20   close = file.close\n\
         \x20   file.close = lambda: (close(), print('closed', file=sys.stderr))\n\
         \x20   return file\n\
         def application(environ, start_response):\n\
         \x20   start_response('200 OK', {headers})\n\
         \x20   return environ['wsgi.file_wrapper']({expression})\n"
    );
    Start::application(&source)
}

fn data() -> Vec<u8> {
    (0..250).cycle().take(100_000).collect()
}

fn respond(expression: &str, headers: &str) -> (Response, String) {
    let (mut worker, mut connection) = wrap(expression, headers).connected();
    let response = connection.get("/");
    // The connection is as good as before.
    assert_eq!(connection.get("/").body.len(), response.body.len(), "{expression}");
    drop(connection);
    worker.wait();
    (response, worker.log())
}

#[test]
fn a_file_is_sent_from_where_it_stands_with_its_length() {
    for (expression, from) in [
        ("open('data', 'rb')", 0),
        ("open('data', 'rb', buffering=0)", 0),
        ("open('data', 'r+b'), 100", 0),
        ("at(open('data', 'rb'), 99_999)", 99_999),
        ("at(open('data', 'rb'), 31_072)", 31_072),
        ("at(open('data', 'rb'), 100_000)", 100_000),
        ("at(open('data', 'rb'), 200_000)", 100_000),
    ] {
        let (response, log) = respond(expression, "[]");
        assert!(response.body == data()[from..], "{expression}: {} bytes; {log}", response.body.len());
        let length = (100_000 - from).to_string();
        assert_eq!(response.header("Content-Length"), Some(&*length), "{expression}");
        assert!(response.chunks.iter().rev().skip(1).all(|&chunk| chunk == 16_384), "{:?}", response.chunks);
    }
    // What a read has put into Python's buffer has not been sent yet by anybody.
    let read_first = "(lambda file: (file.read(10), file)[1])(open('data', 'rb'))";
    assert!(respond(read_first, "[]").0.body == data()[10..]);
    // Written, and in no file yet.
    let written = "(lambda file: (file.write(b'NEW'), file.seek(0), file)[2])(open('data', 'r+b'))";
    assert_eq!(respond(written, "[]").0.body[..3], *b"NEW");
}

#[test]
fn a_declared_length_bounds_a_file_without_a_warning() {
    let (response, log) = respond("at(open('data', 'rb'), 50)", "[('Content-Length', '20000')]");
    assert!(response.body == data()[50..20_050]);
    assert!(!log.contains("warning"), "{log}");
    let (response, log) = respond("at(open('data', 'rb'), 99_990)", "[('Content-Length', '20')]");
    assert!(response.body == data()[99_990..]);
    assert!(log.contains("declared a Content-Length of 20 and produced 10 bytes"), "{log}");
    // One that never ends is read no further.
    let (response, log) = respond("open('/dev/zero', 'rb')", "[('Content-Length', '20000')]");
    assert!(response.body == [0; 20_000] && !log.contains("warning"), "{}: {log}", response.body.len());
    for length in ["0", "20", "9000"] {
        let (response, log) =
            respond("at(io.BytesIO(DATA), 50)", &format!("[('Content-Length', '{length}')]"));
        assert!(response.body == data()[50..50 + length.parse::<usize>().unwrap()], "{length}");
        assert!(!log.contains("warning"), "{length}: {log}");
    }
}

#[test]
fn whatever_can_be_read_is_sent_as_it_reads() {
    for (expression, body) in [
        ("io.BytesIO(b'in memory')", "in memory"),
        ("at(io.BytesIO(b'in memory'), 3)", "memory"),
        ("piped()", "through a pipe"),
        ("compressed()", "plain"),
        ("io.BufferedReader(io.BytesIO(b'no file'))", "no file"),
        ("Only(), 4711", "abc"),
        // A file whose size is said to be 0.
        ("open('/proc/sys/kernel/ostype', 'rb')", "Linux\n"),
        ("open(os.devnull, 'rb')", ""),
    ] {
        let (response, log) = respond(expression, "[('Content-Type', 'text/plain')]");
        assert_eq!(response.text(), body, "{expression}: {log}");
        assert_eq!(log.contains("asked for 4711"), expression.starts_with("Only"), "{log}");
    }
}

#[test]
fn every_file_is_closed_after_its_response_also_if_nothing_of_it_is_sent() {
    let (worker, mut connection) = wrap("told(open('data', 'rb'))", "[]").connected();
    connection.send(&RequestBuilder::new("HEAD", "/").encode());
    let response = connection.response();
    assert_eq!((response.header("Content-Length"), response.body.len()), (Some("100000"), 0));
    worker.wait_log("closed");
    for _ in 0..2 {
        assert_eq!(connection.get("/").body.len(), 100_000);
    }
    drop(connection);
    let mut worker = worker;
    worker.wait();
    assert_eq!(worker.log().matches("closed").count(), 3, "{}", worker.log());
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_of_the_application() {
    for (expression, complaint) in [
        ("open('data', 'ab')", "UnsupportedOperation: read"),
        ("open(os.open('data', os.O_WRONLY), 'wb', buffering=0)", "OSError: [Errno 9] Bad file descriptor"),
        ("(lambda file: (file.close(), file)[1])(open('data', 'rb'))", "ValueError"),
        ("io.StringIO('text')", "the application must yield bytes, not str"),
        ("None", "'NoneType' object has no attribute 'read'"),
    ] {
        let (mut worker, mut connection) = wrap(expression, "[]").connected();
        assert_eq!(connection.get("/").status, 500, "{expression}");
        drop(connection);
        worker.wait();
        assert!(worker.log().contains(complaint), "{expression}: {}", worker.log());
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_is_a_short_body() {
    let (worker, mut connection) = wrap("open('large', 'rb')", "[]").connected();
    let path = worker.dir.path().join("large");
    std::fs::write(&path, vec![b'x'; 8_000_000]).unwrap();
    connection.send(&RequestBuilder::get("/").encode());
    let mut response = Response::default();
    // Far more is there than any socket holds, so the worker is in the middle of it.
    while response.body.is_empty() {
        connection.next(&mut response);
    }
    File::options().write(true).open(&path).unwrap().set_len(10).unwrap();
    let rest = connection.response();
    let len = response.body.len() + rest.body.len();
    assert!(len < 8_000_000, "{len}");
    assert_eq!(rest.names().last(), Some(&"RESP_END"));
    worker.wait_log(&format!("declared a Content-Length of 8000000 and produced {len} bytes"));
    // Short now, and whole.
    assert_eq!(connection.get("/").body.len(), 10);
}

#[test]
fn lengths_and_places_beyond_four_gigabytes_are_exact() {
    const SIZE: u64 = 5_000_000_000;
    let (worker, mut connection) =
        wrap("at(open('large', 'rb'), int(environ['QUERY_STRING']))", "[]").connected();
    let mut file = File::create(worker.dir.path().join("large")).unwrap();
    file.seek(SeekFrom::Start(SIZE - 3)).unwrap();
    file.write_all(b"end").unwrap();
    let response = connection.get(&format!("/?{}", SIZE - 20_000));
    assert_eq!((response.body.len(), response.header("Content-Length")), (20_000, Some("20000")));
    assert!(response.body.ends_with(b"\0end"));
    connection.send(&RequestBuilder::new("HEAD", "/?0").encode());
    assert_eq!(connection.response().header("Content-Length"), Some("5000000000"));
}
