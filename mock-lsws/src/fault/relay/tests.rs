use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::fault::{DirectedFault, Direction, Faults};

/// Nothing a test waits for takes this long.
const LONG: Duration = Duration::from_secs(30);

/// The server's end and the application's of a connection with this fault.
fn ends(fault: &str) -> (Socket, UnixStream) {
    let (app, theirs) = StdStream::pair().unwrap();
    app.set_nonblocking(true).unwrap();
    let server = Faults::parse([fault]).unwrap().wrap(theirs.into()).unwrap();
    (Socket::new(server).unwrap(), UnixStream::from_std(app).unwrap())
}

/// One end as a stream, whatever kind of socket it is.
fn stream(socket: &Socket) -> UnixStream {
    let fd: OwnedFd = socket.try_clone_fd().unwrap();
    let stream = StdStream::from(fd);
    stream.set_nonblocking(true).unwrap();
    UnixStream::from_std(stream).unwrap()
}

/// The end that sends in the direction of `fault`, and the one that receives.
fn sender_and_receiver(fault: &str) -> (UnixStream, UnixStream) {
    let (server, app) = ends(fault);
    let direction = fault.parse::<DirectedFault>().unwrap().direction;
    let server = stream(&server);
    if direction == Direction::App { (server, app) } else { (app, server) }
}

/// A fault in both directions.
fn both(fault: &str) -> [String; 2] {
    ["app", "server"].map(|direction| format!("{direction}:{fault}"))
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(LONG, what).await.expect("it takes too long")
}

/// Everything up to the end, or the error instead of it.
async fn rest(receiver: &mut UnixStream) -> (Vec<u8>, Option<io::ErrorKind>) {
    let mut bytes = Vec::new();
    let ended = soon(receiver.read_to_end(&mut bytes)).await;
    (bytes, ended.err().map(|error| error.kind()))
}

