//! Rows of steps that are done at the same time.

use std::collections::BTreeMap;

use futures_util::stream::{FuturesUnordered, StreamExt};
use mock_lsws::scenario::{Step, Vars};

use super::case::{Case, Done};
use super::peer::Peer;
use super::steps::problem;
use crate::event::Problem;

impl<'a> Case<'a> {
    /// Does all of `branches` at the same time. The first that goes wrong ends the others, and its step is the one the
    /// failure is about.
    pub(super) async fn parallel(&mut self, branches: &'a [Vec<Step>]) -> Result<(), Vec<Problem>> {
        let before = self.vars.clone();
        let mut running = FuturesUnordered::new();
        for steps in branches {
            let mut branch = self.branch(steps);
            running.push(async move {
                // Boxed because steps can hold steps.
                let done = Box::pin(branch.do_steps(steps)).await;
                (branch, done)
            });
        }
        let mut captured = Vars::default();
        let mut conflicts = Vec::new();
        while let Some((branch, done)) = running.next().await {
            self.done.absorb(branch.done);
            if let Err(problems) = done {
                self.at = branch.at;
                return Err(problems);
            }
            self.peers.extend(branch.peers);
            for (name, value) in branch.vars.captured().filter(|(name, _)| before.get(name).is_none()) {
                match captured.get(name) {
                    Some(other) if other != value => conflicts.push(problem(
                        &format!("`{{{name}}}` in parallel steps"),
                        &format!("the same value in every row, {other:?}"),
                        &format!("{value:?}"),
                    )),
                    _ => captured.set(name, value),
                }
            }
        }
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        self.vars.absorb(captured);
        Ok(())
    }

    /// A part of this case that does `steps`, with the connections they are about.
    fn branch(&mut self, steps: &'a [Step]) -> Self {
        let names = steps.iter().flat_map(Step::connections);
        let peers = names.filter_map(|name| self.peers.remove_entry(name)).collect();
        self.part(peers)
    }

    /// A part of this case with `peers`.
    pub(super) fn part(&self, peers: BTreeMap<String, Peer>) -> Self {
        Self {
            plan: self.plan,
            scenario: self.scenario,
            stage: self.stage,
            peers,
            vars: self.vars.clone(),
            at: None,
            done: Done::default(),
            faults: self.faults.clone(),
        }
    }
}
