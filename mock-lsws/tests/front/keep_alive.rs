//! Connections that stay, and those that do not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit};

use tokio::time::Instant;

use crate::site::Site;

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let site = Site::start().await;
    let mut client = site.client().await;
    for n in 0..3 {
        let response = client.get(&format!("/app/{n}")).await;
        assert_eq!(response.status_line, "HTTP/1.1 200 OK");
        assert_eq!(response.names(), ["content-type", "content-length", "server", "connection"]);
        assert_eq!(response.header("server"), Some("LiteSpeed/1.9.1 Open"));
        assert_eq!(response.header("connection"), Some("Keep-Alive"));
        assert_eq!(response.text(), format!("GET /app/{n}\n"));
    }
    site.server.stop().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let site = Site::start().await;
    let mut client = site.client().await;
    client
        .send(
            "GET /app/1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /py/2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
             POST /py/3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n\
             GET /files/s.txt HTTP/1.1\r\nHost: a\r\n\r\n",
        )
        .await;
    for text in ["GET /app/1\n", "POST /py/2\nabc", "POST /py/3\nde", "static!\n"] {
        assert_eq!(client.response().await.text(), text);
    }
    site.server.stop().await;
}

#[tokio::test]
async fn clients_that_want_it_closed_get_it_closed() {
    let site = Site::start().await;
    for (request, status_line, connection) in [
        ("GET /app/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK", "close"),
        ("GET /app/x HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK", "close"),
        ("GET /files/s.txt HTTP/1.0\r\n\r\n", "HTTP/1.0 200 OK", "close"),
    ] {
        let mut client = site.client().await;
        client.send(request).await;
        let response = client.response().await;
        assert_eq!(response.status_line, status_line, "{request}");
        assert_eq!(response.header("connection"), Some(connection), "{request}");
        client.assert_closed().await;
    }
    site.server.stop().await;
}

#[tokio::test]
async fn an_old_client_can_ask_for_the_connection_to_stay() {
    let site = Site::start().await;
    let mut client = site.client().await;
    for _ in 0..2 {
        client.send("GET /app/x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        assert_eq!(client.response().await.header("connection"), Some("Keep-Alive"));
    }
    site.server.stop().await;
}

#[tokio::test]
async fn a_response_in_parts_is_chunked_and_for_an_old_client_ended_by_the_end() {
    let site = Site::start().await;
    let mut client = site.client().await;
    client.send("GET /app/stream HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!(head.names(), ["content-type", "transfer-encoding", "server", "connection"]);
    assert_eq!(client.chunk().await.as_deref(), Some(&b"one"[..]), "it is there before the rest");
    site.app.let_go();
    assert_eq!(client.chunk().await.as_deref(), Some(&b"two"[..]));
    assert_eq!(client.chunk().await, None);

    let mut client = site.client().await;
    client.send("GET /app/stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    let head = client.head().await;
    assert_eq!(head.names(), ["content-type", "server", "connection"]);
    assert_eq!(head.header("connection"), Some("close"));
    site.app.let_go();
    assert_eq!(client.rest().await, b"onetwo");
    site.server.stop().await;
}

#[tokio::test]
async fn head_gets_no_body_from_anywhere() {
    let site = Site::start().await;
    let mut client = site.client().await;
    for (target, status, length) in [
        ("/app/x", 200, None),
        ("/files/s.txt", 200, Some("8")),
        ("/files/none", 404, None),
        ("/app/y", 200, None),
    ] {
        client.send(format!("HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let head = client.head().await;
        assert_eq!(head.status(), status, "{target}");
        if status == 200 {
            assert_eq!(head.header("content-length"), length, "{target}");
        }
    }
    assert_eq!(client.get("/files/s.txt").await.text(), "static!\n");
    site.server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_keep_alive_timeout() {
    let site = Site::limited(|limits| limits.keep_alive_timeout = Duration::from_secs(1)).await;
    let mut client = site.client().await;
    client.get("/files/s.txt").await;
    let begun = Instant::now();
    client.assert_closed().await;
    assert!(begun.elapsed() > Duration::from_millis(900), "after {:?}", begun.elapsed());
    site.server.stop().await;
}

#[tokio::test]
async fn the_last_request_a_connection_may_carry_says_so() {
    let site = Site::limited(|limits| limits.max_keep_alive_requests = 2).await;
    let mut client = site.client().await;
    assert_eq!(client.get("/files/s.txt").await.header("connection"), Some("Keep-Alive"));
    assert_eq!(client.get("/files/s.txt").await.header("connection"), Some("close"));
    client.assert_closed().await;
    site.server.stop().await;
}

#[tokio::test]
async fn a_half_closed_client_is_served() {
    let site = Site::start().await;
    let mut client = site.client().await;
    client.send("GET /app/hold HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.finish_sending().await;
    site.app.until_requests(1).await;
    site.app.let_go();
    assert_eq!(client.response().await.text(), "held\n");
    client.assert_closed().await;
    site.server.stop().await;
}

#[tokio::test]
async fn a_head_that_takes_too_long_is_cut_off_however_steadily_it_comes() {
    let site = Site::limited(|limits| limits.conn_timeout = Duration::from_secs(1)).await;
    let mut client = site.client().await;
    client.send("GET /app/x HTTP/1.1\r\n").await;
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            more = client.read_more() => {
                assert!(!more, "it is closed without a word");
                break;
            }
            _ = ticks.tick() => {}
        }
        client.send("a").await;
    }
    assert!(begun.elapsed() > Duration::from_millis(900), "after {:?}", begun.elapsed());
    assert_eq!(site.app.requests(), 0);
    site.server.stop().await;
}

#[tokio::test]
async fn a_client_that_says_nothing_is_closed_without_a_word() {
    let site = Site::limited(|limits| limits.conn_timeout = Duration::from_secs(1)).await;
    site.client().await.assert_closed().await;
    let mut client = site.client().await;
    client.finish_sending().await;
    client.assert_closed().await;
    assert_eq!(site.log.text(), "", "there was no request");
    site.server.stop().await;
}

#[tokio::test]
async fn ipv6_clients_are_served() {
    let site = Site::with(|_| {}, |builder| builder.http("[::1]:0".parse().unwrap())).await;
    assert!(site.address().is_ipv6());
    assert_eq!(site.client().await.get("/files/s.txt").await.text(), "static!\n");
    site.server.stop().await;
}

/// More clients than descriptors: those that fit are served, the others wait, and it goes on as soon as there is room.
#[test]
fn a_server_without_descriptors_waits_for_some() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("html")).unwrap();
    std::fs::write(folder.path().join("html/s.txt"), "static!\n").unwrap();
    std::fs::write(folder.path().join("server.toml"), "docRoot = \"html\"\n").unwrap();
    let mut server = Program(
        Command::new(env!("CARGO_BIN_EXE_mock-lsws"))
            .args(["serve", "--http", "127.0.0.1:0", "--config"])
            .arg(folder.path().join("server.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut ready = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let address = ready.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("an address");
    let pid = Pid::from_raw(server.0.id().cast_signed());
    rustix::process::prlimit(pid, Resource::Nofile, Rlimit { current: Some(24), maximum: Some(24) }).unwrap();

    let clients: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(address).unwrap()).collect();
    let mut log = BufReader::new(server.0.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("cannot accept a client")), "it says so");
    drop(clients);
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"GET /s.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    assert!(response.ends_with("\r\n\r\nstatic!\n"), "{response}");
}

/// Ended and reaped, whatever the test comes to.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
