//! A connection tells apart everything an application can do to it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use lsapi::{AppPacket, PacketType, RequestBuilder};
use mock_lsws::{
    Address, Connection, DEFAULT_BACKLOG, End, Event, Incoming, Listener, Pace, SendError, SentKind,
    Transcript, within,
};

use crate::support::{LONG, block_on, eventually};

/// A connection, and the application's end of it.
fn pair() -> (Connection, UnixStream, Transcript) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let transcript = Transcript::new();
    (Connection::from_socket(ours, &transcript).unwrap(), theirs, transcript)
}

async fn next(connection: &mut Connection) -> Incoming {
    connection.next_packet(within(LONG)).await
}

/// A limit that has nothing to wait for.
fn at_once() -> tokio::time::Instant {
    within(Duration::ZERO)
}

#[test]
fn packets_arrive_whole_however_they_were_cut() {
    block_on(async {
        let (mut connection, mut app, _) = pair();
        let mut bytes = lsapi::REQ_RECEIVED.to_vec();
        lsapi::put_stream(b"hello", &mut bytes);
        bytes.extend(lsapi::RESP_END);
        let writer = thread::spawn(move || {
            for byte in bytes {
                app.write_all(&[byte]).unwrap();
            }
            app
        });
        for expected in [PacketType::ReqReceived, PacketType::RespStream, PacketType::RespEnd] {
            let packet = next(&mut connection).await.packet().unwrap();
            assert_eq!(packet.packet_type(), expected);
            if expected == PacketType::RespStream {
                assert_eq!(packet.decode(), AppPacket::RespStream(b"hello"));
            }
        }
        drop(writer.join().unwrap());
        assert_eq!(next(&mut connection).await, Incoming::Eof { partial: 0 });
    });
}

#[test]
fn an_end_inside_a_packet_says_how_much_of_it_came() {
    block_on(async {
        let (mut connection, mut app, transcript) = pair();
        app.write_all(&lsapi::RESP_END).unwrap();
        app.write_all(b"LS\x04\0\xff").unwrap();
        drop(app);
        assert!(next(&mut connection).await.packet().is_some());
        for _ in 0..2 {
            assert_eq!(next(&mut connection).await, Incoming::Eof { partial: 5 });
        }
        let last = transcript.entries().pop().unwrap().event;
        assert_eq!(last.bytes().unwrap().kept(), b"LS\x04\0\xff");
    });
}

#[test]
fn a_close_with_unread_bytes_is_a_reset() {
    block_on(async {
        let (mut connection, app, _) = pair();
        connection.send(b"never read").await.unwrap();
        drop(app);
        assert_eq!(next(&mut connection).await, Incoming::Reset { partial: 0 });
    });
}

#[test]
fn silence_is_a_timeout_and_not_final() {
    block_on(async {
        let (mut connection, mut app, _) = pair();
        app.write_all(b"LS").unwrap();
        assert_eq!(connection.next_packet(within(Duration::from_millis(20))).await, Incoming::TimedOut);
        app.write_all(&lsapi::RESP_END[2..]).unwrap();
        assert_eq!(next(&mut connection).await.packet().unwrap().packet_type(), PacketType::RespEnd);
    });
}

#[test]
fn a_deadline_that_has_passed_loses_nothing_that_was_there() {
    block_on(async {
        let (mut connection, mut app, _) = pair();
        app.write_all(&lsapi::RESP_END).unwrap();
        assert!(connection.next_packet(at_once()).await.packet().is_some());
        assert_eq!(connection.next_packet(at_once()).await, Incoming::TimedOut);
    });
}

/// An application that sends `packet` without end until nobody is there any more.
fn flood(packet: &[u8]) -> (Connection, thread::JoinHandle<()>) {
    let (connection, mut app, _) = pair();
    let bytes = packet.repeat(10_000);
    (connection, thread::spawn(move || while app.write_all(&bytes).is_ok() {}))
}

#[test]
fn packets_without_end_do_not_outlast_a_deadline() {
    for packet in [&lsapi::REQ_RECEIVED[..], &lsapi::PacketHeader::new(PacketType::RespStream, 0).encode()] {
        block_on(async {
            let (mut connection, app) = flood(packet);
            let response = connection.read_response(within(Duration::from_millis(200))).await;
            assert_eq!(response.end, End::TimedOut);
            drop(connection);
            app.join().unwrap();
        });
    }
}

#[test]
fn packets_without_end_leave_others_their_turn() {
    block_on(async {
        let (mut connection, app) = flood(&lsapi::REQ_RECEIVED);
        let forever = async { while let Incoming::Packet(_) = next(&mut connection).await {} };
        assert!(tokio::time::timeout(Duration::from_millis(200), forever).await.is_err());
        drop(connection);
        app.join().unwrap();
    });
}

