//! What a response is made of, and what is found wrong with it.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use lsapi::{ByteOrder, CONN_CLOSE, PacketHeader, PacketType, REQ_RECEIVED, RESP_END, pid_notice};
use mock_lsws::{Ack, ConnClose, Connection, End, Response, Severity, Transcript, Violation, within};

use crate::support::block_on;

/// The response an application gives that sends these bytes and then nothing.
fn response(parts: &[&[u8]]) -> Response {
    block_on(async {
        let (ours, mut app) = UnixStream::pair().unwrap();
        app.write_all(&parts.concat()).unwrap();
        let mut connection = Connection::from_socket(ours, &Transcript::new()).unwrap();
        connection.read_response(within(Duration::from_millis(10))).await
    })
}

fn packet(ty: PacketType, payload: &[u8]) -> Vec<u8> {
    [&PacketHeader::new(ty, payload.len()).encode()[..], payload].concat()
}

/// A RESP_HEADER whose lines are taken as they are, terminators and lengths included.
fn raw_head(status: i32, lines: &[(&[u8], i16)]) -> Vec<u8> {
    let order = ByteOrder::NATIVE;
    let mut payload = order.i32_bytes(i32::try_from(lines.len()).unwrap()).to_vec();
    payload.extend(order.i32_bytes(status));
    lines.iter().for_each(|(_, len)| payload.extend(order.u16_bytes(len.cast_unsigned())));
    lines.iter().for_each(|(line, _)| payload.extend(*line));
    packet(PacketType::RespHeader, &payload)
}

fn head(status: i32, lines: &[&[u8]]) -> Vec<u8> {
    let lines: Vec<_> = lines.iter().map(|line| (*line, i16::try_from(line.len()).unwrap())).collect();
    raw_head(status, &lines)
}

fn stream(body: &[u8]) -> Vec<u8> {
    packet(PacketType::RespStream, body)
}

