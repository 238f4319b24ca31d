//! Stopping, while something is under way.

use std::time::Duration;

use mock_lsws::MockServer;
use mock_lsws::config::{Context, ExternalApp, ServerConfig};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::client::Client;
use crate::site::Site;

#[tokio::test]
async fn a_request_under_way_is_finished_and_nothing_new_is_taken() {
    let site = Site::with(|_| {}, |builder| builder.grace(Duration::from_secs(20))).await;
    let Site { server, app, .. } = site;
    let address = server.address();
    let mut client = Client::connect(address).await;
    client.send("GET /app/hold HTTP/1.1\r\nHost: a\r\n\r\n").await;
    app.until_requests(1).await;
    let mut idle = Client::connect(address).await;
    idle.get("/files/s.txt").await;

    let stopping = tokio::spawn(server.stop());
    idle.assert_closed().await;
    app.let_go();
    assert_eq!(client.response().await.text(), "held\n");
    client.assert_closed().await;
    assert!(stopping.await.unwrap().is_empty());
    TcpStream::connect(address).await.expect_err("nobody listens any more");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_cut_off() {
    let site = Site::with(|_| {}, |builder| builder.grace(Duration::from_secs(1))).await;
    let mut client = site.client().await;
    client.send("GET /app/hold HTTP/1.1\r\nHost: a\r\n\r\n").await;
    site.app.until_requests(1).await;
    let begun = Instant::now();
    site.server.stop().await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "it had its time");
    client.assert_closed().await;
}

#[tokio::test]
async fn dropping_the_server_ends_it_at_once() {
    let site = Site::start().await;
    let mut client = site.client().await;
    client.send("GET /app/hold HTTP/1.1\r\nHost: a\r\n\r\n").await;
    site.app.until_requests(1).await;
    let address = site.address();
    drop(site.server);
    client.assert_closed().await;
    TcpStream::connect(address).await.expect_err("nobody listens any more");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let site = Site::start().await;
    let taken = site.address();
    let config = ServerConfig::new();
    let error = MockServer::builder(config).http(taken).start().await.expect_err("it is taken");
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    site.server.stop().await;
}

/// The application is asleep in the middle of its first request when the server goes.
#[tokio::test]
async fn no_process_outlives_a_server_that_is_dropped() {
    let app = ExternalApp::new("sleeper").command(["/bin/sleep", "1000"]);
    let config = ServerConfig::new().app(app).context(Context::lsapi("/", "sleeper"));
    let server = MockServer::builder(config).start().await.unwrap();
    let mut client = Client::connect(server.address()).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let sleepers = || {
        let ours = i32::try_from(std::process::id()).unwrap();
        mock_lsws::descendants(ours).into_iter().filter(|process| process.comm == "sleep").count()
    };
    let until = async |there: bool| {
        let seen = async {
            while (sleepers() > 0) != there {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(crate::LONG, seen).await.expect("a process comes and goes");
    };
    until(true).await;
    drop(server);
    until(false).await;
}