#[test]
fn packets_nobody_asks_for_are_not_taken_in_without_end() {
    block_on(async {
        let (ours, mut app) = UnixStream::pair().unwrap();
        let transcript = Transcript::new();
        let mut connection = Connection::from_socket(ours, &transcript).unwrap();
        let packets = lsapi::REQ_RECEIVED.repeat(10_000);
        let sender = thread::spawn(move || {
            app.set_write_timeout(Some(Duration::from_secs(3))).unwrap();
            // Far more than is kept; at some point the sender has to wait.
            (0..10_000).find(|_| app.write_all(&packets).is_err())
        });
        while !sender.is_finished() {
            connection.pause(Duration::from_millis(50)).await;
        }
        assert!(sender.join().unwrap().is_some(), "all was taken in");
        // And what was taken in is there, and the rest comes when it is asked for.
        for _ in 0..10_000 {
            assert!(matches!(connection.next_packet(at_once()).await, Incoming::Packet(_)));
        }
    });
}

#[test]
fn bytes_that_are_no_packet_end_the_looking() {
    for (bytes, what) in [
        (&b"HTTP/1.1 200 OK\r\n"[..], "versionB"),
        (b"LS\x01\0\x08\0\0\0", "type"),
        (b"LS\x05\0\x09\0\0\0x", "packetLen"),
        (b"LS\x04\0\xff\xff\xff\xff", "packetLen"),
    ] {
        block_on(async {
            let (mut connection, mut app, transcript) = pair();
            app.write_all(&lsapi::REQ_RECEIVED).unwrap();
            app.write_all(bytes).unwrap();
            app.write_all(&lsapi::RESP_END).unwrap();
            assert!(next(&mut connection).await.packet().is_some());
            let Incoming::Invalid(invalid) = next(&mut connection).await else { panic!("{bytes:?}") };
            assert_eq!(invalid.field, what);
            assert!(matches!(next(&mut connection).await, Incoming::Invalid(_)));
            let kept = transcript.entries().iter().any(|entry| {
                matches!(&entry.event, Event::Invalid { bytes: seen, .. } if seen.kept().starts_with(bytes))
            });
            assert!(kept, "{transcript}");
        });
    }
}

#[test]
fn a_body_flows_both_ways_at_once() {
    block_on(async {
        let (mut connection, mut app, _) = pair();
        let body = vec![7; 4 << 20];
        let request = RequestBuilder::new("POST", "/").body_len(body.len() as u64).build();
        let len = request.encode().len() + body.len();
        // Echoes before it has read everything: neither side can get on unless the other reads.
        let echo = thread::spawn(move || {
            let mut left = len;
            let mut buf = vec![0; 10_000];
            while left > 0 {
                let read = app.read(&mut buf).unwrap();
                left -= read;
                let mut out = Vec::new();
                lsapi::put_stream(&buf[..read], &mut out);
                app.write_all(&out).unwrap();
            }
            app.write_all(&lsapi::RESP_END).unwrap();
            app
        });
        connection.send_request(&request, &body).await.unwrap();
        let response = connection.read_response(within(LONG)).await;
        assert!(response.is_complete());
        assert_eq!(response.body.len(), len);
        assert!(response.body.ends_with(&body));
        drop(echo.join().unwrap());
    });
}

#[test]
fn a_body_may_be_sent_after_its_packet_and_the_transcript_tells_them_apart() {
    block_on(async {
        let (mut connection, mut app, transcript) = pair();
        let packet = RequestBuilder::new("POST", "/").body_len(5).build();
        connection.send_request(&packet, b"").await.unwrap();
        connection.send_body(b"hello").await.unwrap();
        connection.half_close().unwrap();
        let mut received = Vec::new();
        app.read_to_end(&mut received).unwrap();
        assert_eq!(received, [&packet.encode()[..], b"hello"].concat());
        let kinds: Vec<_> = transcript
            .entries()
            .into_iter()
            .filter_map(|entry| match entry.event {
                Event::Sent { kind, .. } => Some(kind),
                _ => None,
            })
            .collect();
        assert_eq!(kinds, [SentKind::Request, SentKind::Body]);
    });
}

#[test]
fn a_send_nobody_reads_is_given_up() {
    block_on(async {
        let (mut connection, app, _) = pair();
        connection.set_send_limit(Duration::from_millis(20));
        let error = connection.send(&vec![0; 16 << 20]).await.unwrap_err();
        assert!(matches!(error, SendError::TimedOut { sent: 1.., of } if of == 16 << 20), "{error}");
        drop(app);
    });
}

#[test]
fn without_reading_while_sending_the_application_has_to_wait() {
    block_on(async {
        let (mut connection, mut app, _) = pair();
        connection.read_while_sending(false);
        connection.set_send_limit(Duration::from_millis(50));
        let mut answer = Vec::new();
        lsapi::put_stream(&vec![1; 8 << 20], &mut answer);
        let writer = thread::spawn(move || app.write_all(&answer));
        // Both buffers are full now, and stay so.
        assert!(matches!(connection.send(&vec![0; 8 << 20]).await, Err(SendError::TimedOut { .. })));
        connection.close();
        assert!(writer.join().unwrap().is_err(), "it was still writing when the connection was closed");
    });
}

