//! Point 14: connections to the application, and the queue in front of them.

use std::net::SocketAddr;
use std::time::Instant;

use mock_lsws::Timing;

use super::stage::{Stage, answer};
use crate::LONG;
use crate::client::Client;
use crate::played_app::{Gate, Link, Step};

/// Requests on one connection, each answered when the gate lets it.
fn gated(gate: &Gate) -> Vec<Step> {
    vec![vec![Step::Request, Step::Gate(gate.clone()), Step::Send(answer("ok"))]; 20].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn point_14_the_connection_that_became_free_last_is_used_first() {
    let gates = [Gate::new(), Gate::new()];
    let script = {
        let gates = gates.clone();
        move |number: usize| gated(&gates[number])
    };
    let stage = Stage::new(script).await;
    let mut first = stage.asking().await;
    stage.app.until("the first request", |links| requests(links) == [1]).await.unwrap();
    let mut second = stage.asking().await;
    stage.app.until("the second request", |links| requests(links) == [1, 1]).await.unwrap();
    for (over, (number, client)) in [(0, &mut first), (1, &mut second)].into_iter().enumerate() {
        gates[number].open();
        assert_eq!(client.response(false, LONG).await.0.body(), b"ok");
        stage.site.until_records(over + 1).await.unwrap();
    }
    let _third = stage.asking().await;
    stage.app.until("the third request", |links| requests(links).iter().sum::<usize>() == 3).await.unwrap();
    assert_eq!(requests(&stage.app.links()), [1, 2]);
    let _fourth = stage.asking().await;
    stage.app.until("the fourth request", |links| requests(links).iter().sum::<usize>() == 4).await.unwrap();
    assert_eq!(requests(&stage.app.links()), [2, 2], "no connection is opened while one is free");
}

fn requests(links: &[Link]) -> Vec<usize> {
    links.iter().map(Link::requests).collect()
}

/// Waits until the server has read all this client has sent, from the kernel's table of connections.
async fn has_been_read(client: &Client, server: SocketAddr) {
    let row = format!(":{:04X} 0100007F:{:04X} ", server.port(), client.port());
    let all_read = || {
        let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        table.lines().any(|line| {
            line.contains(&row)
                && line.split_whitespace().nth(4).is_some_and(|queues| queues.ends_with(":00000000"))
        })
    };
    let limit = Instant::now() + LONG;
    while !all_read() {
        assert!(Instant::now() < limit, "the server does not read");
        tokio::task::yield_now().await;
    }
}

/// One thread: a request that has been read is in the queue when the test goes on.
#[tokio::test]
async fn point_14_requests_wait_their_turn_and_are_served_on_the_connection_that_becomes_free() {
    let gate = Gate::new();
    let script = {
        let gate = gate.clone();
        move |_| gated(&gate)
    };
    let stage = Stage::with(script, Timing::default(), |app| app.max_conns(1), |config| config).await;
    let mut clients = vec![stage.asking().await];
    stage.app.until("the first request", |links| requests(links) == [1]).await.unwrap();
    for _ in 0..4 {
        let client = stage.asking().await;
        has_been_read(&client, stage.site.address()).await;
        clients.push(client);
    }
    for (served, client) in clients.iter_mut().enumerate() {
        assert_eq!(requests(&stage.app.links()), [served + 1], "one connection, one request at a time");
        gate.open();
        assert_eq!(client.response(false, LONG).await.0.body(), b"ok");
        if served < 4 {
            stage.app.until("the next in the queue", |links| requests(links) == [served + 2]).await.unwrap();
        }
    }
}
