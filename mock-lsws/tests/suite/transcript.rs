//! What passed, as people and programs see it.

use std::io::Write;
use std::os::unix::net::UnixStream;

use lsapi::{REQ_RECEIVED, RESP_END, ResponseHead, pid_notice, put_stderr, put_stream};
use mock_lsws::{
    Connection, Detail, Direction, EntryRecord, HttpRequest, Incoming, Pace, Transcript, within,
};

use crate::support::{LONG, block_on};

/// An exchange in which everything that can be shown happens.
fn exchange() -> Transcript {
    let transcript = Transcript::new();
    transcript.note("a remark");
    block_on(async {
        let (ours, mut app) = UnixStream::pair().unwrap();
        let mut connection = Connection::from_socket(ours, &transcript).unwrap();
        let request = HttpRequest::new("POST", "/hello?x=1").header("Host", "example.com").header("X-Y", "z");
        connection.send_request(&request.body("a=b").to_raw(), b"a=b").await.unwrap();
        connection.send_paced(b"LS\x01", &Pace::split([2])).await.unwrap();

        let mut answer = REQ_RECEIVED.to_vec();
        answer.extend(pid_notice(4711));
        let mut head = ResponseHead::default();
        head.push(b"Content-Type", b"text/plain").unwrap();
        head.encode(200, &mut answer).unwrap();
        put_stream(b"hello, \"world\"\n", &mut answer);
        put_stderr(&[b'x'; 100], &mut answer);
        answer.extend(RESP_END);
        answer.extend(b"nonsense");
        app.write_all(&answer).unwrap();
        while let Incoming::Packet(_) = connection.next_packet(within(LONG)).await {}
        connection.close();
    });
    transcript
}

#[test]
fn names_come_in_order_with_direction_and_time() {
    let text = exchange().render(Detail::Names);
    let lines: Vec<_> = text.lines().map(|line| line.split_once(" ms ").unwrap().1).collect();
    let expected = [
        "-- NOTE",
        "-- CONNECTED",
        "-> BEGIN_REQUEST",
        "-> PIECE",
        "-> PIECE",
        "<- REQ_RECEIVED",
        "<- STDERR_STREAM",
        "<- RESP_HEADER",
        "<- RESP_STREAM",
        "<- STDERR_STREAM",
        "<- RESP_END",
        "<- INVALID BYTES",
        "-> CLOSE",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn decoded_entries_show_what_is_in_them() {
    let transcript = exchange();
    let text = transcript.to_string();
    for expected in [
        "NOTE  a remark",
        "BEGIN_REQUEST  POST /hello?x=1, body of 3 bytes, ",
        "script name \"\", script file absent, query \"x=1\"",
        "env SERVER_NAME=example.com",
        "env PATH_INFO=/hello",
        "header Host: example.com",
        "header X-Y: z",
        "followed by 3 bytes \"a=b\"",
        "PIECE  1 of 2, 2 bytes \"LS\"",
        "STDERR_STREAM  PID notice, pid 4711",
        "RESP_HEADER  status 200, 1 header\n",
        "Content-Type: text/plain\n",
        "RESP_STREAM  15 bytes \"hello, \\\"world\\\"\\n\"",
        "STDERR_STREAM  100 bytes \"xxxxxxxxxx",
        "x\"...",
        "INVALID BYTES  8 bytes: versionB = 110 at offset 0",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    assert!(!text.contains("0000  4c 53"), "no hex at this level");
}

#[test]
fn the_third_level_adds_the_bytes() {
    let text = exchange().render(Detail::Hex);
    assert!(text.contains("0000  4c 53 05 00 08 00 00 00  "), "{text}");
    assert!(text.contains("|LS......hello, \"|"), "{text}");
    assert!(text.contains("6e 6f 6e 73 65 6e 73 65  ") && text.contains("|nonsense|"), "{text}");
}

#[test]
fn records_survive_json_and_carry_every_byte() {
    let entries = exchange().entries();
    let records: Vec<EntryRecord> = entries.iter().map(EntryRecord::from).collect();
    let json = serde_json::to_string(&records).unwrap();
    assert_eq!(serde_json::from_str::<Vec<EntryRecord>>(&json).unwrap(), records);
    let end = records.iter().find(|record| record.name == "RESP_END").unwrap();
    assert_eq!((end.direction, end.connection, end.length), (Direction::Received, 1, 8));
    assert_eq!(end.bytes.len(), 16);
    for (record, entry) in records.iter().zip(&entries) {
        assert_eq!(record.bytes.len(), 2 * entry.event.bytes().map_or(0, |bytes| bytes.kept().len()));
    }
    assert!(records.is_sorted_by_key(|record| record.at_us));
}

#[test]
fn bytes_sent_that_are_no_packet_are_shown_as_such() {
    let transcript = Transcript::new();
    block_on(async {
        let (ours, _app) = UnixStream::pair().unwrap();
        let mut connection = Connection::from_socket(ours, &transcript).unwrap();
        connection.send(b"GET / HTTP/1.1\r\n").await.unwrap();
        connection.send(&lsapi::ABORT_REQUEST).await.unwrap();
        let request = HttpRequest::new("GET", "/").to_raw().encode();
        connection.send(&request[..20]).await.unwrap();
    });
    let text = transcript.to_string();
    assert!(text.contains("RAW BYTES  16 bytes, not a right packet: versionB = 71"), "{text}");
    assert!(text.contains("-> ABORT_REQUEST"), "{text}");
    assert!(text.contains("-> BEGIN_REQUEST  the start of "), "{text}");
}

#[test]
fn connections_after_the_first_carry_their_number() {
    let transcript = Transcript::new();
    block_on(async {
        for _ in 0..2 {
            let (ours, _app) = UnixStream::pair().unwrap();
            Connection::from_socket(ours, &transcript).unwrap().close();
        }
    });
    let text = transcript.render(Detail::Names);
    assert!(text.contains("-- CONNECTED") && text.contains("-- #2 CONNECTED"), "{text}");
}
