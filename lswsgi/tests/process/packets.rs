//! What comes in on a connection: complete, split, damaged, cut short; and what each does to the process.

use lsapi::{ABORT_REQUEST, ByteOrder, RequestBuilder, limits};

use crate::support::{Connection, Event, Response, Start};

const HELLO: &str = "def application(environ, start_response):\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [environ['PATH_INFO'].encode()]\n";

#[test]
fn a_request_is_acknowledged_and_answered_in_order_and_the_connection_goes_on() {
    let (mut worker, mut connection) = Start::application(HELLO).connected();
    for path in ["/one", "/two"] {
        let response = connection.get(path);
        assert_eq!(response.names(), ["REQ_RECEIVED", "RESP_HEADER", "RESP_STREAM", "RESP_END"]);
        assert_eq!((response.text(), response.notice), (path, None));
    }
    drop(connection);
    assert_eq!(worker.wait().code(), Some(0));
    assert!(worker.log().contains("leaving: the connection ended"), "{}", worker.log());
}

#[test]
fn the_acknowledgement_does_not_wait_for_the_body() {
    let source = "def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [environ['wsgi.input'].read()]\n";
    let (_worker, mut connection) = Start::application(source).connected();
    let mut response = Response::default();
    connection.send(&RequestBuilder::new("POST", "/").body_len(5).encode());
    assert_eq!(connection.next(&mut response), Event::Packet(lsapi::PacketType::ReqReceived));
    connection.send(b"hello");
    assert_eq!(connection.response().text(), "hello");
}

#[test]
fn a_request_may_arrive_in_any_pieces_and_in_either_byte_order() {
    let (_worker, mut connection) = Start::application(HELLO).connected();
    let bytes = RequestBuilder::get("/split").encode();
    for cut in [1, 2, 3, 4, 7, 8, 9, 43, 44, 45, bytes.len() - 1] {
        connection.send(&bytes[..cut]);
        connection.send(&bytes[cut..]);
        assert_eq!(connection.response().text(), "/split", "{cut}");
    }
    let swapped = RequestBuilder::get("/swapped").order(ByteOrder::NATIVE.opposite());
    connection.send(&swapped.encode());
    assert_eq!(connection.response().text(), "/swapped");
}

#[test]
fn requests_that_come_together_are_served_one_after_the_other() {
    let (_worker, mut connection) = Start::application(HELLO).connected();
    let post = |path, body: &[u8]| {
        [&RequestBuilder::new("POST", path).body_len(body.len() as u64).encode()[..], body].concat()
    };
    connection.send(&[post("/a", b"unread"), post("/b", b""), post("/c", b"unread too")].concat());
    for path in ["/a", "/b", "/c"] {
        let response = connection.response();
        assert_eq!((response.text(), response.names().contains(&"CONN_CLOSE")), (path, false));
    }
}

#[test]
fn a_packet_may_be_as_large_as_the_limit_and_not_larger() {
    let request = |room: usize| {
        let with = |len| RequestBuilder::get("/").header("X-Pad", vec![b'x'; len]).encode();
        with(room - with(0).len())
    };
    let (worker, path) = Start::application(HELLO).listening();
    let mut connection = Connection::to(&path);
    for len in [limits::REFERENCE_REQUEST_PACKET, limits::MAX_REQUEST_PACKET] {
        let bytes = request(len);
        assert_eq!(bytes.len(), len);
        connection.send(&bytes);
        assert_eq!(connection.response().text(), "/");
    }
    // Only as much as the limit needs to be seen: the rest would meet a closed connection.
    connection.send(&request(limits::MAX_REQUEST_PACKET + 1)[..8]);
    connection.expect_end();
    worker.wait_log("packetLen = 262145 at offset 4: the limit is 262144");
}

#[test]
fn bytes_that_are_no_request_close_the_connection_without_a_word_and_the_next_one_is_served() {
    let (worker, path) = Start::application(HELLO).listening();
    let mut counts = RequestBuilder::get("/").build();
    counts.cnt_env = Some(-1);
    let mut offset = RequestBuilder::get("/").build();
    offset.string_offsets[1] = i32::MAX;
    for (bytes, complaint) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "versionB = 71 at offset 0"),
        (b"LS\x04\0\x08\0\0\0".to_vec(), "type = 4 at offset 2"),
        (b"LS\x01\0\xff\xff\xff\x7f".to_vec(), "packetLen = 2147483647 at offset 4"),
        (b"LS\x01\0\x2b\0\0\0".to_vec(), "packetLen = 43 at offset 4"),
        (counts.encode(), "cntEnv = -1 at offset 36"),
        (offset.encode(), "scriptNameOff = 2147483647 at offset 20"),
    ] {
        let mut connection = Connection::to(&path);
        connection.send(&bytes);
        connection.expect_end();
        worker.wait_log(complaint);
        assert_eq!(Connection::to(&path).get("/next").text(), "/next");
    }
}

