//! Which case runs when.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mock_lsws::scenario::Scenario;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::{case, preflight};
use crate::Error;
use crate::event::{CaseResult, Event, Summary, Verdict};
use crate::subject::{Place, Subject};

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Plan {
    /// What is tested.
    pub subject: Subject,
    /// Where its files are, and who runs it.
    pub place: Place,
    /// The folder of all scenarios.
    pub root: PathBuf,
    /// The cases.
    pub cases: Vec<Arc<Scenario>>,
    /// How many run at the same time.
    pub jobs: usize,
    /// The command that runs one case, without its ID.
    pub rerun: String,
    /// Whether transcripts of cases that passed are wanted.
    pub all_transcripts: bool,
    /// This program, which has to be able to become the spawner.
    pub spawner: PathBuf,
}

/// Runs the cases of `plan` and tells what happens through `events`.
///
/// # Errors
/// [`Error::Subject`] if the subject does not start at all, [`Error::Interrupted`] if somebody stops the run.
pub async fn run(plan: Plan, events: mpsc::UnboundedSender<Event>) -> Result<(), Error> {
    let plan = Arc::new(plan);
    let mut running = JoinSet::new();
    let outcome = tokio::select! {
        () = stop_requested() => Err(Error::Interrupted),
        outcome = drive(&plan, &events, &mut running) => outcome,
    };
    // Giving up a case ends and reaps its processes and removes its folder. After a whole run there is none left.
    running.shutdown().await;
    outcome
}

/// Waits for Ctrl-C or SIGTERM.
async fn stop_requested() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

async fn drive(
    plan: &Arc<Plan>,
    events: &mpsc::UnboundedSender<Event>,
    running: &mut JoinSet<CaseResult>,
) -> Result<(), Error> {
    let started = Instant::now();
    let mut ready = Vec::new();
    let mut skipped = Vec::new();
    for case in plan.cases.iter().cloned() {
        match plan.subject.lacks(&case) {
            None => ready.push(case),
            Some(reason) => skipped.push((case, reason)),
        }
    }
    if let Some(first) = ready.first() {
        preflight::check(plan, &first.start.role).await?;
    }
    let tell = |event| {
        // Without anybody who listens the run still has to come to its end.
        let _ = events.send(event);
    };
    tell(Event::RunStarted { subject: plan.subject.name.clone(), cases: plan.cases.len(), jobs: plan.jobs });
    let mut summary = Summary::default();
    for (case, reason) in skipped {
        let verdict = Verdict::Skipped { reason };
        summary.count(&verdict);
        tell(Event::CaseFinished(Box::new(CaseResult::new(&case, Duration::ZERO, verdict, Vec::new()))));
    }
    let permits = Arc::new(Semaphore::new(plan.jobs));
    for case in ready {
        let (plan, permits, events) = (Arc::clone(plan), Arc::clone(&permits), events.clone());
        running.spawn(async move {
            let _permit = permits.acquire_owned().await;
            let _ = events.send(Event::CaseStarted { id: case.id.clone() });
            case::run(&plan, &case).await
        });
    }
    while let Some(finished) = running.join_next().await {
        let result = finished.map_err(|error| Error::Harness {
            what: "a case ended without a verdict, which is a mistake of this program",
            source: std::io::Error::other(error),
        })?;
        summary.count(&result.verdict);
        tell(Event::CaseFinished(Box::new(result)));
    }
    summary.duration = started.elapsed();
    tell(Event::RunFinished(summary));
    Ok(())
}
