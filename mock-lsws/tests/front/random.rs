//! Bytes that mean nothing.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use crate::site::Site;

/// Pieces of requests, so that more than the first byte is looked at.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "GET ",
        "POST ",
        "/app/x",
        "/py/x",
        "/files/s.txt",
        " HTTP/1.1\r\n",
        " HTTP/1.0\r\n",
        "Host: a\r\n",
        "\r\n",
        "\n",
        "\r",
        "Content-Length: 3\r\n",
        "Content-Length: 99\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "Connection: close\r\n",
        "Range: bytes=1-\r\n",
        " folded\r\n",
        "abc",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "\0",
        "X:",
        ":",
        "%2f..",
        "GET /app/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /py/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];
    prop_oneof![
        9 => prop::sample::select(known.to_vec()).prop_map(|known| known.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

/// Whatever a client sends: when it has said that nothing more comes, the server closes, and goes on serving others.
#[test]
fn no_bytes_hang_a_connection_or_harm_another() {
    let runtime = Runtime::new().unwrap();
    let site = runtime.block_on(Site::start());
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    runner
        .run(&prop::collection::vec(piece(), 0..14), |pieces| {
            runtime.block_on(async {
                let mut client = site.client().await;
                for piece in &pieces {
                    client.send(piece).await;
                }
                // The server may have closed before.
                let _ = tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await;
                client.rest().await;
                assert_eq!(site.client().await.get("/files/s.txt").await.status(), 200);
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(site.server.stop());
}
