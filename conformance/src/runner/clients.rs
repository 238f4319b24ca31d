//! Several clients that do the same at the same time.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{FuturesUnordered, StreamExt};
use mock_lsws::scenario::{Clients, Vars};

use super::case::Case;
use super::steps::problem;
use crate::event::Problem;

/// Different values that a failure lists.
const MOST: usize = 12;

impl Case<'_> {
    /// Lets `clients` do what they do. All of them connect before the first of them sends, so that they are there at the
    /// same time; each closes its connection when it has what it expects, if it expects anything.
    pub(super) async fn clients(&mut self, clients: &Clients) -> Result<(), Vec<Problem>> {
        let names: Vec<String> = (1..=clients.count).map(|number| format!("client {number}")).collect();
        let mut all = Vec::new();
        for name in &names {
            let mut client = self.part(BTreeMap::new());
            client.connect(name).await?;
            all.push((name, client));
        }
        let mut running: FuturesUnordered<_> =
            all.into_iter().map(|(name, client)| run(name, client, clients)).collect();
        let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        while let Some((name, client, done)) = running.next().await {
            self.done.absorb(client.done);
            done.map_err(|problems| of_client(name, &names, problems))?;
            for (name, value) in client.vars.captured().filter(|(name, _)| self.vars.get(name).is_none()) {
                values.entry(name.to_owned()).or_default().insert(value.to_owned());
            }
        }
        drop(running);
        let mut captured = Vars::default();
        for (name, values) in values {
            let count = i64::try_from(values.len()).unwrap_or(i64::MAX);
            let list = || values.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
            let field = format!("different values of `{{{name}}}`");
            let wanted = match clients.distinct.get(&name) {
                Some(range) => range.refuses(count, &mut self.vars),
                None if count > 1 => Some("1, the same for all clients".to_owned()),
                None => {
                    captured.set(name, values.iter().next().map_or("", String::as_str));
                    None
                }
            };
            if let Some(wanted) = wanted {
                return Err(vec![problem(&field, &wanted, &format!("{count}: {}", list()))]);
            }
        }
        self.vars.absorb(captured);
        Ok(())
    }
}

/// What the client `name` does, which has its connection already.
async fn run<'n, 'a>(
    name: &'n str,
    mut client: Case<'a>,
    clients: &Clients,
) -> (&'n str, Case<'a>, Result<(), Vec<Problem>>) {
    let done = async {
        client.send(name, &clients.sending).await?;
        match &clients.expect {
            Some(expect) => client.expect(name, expect).await,
            None => Ok(()),
        }
    };
    let done = done.await;
    for peer in std::mem::take(&mut client.peers).into_values() {
        client.done.has_cut_off |= !peer.is_idle;
        peer.connection.close();
    }
    (name, client, done)
}

/// `problems` of the client `name` of `all`.
fn of_client(name: &str, all: &[String], problems: Vec<Problem>) -> Vec<Problem> {
    let of = |field| format!("{name} of {}: {field}", all.len());
    problems.into_iter().map(|problem| Problem { field: of(problem.field), ..problem }).collect()
}