#[test]
fn sending_to_nobody_is_told_apart_from_other_failures() {
    block_on(async {
        let (mut connection, app, _) = pair();
        drop(app);
        let error = connection.send(b"x").await.unwrap_err();
        assert!(matches!(error, SendError::Closed { sent: 0, of: 1 }), "{error}");
    });
}

#[test]
fn pieces_arrive_one_by_one() {
    block_on(async {
        let (mut connection, mut app, transcript) = pair();
        let reader = thread::spawn(move || {
            let mut text = String::new();
            app.read_to_string(&mut text).unwrap();
            text
        });
        connection.send_paced(b"abcdefgh", &Pace::drip(3, Duration::from_millis(1))).await.unwrap();
        connection.half_close().unwrap();
        assert_eq!(reader.join().unwrap(), "abcdefgh");
        let times: Vec<_> = transcript
            .entries()
            .into_iter()
            .filter(|entry| entry.event.bytes().is_some())
            .map(|entry| (entry.at, entry.event.bytes().unwrap().len()))
            .collect();
        let lengths: Vec<_> = times.iter().map(|(_, len)| *len).filter(|len| *len > 0).collect();
        assert_eq!(lengths, [3, 3, 2]);
        assert!(times[1].0 - times[0].0 >= Duration::from_millis(1), "{times:?}");
    });
}

#[test]
fn half_close_leaves_the_other_way_open() {
    block_on(async {
        let (mut connection, mut app, _) = pair();
        connection.half_close().unwrap();
        let mut rest = Vec::new();
        app.read_to_end(&mut rest).unwrap();
        app.write_all(&lsapi::RESP_END).unwrap();
        assert!(next(&mut connection).await.packet().is_some());
    });
}

#[test]
fn an_application_that_only_stops_sending_can_still_be_sent_to() {
    block_on(async {
        let (mut connection, mut app, _) = pair();
        app.shutdown(Shutdown::Write).unwrap();
        assert_eq!(next(&mut connection).await, Incoming::Eof { partial: 0 });
        connection.send(b"still here").await.unwrap();
        connection.close();
        let mut text = String::new();
        app.read_to_string(&mut text).unwrap();
        assert_eq!(text, "still here");
    });
}

#[test]
fn an_abort_is_its_packet_and_the_end() {
    block_on(async {
        let (connection, mut app, _) = pair();
        connection.abort();
        let mut bytes = Vec::new();
        app.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, lsapi::ABORT_REQUEST);
    });
}

#[test]
fn a_reset_is_seen_over_tcp_always_and_over_unix_with_unread_bytes() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::from(listener.local_addr().unwrap());
        let connection = Connection::connect(&address, &Transcript::new()).await.unwrap();
        assert!(connection.is_tcp() && connection.local_address().is_some());
        let (mut app, _): (TcpStream, _) = listener.accept().unwrap();
        assert!(connection.reset().unwrap());
        assert_eq!(app.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);

        let (connection, mut app, _) = pair();
        assert!(!connection.reset().unwrap());
        assert_eq!(app.read(&mut [0]).unwrap(), 0);

        let (connection, mut app, _) = pair();
        app.write_all(b"unread").unwrap();
        assert!(connection.reset().unwrap());
        assert_eq!(app.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_reset_by_the_application_over_tcp_is_told() {
    block_on(async {
        let listener = Listener::tcp("127.0.0.1:0".parse().unwrap(), DEFAULT_BACKLOG).unwrap();
        let accept = TcpListener::from(listener.share().unwrap());
        let mut connection = Connection::connect(listener.address(), &Transcript::new()).await.unwrap();
        let (app, _) = accept.accept().unwrap();
        rustix::net::sockopt::set_socket_linger(&app, Some(Duration::ZERO)).unwrap();
        drop(app);
        assert_eq!(next(&mut connection).await, Incoming::Reset { partial: 0 });
    });
}

#[test]
fn connecting_to_nobody_names_the_address() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nobody.sock");
        let error = Connection::connect(&Address::Unix(path.clone()), &Transcript::new()).await.unwrap_err();
        assert!(error.to_string().contains("nobody.sock"), "{error}");
        assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound);
    });
}

#[test]
fn what_arrives_during_a_pause_has_the_time_it_arrived_at() {
    block_on(async {
        let (mut connection, mut app, transcript) = pair();
        app.write_all(&lsapi::REQ_RECEIVED).unwrap();
        connection.pause(Duration::from_millis(50)).await;
        let packet = next(&mut connection).await.packet().unwrap();
        assert!(packet.at() + Duration::from_millis(40) <= transcript.elapsed(), "{packet:?}");
    });
}

#[test]
fn closing_is_seen_by_the_application() {
    let (connection, mut app, _) = block_on(async { pair() });
    connection.close();
    eventually("the end", || (app.read(&mut [0]).ok()? == 0).then_some(()));
}
