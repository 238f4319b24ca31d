//! Points 28 and 31: back-pressure, and connections and requests that wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mock_lsws::config::{Context, ServerConfig};
use mock_lsws::{Address, Timing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::stage::{Stage, answer, end, header, received, stream};
use crate::LONG;
use crate::client::{Client, Until};
use crate::played_app::{Gate, Link, Step};
use crate::site::Site;

/// An application that answers with this much, and counts what the server has taken.
fn large_answer(listener: UnixListener, blocks: u64) -> Arc<AtomicU64> {
    let taken = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&taken);
    tokio::spawn(async move {
        let (mut stream_to_server, _) = listener.accept().await.unwrap();
        let mut request = [0; 65536];
        let _ = stream_to_server.read(&mut request).await.unwrap();
        stream_to_server.write_all(&[received(), header(200, &["X-A: 1"])].concat()).await.unwrap();
        let block = stream(&[b's'; BLOCK as usize]);
        for _ in 0..blocks {
            stream_to_server.write_all(&block).await.unwrap();
            counter.fetch_add(BLOCK, Ordering::SeqCst);
        }
        stream_to_server.write_all(&end()).await.unwrap();
        // Until the server closes.
        let _ = stream_to_server.read(&mut request).await;
    });
    taken
}

const BLOCK: u64 = 16_000;

#[tokio::test(flavor = "multi_thread")]
async fn point_28_a_slow_client_stops_the_application() {
    const BLOCKS: u64 = 4000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let taken = large_answer(UnixListener::bind(&path).unwrap(), BLOCKS);
    let app = mock_lsws::config::ExternalApp::new("app").address(Address::Unix(path));
    let config = |_: &std::path::Path| ServerConfig::new().app(app).context(Context::lsapi("/app/", "app"));
    let site = Site::with(Timing::default(), config).await;
    let mut client = Client::connect(site.address()).await;
    client.send(b"GET /app/ HTTP/1.1\r\nHost: example.com\r\n\r\n").await;

    // It comes to a stop: nothing is taken for a while, although there is more.
    let limit = Instant::now() + LONG;
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let now = taken.load(Ordering::SeqCst);
        if now == before && now > 0 {
            break;
        }
        before = now;
        assert!(Instant::now() < limit, "the application is never stopped");
    }
    // What the kernel buffers for a client that does not read is all that is taken.
    assert!(before < BLOCKS * BLOCK / 2, "{before} bytes were taken for a client that reads nothing");

    let (response, until) = client.response(false, LONG).await;
    assert_eq!(until, Until::Complete);
    assert_eq!(response.body().len() as u64, BLOCKS * BLOCK);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_31_an_idle_connection_is_closed_when_its_time_is_over() {
    let timing = Timing { tick: Duration::from_millis(20), ..Timing::default() };
    let keep_alive = Some(Duration::from_millis(100));
    let script = |_| vec![Step::Request, Step::Send(answer("ok"))];
    let stage =
        Stage::with(script, timing, |app| app.pc_keep_alive_timeout(keep_alive), |config| config).await;
    for number in 0..2 {
        assert_eq!(stage.get_whole().await.body(), b"ok");
        stage
            .app
            .until("the end of the connection", |links| links.get(number).is_some_and(|link| link.closed))
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_the_queue_is_not_served() {
    let gate = Gate::new();
    let script = {
        let gate = gate.clone();
        move |_| {
            let serve = [Step::Request, Step::Gate(gate.clone()), Step::Send(answer("ok"))];
            vec![serve; 2].concat()
        }
    };
    let timing = Timing { check: Duration::from_millis(100), ..Timing::default() };
    let stage = Stage::with(script, timing, |app| app.max_conns(1), |config| config).await;
    let mut first = stage.asking().await;
    stage
        .app
        .until("the first request", |links| links.first().is_some_and(|link| link.requests() == 1))
        .await
        .unwrap();
    drop(stage.asking().await);
    assert_eq!(stage.record(0).await.sends(), 0);
    gate.open();
    assert_eq!(first.response(false, LONG).await.0.body(), b"ok");
    stage.site.until_records(2).await.unwrap();
    gate.open();
    assert_eq!(stage.get_whole().await.body(), b"ok");
    assert_eq!(stage.app.requests(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_application_gets_requests_with_their_whole_body() {
    let gate = Gate::new();
    let script = {
        let gate = gate.clone();
        move |_| vec![Step::Request, Step::Gate(gate.clone()), Step::Send(answer("ok"))]
    };
    let stage = Stage::with(script, Timing::default(), |app| app.max_conns(4), |config| config).await;
    let begun = |count: usize| {
        move |links: &Vec<Link>| links.iter().filter(|link| !link.received.is_empty()).count() == count
    };
    let head = b"POST /app/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: 8\r\n\r\n";
    let (mut first, mut second, mut third) = (
        Client::connect(stage.site.address()).await,
        Client::connect(stage.site.address()).await,
        Client::connect(stage.site.address()).await,
    );
    // One connection in four is in use, or none: the first bytes are enough.
    for (number, client) in [&mut first, &mut second].into_iter().enumerate() {
        client.send(head).await;
        client.send(b"half").await;
        stage.app.until("the start of a request", begun(number + 1)).await.unwrap();
    }
    // Two in four are more than 40 %.
    third.send(head).await;
    third.send(b"half").await;
    first.send(b"half").await;
    second.send(b"half").await;
    stage
        .app
        .until("both bodies", |links| links.iter().all(|link| link.received.ends_with(b"halfhalf")))
        .await
        .unwrap();
    assert_eq!(stage.app.links().len(), 2);
    third.send(b"half").await;
    stage.app.until("the third request", begun(3)).await.unwrap();
    assert!(stage.app.links()[2].received.ends_with(b"halfhalf"));
    (0..3).for_each(|_| gate.open());
    for client in [&mut first, &mut second, &mut third] {
        assert_eq!(client.response(false, LONG).await.0.body(), b"ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_end_of_the_body_ends_the_upload_but_not_the_connection() {
    let gate = Gate::new();
    let passed = gate.clone();
    let stage = Stage::new(move |_| {
        let early = [Step::Gate(passed.clone()), Step::Send(answer("early"))];
        [early.to_vec(), vec![Step::Gate(passed.clone()), Step::Send(answer("next"))]].concat()
    })
    .await;
    let mut client = Client::connect(stage.site.address()).await;
    client.send(b"POST /app/ HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000\r\n\r\n0123456789").await;
    stage
        .app
        .until("the start of the body", |links| {
            links.first().is_some_and(|link| link.received.ends_with(b"0123456789"))
        })
        .await
        .unwrap();
    gate.open();
    assert_eq!(client.response(false, LONG).await.0.body(), b"early");
    client.send(&[b'x'; 990]).await;
    let before = stage.app.links()[0].received.len();
    let mut next = stage.asking().await;
    stage.app.until("the next request", |links| links[0].received.len() > before).await.unwrap();
    assert_eq!(stage.app.links()[0].received[before..before + 3], *b"LS\x01");
    gate.open();
    assert_eq!(next.response(false, LONG).await.0.body(), b"next");
}