async fn exactly(receiver: &mut UnixStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    soon(receiver.read_exact(&mut bytes)).await.unwrap();
    bytes
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn faults_that_keep_bytes_keep_every_one_of_them() {
    for kind in ["latency=2ms~1ms", "bandwidth=3M", "slice=100", "duplicate=9", "cut=1M", "corrupt=900K"] {
        for fault in both(&kind.replace("900K", "900000")) {
            let (mut sender, mut receiver) = sender_and_receiver(&fault);
            let sent = bytes(300_000);
            let (sending, sent) = (sent.clone(), sent);
            let writer = tokio::spawn(async move {
                // Also in the smallest pieces there are.
                for byte in &sending[..50] {
                    sender.write_all(&[*byte]).await.unwrap();
                }
                sender.write_all(&sending[50..]).await.unwrap();
                sender.shutdown().await.unwrap();
                sender
            });
            let (got, error) = rest(&mut receiver).await;
            assert!(got == sent && error.is_none(), "{fault}: {} bytes, {error:?}", got.len());
            // The other direction is open still.
            receiver.write_all(b"answer").await.unwrap();
            let mut sender = writer.await.unwrap();
            assert_eq!(exactly(&mut sender, 6).await, b"answer", "{fault}");
            drop(receiver);
            assert_eq!(rest(&mut sender).await.0, b"", "{fault}");
        }
    }
}

#[tokio::test]
async fn latency_delays_what_comes_and_not_what_is_sent() {
    for fault in both("latency=200ms") {
        let (mut sender, mut receiver) = sender_and_receiver(&fault);
        let begun = Instant::now();
        for _ in 0..10 {
            sender.write_all(b"x").await.unwrap();
        }
        assert!(begun.elapsed() < Duration::from_millis(200), "the sender does not wait");
        exactly(&mut receiver, 10).await;
        assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn bandwidth_limits_the_rate() {
    for fault in both("bandwidth=100000") {
        let (mut sender, mut receiver) = sender_and_receiver(&fault);
        let begun = Instant::now();
        let writer = tokio::spawn(async move {
            sender.write_all(&bytes(30_000)).await.unwrap();
            sender
        });
        exactly(&mut receiver, 30_000).await;
        // The last piece is not waited for.
        assert!(begun.elapsed() >= Duration::from_millis(270), "{:?}", begun.elapsed());
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn a_corrupt_byte_and_a_packet_that_comes_twice() {
    for fault in both("corrupt=2^ff") {
        let (mut sender, mut receiver) = sender_and_receiver(&fault);
        sender.write_all(b"abcd").await.unwrap();
        assert_eq!(exactly(&mut receiver, 4).await, [b'a', b'b', !b'c', b'd']);
    }
    for fault in both("duplicate=*") {
        let (mut sender, mut receiver) = sender_and_receiver(&fault);
        sender.write_all(&lsapi::RESP_END).await.unwrap();
        assert_eq!(exactly(&mut receiver, 16).await, lsapi::RESP_END.repeat(2));
    }
}

#[tokio::test]
async fn a_cut_connection_ends_for_both_after_the_bytes_before_it() {
    for fault in both("cut=5") {
        let (mut sender, mut receiver) = sender_and_receiver(&fault);
        sender.write_all(b"abcdefgh").await.unwrap();
        let (got, error) = rest(&mut receiver).await;
        assert_eq!((got.as_slice(), error), (&b"abcde"[..], None), "{fault}");
        let ended = rest(&mut sender).await;
        assert!(ended.0.is_empty(), "{fault}: {ended:?}");
    }
}

#[tokio::test]
async fn a_reset_is_one() {
    for fault in both("reset=5") {
        let (mut sender, mut receiver) = sender_and_receiver(&fault);
        // What the receiver has sent arrives, in pieces and whole.
        for said in ["x", "hello", "1", "22"] {
            receiver.write_all(said.as_bytes()).await.unwrap();
            assert_eq!(exactly(&mut sender, said.len()).await, said.as_bytes(), "{fault}");
        }
        let begun = Instant::now();
        sender.write_all(b"abcdefgh").await.unwrap();
        let (_, error) = rest(&mut receiver).await;
        assert_eq!(error, Some(io::ErrorKind::ConnectionReset), "{fault}");
        assert!(begun.elapsed() < RESET_LIMIT, "at once: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn where_a_reset_is_to_come_an_end_is_still_an_end() {
    for fault in both("reset=100") {
        for says_something in [true, false] {
            let (mut sender, mut receiver) = sender_and_receiver(&fault);
            if says_something {
                receiver.write_all(b"answer").await.unwrap();
            }
            receiver.shutdown().await.unwrap();
            let expected: &[u8] = if says_something { b"answer" } else { b"" };
            assert_eq!(rest(&mut sender).await, (expected.to_vec(), None), "{fault}");
            sender.write_all(b"more").await.unwrap();
            assert_eq!(exactly(&mut receiver, 4).await, b"more", "{fault}");
        }
    }
}

#[tokio::test]
async fn a_cut_is_no_reset_whatever_is_unread() {
    for fault in both("cut=5") {
        let (mut sender, mut receiver) = sender_and_receiver(&fault);
        receiver.write_all(&bytes(100_000)).await.unwrap();
        sender.write_all(&bytes(100_000)).await.unwrap();
        assert_eq!(rest(&mut receiver).await, (bytes(5), None), "{fault}");
        assert_eq!(rest(&mut sender).await.1, None, "{fault}");
    }
}

#[tokio::test]
async fn a_half_that_is_closed_ends_one_direction_only() {
    for fault in both("half-close=3") {
        let (mut sender, mut receiver) = sender_and_receiver(&fault);
        sender.write_all(b"abcdefgh").await.unwrap();
        assert_eq!(rest(&mut receiver).await, (b"abc".to_vec(), None));
        // What is still sent is taken, and lost.
        sender.write_all(&bytes(500_000)).await.unwrap();
        receiver.write_all(b"answer").await.unwrap();
        assert_eq!(exactly(&mut sender, 6).await, b"answer", "{fault}");
    }
}

#[tokio::test]
async fn what_is_never_read_stands_still_until_the_sender_leaves() {
    for fault in both("never-read=3") {
        let (mut sender, mut receiver) = sender_and_receiver(&fault);
        sender.write_all(b"abcdefgh").await.unwrap();
        // What was taken with them is gone; the next writes fill the socket.
        let full = timeout(Duration::from_millis(300), sender.write_all(&bytes(4 << 20))).await;
        assert!(full.is_err(), "nobody takes it");
        assert_eq!(exactly(&mut receiver, 3).await, b"abc");
        receiver.write_all(b"answer").await.unwrap();
        assert_eq!(exactly(&mut sender, 6).await, b"answer", "{fault}");
        drop(sender);
        assert!(rest(&mut receiver).await.0.is_empty(), "{fault}");
    }
}

#[tokio::test]
async fn an_end_that_is_gone_takes_the_relay_with_it() {
    for fault in both("latency=1ms") {
        for app_first in [true, false] {
            let (server, app) = ends(&fault);
            let mut left = if app_first {
                drop(app);
                stream(&server)
            } else {
                drop(server);
                app
            };
            let (bytes, _) = rest(&mut left).await;
            assert!(bytes.is_empty());
            let broken = async { while left.write_all(b"x").await.is_ok() {} };
            soon(broken).await;
        }
    }
}

#[tokio::test]
async fn a_reset_of_one_end_is_one_for_the_other() {
    let (server, mut app) = ends("app:latency=1ms");
    let mut server = stream(&server);
    app.write_all(b"one").await.unwrap();
    assert_eq!(exactly(&mut server, 3).await, b"one");
    // Closed with bytes unread.
    server.write_all(b"unread").await.unwrap();
    soon(app.readable()).await.unwrap();
    drop(app);
    server.write_all(b"x").await.ok();
    let (_, error) = rest(&mut server).await;
    assert!(matches!(error, None | Some(io::ErrorKind::ConnectionReset)), "{error:?}");
}
