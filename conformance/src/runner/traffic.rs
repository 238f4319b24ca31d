//! Clients that send for a time, whatever becomes of their connections.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use mock_lsws::scenario::{Expect, Traffic};

use super::case::Case;
use crate::event::Problem;

/// How many requests a connection takes before its client opens another: what is kept of a connection has an end.
const MOST_REQUESTS: u32 = 200;

/// How long a client rests between two requests: a fault that ends connections at once shall not become a flood of them.
const REST: Duration = Duration::from_millis(2);

/// How long an answer is waited for by a client that has to have it.
const LIMIT: Duration = Duration::from_secs(15);

/// What became of the requests.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    connections: u64,
    answered: u64,
    /// They ended with their connection, or were given up.
    unanswered: u64,
}

impl Case<'_> {
    /// Lets the clients of `traffic` do what they do.
    pub(super) async fn traffic(&mut self, traffic: &Traffic) -> Result<(), Vec<Problem>> {
        let deadline = Instant::now() + traffic.time.0;
        let mut running = FuturesUnordered::new();
        for number in 1..=traffic.count {
            let mut client = self.part(BTreeMap::new());
            let name = format!("client {number}");
            running.push(async move {
                let counts = client.send_until(deadline, &name, traffic).await;
                (name, client, counts)
            });
        }
        let mut all = Counts::default();
        let mut wrong = None;
        while let Some((name, client, counts)) = running.next().await {
            self.done.absorb(client.done);
            match counts {
                Ok(counts) => {
                    all.connections += counts.connections;
                    all.answered += counts.answered;
                    all.unanswered += counts.unanswered;
                }
                // The others are not waited for: the first one that goes wrong is what it is about.
                Err(problems) => {
                    wrong = Some((name, problems));
                    break;
                }
            }
        }
        drop(running);
        let Counts { connections, answered, unanswered } = all;
        self.stage.transcript.note(format!(
            "{} clients for {}: {answered} requests answered, {unanswered} not, on {connections} connections",
            traffic.count, traffic.time
        ));
        match wrong {
            None => Ok(()),
            Some((name, problems)) => {
                let of = |field| format!("{name} of {}: {field}", traffic.count);
                Err(problems.into_iter().map(|one| Problem { field: of(one.field), ..one }).collect())
            }
        }
    }

    /// What one client does.
    async fn send_until(
        &mut self,
        deadline: Instant,
        name: &str,
        traffic: &Traffic,
    ) -> Result<Counts, Vec<Problem>> {
        let mut counts = Counts::default();
        let mut requests = 0;
        // One at least, however slow the machine is.
        while counts.answered + counts.unanswered == 0 || Instant::now() < deadline {
            if !self.peers.contains_key(name) {
                self.connect(name).await?;
                counts.connections += 1;
                requests = 0;
                if let (Some(peer), Some(limit)) = (self.peers.get_mut(name), traffic.give_up) {
                    peer.connection.set_send_limit(limit.0);
                }
            }
            let since = self.stage.transcript.elapsed();
            let done = self.exchange_once(name, traffic).await;
            requests += 1;
            let Some(peer) = self.peers.get(name) else { break };
            let is_whole = peer.is_idle;
            match done {
                Ok(()) if is_whole => counts.answered += 1,
                Err(problems) if is_whole || traffic.give_up.is_none() => return Err(problems),
                Ok(()) | Err(_) => counts.unanswered += 1,
            }
            self.stage.transcript.forget(peer.connection.number(), since);
            tokio::time::sleep(REST).await;
            if !is_whole || requests == MOST_REQUESTS {
                self.done.has_cut_off |= !is_whole;
                if let Some(peer) = self.peers.remove(name) {
                    peer.connection.close();
                }
            }
        }
        if let Some(peer) = self.peers.remove(name) {
            peer.connection.close();
        }
        Ok(counts)
    }

    /// Sends one request and waits for its answer.
    async fn exchange_once(&mut self, name: &str, traffic: &Traffic) -> Result<(), Vec<Problem>> {
        self.send(name, &traffic.sending).await?;
        match &traffic.expect {
            Some(Expect::Response(any_of)) => self.expect_response(name, any_of).await,
            _ => {
                let limit = traffic.give_up.map_or(LIMIT, |limit| limit.0);
                self.peer(name).await?.response(limit).await;
                Ok(())
            }
        }
    }
}