#[test]
fn a_right_response_has_all_its_parts_and_nothing_wrong() {
    let response = response(&[
        &REQ_RECEIVED,
        &packet(PacketType::StderrStream, b"log "),
        &head(404, &[b"Content-Type: text/html\0", b"set-cookie:a\0", b"Set-Cookie: b \0"]),
        &stream(b"ab"),
        &stream(b""),
        &packet(PacketType::StderrStream, b"text"),
        &stream(b"c\0\xff"),
        &CONN_CLOSE,
        &RESP_END,
    ]);
    assert_eq!((response.ack, response.status, response.http_status()), (Ack::Received, Some(404), 404));
    assert_eq!((response.body.as_slice(), response.stderr.as_slice()), (&b"abc\0\xff"[..], &b"log text"[..]));
    assert_eq!(response.header("content-type"), Some(&b"text/html"[..]));
    assert_eq!(response.all_headers("Set-Cookie").collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(response.conn_close, Some(ConnClose::BeforeEnd));
    assert!(response.is_complete() && !response.is_broken());
    assert_eq!(response.violations(), []);
    assert_eq!(response.packets.len(), 9);
}

#[test]
fn a_pid_notice_acknowledges_and_conn_close_may_follow_the_end() {
    let parts = [&pid_notice(77)[..], &head(0, &[b"A: b\0"]), &RESP_END, &CONN_CLOSE];
    let response = response(&parts);
    assert_eq!((response.ack, response.conn_close), (Ack::Pid(77), Some(ConnClose::AfterEnd)));
    assert_eq!((response.status, response.http_status()), (Some(0), 200));
    assert_eq!((response.violations(), response.stderr.len()), (&[][..], 0));
}

#[test]
fn every_broken_rule_is_named() {
    use Violation::*;
    let good = || head(200, &[b"A: b\0"]);
    let ack = || REQ_RECEIVED.to_vec();
    let end = || RESP_END.to_vec();
    let foreign =
        PacketHeader { flag: ByteOrder::NATIVE_FLAG ^ 1, ..PacketHeader::new(PacketType::RespEnd, 0) };
    let cases: Vec<(Vec<Vec<u8>>, Vec<Violation>)> = vec![
        (vec![good(), end()], vec![NotAcknowledged]),
        (vec![ack(), ack(), good(), end()], vec![AcknowledgedTwice]),
        (vec![good(), ack(), end()], vec![AcknowledgedLate]),
        (vec![ack(), end()], vec![EndBeforeHeader]),
        (vec![ack(), stream(b"x"), end()], vec![StreamBeforeHeader, EndBeforeHeader]),
        (vec![ack(), stream(b"x"), good(), end()], vec![StreamBeforeHeader, HeaderAfterStream]),
        (vec![ack(), good(), good(), end()], vec![SecondHeader]),
        (vec![ack(), head(200, &[]), end()], vec![NoHeaderLines]),
        (vec![ack(), head(200, &[b"A: b"]), end()], vec![LineWithoutNul { index: 0 }]),
        (vec![ack(), head(200, &[b"A: b\0", b"nothing\0"]), end()], vec![LineWithoutColon { index: 1 }]),
        (vec![ack(), head(200, &[b"A: b\r\nC: d\0"]), end()], vec![LineBreakInLine { index: 0 }]),
        (vec![ack(), head(200, &[b"A: b\0", b"\0"]), end()], vec![]),
        (
            vec![ack(), raw_head(200, &[(b"A: b\0", 5), (b"", 0)]), end()],
            vec![LineLength { index: 1, len: 0 }],
        ),
        (
            vec![ack(), raw_head(200, &[(b"A: b\0", 5), (b"", -3)]), end()],
            vec![LengthsDoNotAddUp { surplus: 3 }, LineLength { index: 1, len: -3 }],
        ),
        (vec![ack(), raw_head(200, &[(b"A: b\0xy", 5)]), end()], vec![LengthsDoNotAddUp { surplus: 2 }]),
        (vec![ack(), raw_head(200, &[(b"A: b\0", 9)]), end()], vec![LengthsDoNotAddUp { surplus: -4 }]),
        (vec![ack(), good(), end(), stream(b"x")], vec![AfterEnd { packet: PacketType::RespStream }]),
        (vec![ack(), good(), end(), end()], vec![AfterEnd { packet: PacketType::RespEnd }]),
        (
            vec![ack(), good(), foreign.encode().to_vec()],
            vec![ForeignByteOrder { packet: PacketType::RespEnd }],
        ),
    ];
    for (parts, expected) in cases {
        let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
        let response = response(&parts);
        assert_eq!(response.violations(), expected, "{parts:?}");
        let breaks = expected.iter().any(|violation| violation.severity() == Severity::Breaks);
        assert_eq!(response.is_broken(), breaks, "{expected:?}");
        assert!(expected.iter().all(|violation| !violation.to_string().is_empty()));
    }
}

#[test]
fn what_did_not_end_says_how() {
    let unfinished = [&REQ_RECEIVED[..], &head(200, &[b"A: b\0"]), &stream(b"half")];
    let timed_out = response(&unfinished);
    assert_eq!((timed_out.end, timed_out.body.as_slice()), (End::TimedOut, &b"half"[..]));
    let broken = [&unfinished[..], &[b"garbage"]].concat();
    assert!(matches!(response(&broken).end, End::Invalid(_)));

    let (ours, mut app) = UnixStream::pair().unwrap();
    app.write_all(&unfinished.concat()).unwrap();
    drop(app);
    let cut_off = block_on(async {
        let mut connection = Connection::from_socket(ours, &Transcript::new()).unwrap();
        connection.read_response(within(crate::support::LONG)).await
    });
    assert_eq!(cut_off.end, End::Eof);
}

#[test]
fn statuses_that_are_none_count_as_200() {
    for (sent, taken) in [(0, 200), (99, 200), (100, 100), (599, 599), (1000, 200), (-1, 200), (65_736, 200)]
    {
        let response = response(&[&REQ_RECEIVED, &head(sent, &[b"A: b\0"]), &RESP_END]);
        assert_eq!((response.status, response.http_status()), (Some(sent), taken));
    }
}