#[test]
fn a_connected_worker_ends_with_its_connection_whatever_ends_it() {
    for bytes in [&b""[..], b"LS", b"garbage", &ABORT_REQUEST] {
        let (mut worker, mut connection) = Start::application(HELLO).connected();
        connection.send(bytes);
        connection.finish();
        connection.expect_end();
        assert_eq!(worker.wait().code(), Some(0), "{bytes:?}");
    }
}

#[test]
fn a_request_packet_that_does_not_go_on_is_given_up_after_the_header_timeout() {
    let (worker, path) = Start::application(HELLO).arg("--header-timeout").arg("1").listening();
    let mut stalled = Connection::to(&path);
    stalled.send(b"LS\x01");
    stalled.expect_end();
    worker.wait_log("3 bytes of a request packet came, and no more for the header timeout");
    assert_eq!(Connection::to(&path).get("/next").text(), "/next");
}

#[test]
fn a_body_nobody_read_ends_the_connection_after_the_whole_response() {
    let (_worker, path) = Start::application(HELLO).listening();
    let mut connection = Connection::to(&path);
    connection.send(&RequestBuilder::new("POST", "/unread").body_len(150_000).encode());
    let response = connection.response();
    assert_eq!(response.names(), ["REQ_RECEIVED", "RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"]);
    assert_eq!(response.text(), "/unread");
    // The rest is taken, not reset, so that a server which is still sending it does not lose the response.
    connection.send(&[b'x'; 150_000]);
    connection.expect_end();
    drop(connection);
    assert_eq!(Connection::to(&path).get("/next").text(), "/next");
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_response_costs_nothing_but_its_response() {
    let source = "def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   try:\n\
        \x20       while environ['PATH_INFO'] == '/endless': yield b'x' * 10000\n\
        \x20       yield b'ok'\n\
        \x20   finally:\n\
        \x20       print('generator closed')\n";
    let (worker, path) = Start::application(source).listening();
    let mut connection = Connection::to(&path);
    let mut response = Response::default();
    connection.send(&RequestBuilder::get("/endless").encode());
    while response.body.len() < 100_000 {
        connection.next(&mut response);
    }
    drop(connection);
    worker.wait_log("generator closed");
    assert_eq!(Connection::to(&path).get("/next").text(), "ok");
    assert!(!worker.log().contains("Traceback"), "{}", worker.log());
}

#[test]
fn a_response_is_complete_although_the_server_aborted_or_half_closed_meanwhile() {
    let source = "import os, time\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   yield b'x'\n\
        \x20   while environ['PATH_INFO'] == '/wait' and not os.path.exists('go'): time.sleep(.005)\n\
        \x20   yield b'x' * 2_000_000\n";
    let (mut worker, path) = Start::application(source).listening();
    for last_words in [&ABORT_REQUEST[..], b""] {
        let mut connection = Connection::to(&path);
        connection.send(&RequestBuilder::get("/wait").encode());
        let mut response = Response::default();
        while response.body.is_empty() {
            connection.next(&mut response);
        }
        connection.send(last_words);
        connection.finish();
        std::fs::write(worker.dir.path().join("go"), "").unwrap();
        let rest = connection.response();
        assert_eq!(response.body.len() + rest.body.len(), 2_000_001);
        connection.expect_end();
        std::fs::remove_file(worker.dir.path().join("go")).unwrap();
        assert_eq!(Connection::to(&path).get("/").body.len(), 2_000_001);
    }
    worker.signal("TERM");
    assert_eq!(worker.wait().code(), Some(0));
    assert!(!worker.log().contains("error:"), "{}", worker.log());
}

#[test]
fn an_application_that_lets_the_error_of_a_lost_write_pass_is_not_blamed_for_it() {
    let source = "def application(environ, start_response):\n\
        \x20   write = start_response('200 OK', [])\n\
        \x20   try:\n\
        \x20       while environ['PATH_INFO'] == '/endless': write(b'x' * 10000)\n\
        \x20   finally:\n\
        \x20       print('over')\n\
        \x20   return [b'ok']\n";
    let (worker, path) = Start::application(source).listening();
    let mut connection = Connection::to(&path);
    connection.send(&RequestBuilder::get("/endless").encode());
    let mut response = Response::default();
    while response.body.is_empty() {
        connection.next(&mut response);
    }
    drop(connection);
    worker.wait_log("over");
    assert_eq!(Connection::to(&path).get("/next").text(), "ok");
    assert!(!worker.log().contains("Traceback"), "{}", worker.log());
}
