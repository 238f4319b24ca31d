//! Which case runs when, and what becomes of the run.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use mock_lsws::scenario::Scenario;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{Id, JoinSet};

use super::judge::Rules;
use super::log_file::LogChange;
use super::{case, preflight};
use crate::Error;
use crate::event::{CaseResult, Event, FORMAT, RunStarted, Summary, Verdict};
use crate::subject::{Place, Subject};
use crate::waivers::Waivers;

/// Everything a run needs to know.
#[derive(Debug)]
pub struct Plan {
    /// What is tested.
    pub subject: Subject,
    /// Where its files are, and who runs it.
    pub place: Place,
    /// The folder of all scenarios.
    pub root: PathBuf,
    /// All scenarios there are.
    pub catalogue: Vec<Scenario>,
    /// The scenarios that try a role, one a role.
    pub probes: Vec<Scenario>,
    /// The cases.
    pub cases: Vec<Arc<Scenario>>,
    /// Which cases these are, in words.
    pub selection: String,
    /// Failures that are accepted.
    pub waivers: Waivers,
    /// In which order they run, and how often.
    pub order: Order,
    /// How long a case may take that does not say so itself.
    pub timeout: Duration,
    /// How long a case should take at most.
    pub slow: Duration,
    /// What counts as a success.
    pub rules: Rules,
    /// The command of this run without its cases; with an ID it runs one.
    pub command: String,
    /// The command of the whole run, in the same order.
    pub whole_command: String,
    /// Whether transcripts of cases that passed are wanted.
    pub all_transcripts: bool,
    /// This program, which has to be able to become the spawner.
    pub spawner: PathBuf,
    /// What the subject is made to have written to its stderr; nothing, but for subjects that are broken on purpose.
    pub log_changes: Vec<LogChange>,
}

/// In which order cases run, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// How many run at the same time, at least 1.
    pub jobs: usize,
    /// What the order is drawn with; `None`: the order of their IDs.
    pub seed: Option<u64>,
    /// How often all of them run; `None`: until a case fails.
    pub rounds: Option<u32>,
    /// Whether no more cases are started after the first that failed.
    pub fail_fast: bool,
    /// How often a case that failed is tried again.
    pub retries: u32,
}

/// Runs the cases of `plan`, tells what happens through `events`, and returns what became of it.
///
/// Whatever happens, the last event is [`Event::RunFinished`], and no process is left.
///
/// # Errors
/// [`Error::Subject`] if the subject does not start at all, [`Error::Interrupted`] if somebody stops the run.
pub async fn run(plan: Plan, events: Sender<Event>) -> Result<Summary, Error> {
    let mut run = Run::new(Arc::new(plan), events);
    let outcome = tokio::select! {
        () = stop_requested() => Err(Error::Interrupted),
        outcome = run.drive() => outcome,
    };
    run.end(outcome).await
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn stop_requested() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// A case and its time around.
type Turn = (Arc<Scenario>, u32);

/// What is going on. All of it is here and not in a future, so that nothing is lost when that is given up.
struct Run {
    plan: Arc<Plan>,
    events: Sender<Event>,
    started: Instant,
    /// Turns of this round that have not begun.
    waiting: VecDeque<Turn>,
    round: u32,
    /// How often to go round; `None`: until a case fails.
    rounds: Option<u32>,
    tasks: JoinSet<CaseResult>,
    running: HashMap<Id, (Turn, Instant)>,
    /// Why no more cases are started.
    stopped: Option<&'static str>,
    summary: Summary,
    /// What became of each case, for the waivers and --min; of several rounds the last in which it did not pass.
    verdicts: BTreeMap<String, Verdict>,
}

impl Run {
    fn new(plan: Arc<Plan>, events: Sender<Event>) -> Self {
        // Nothing but skipped cases would go round for ever.
        let can_fail = plan.cases.iter().any(|case| case::why_skipped(&plan, case).is_none());
        let rounds = if can_fail { plan.order.rounds } else { Some(1) };
        Self {
            rounds,
            plan,
            events,
            started: Instant::now(),
            waiting: VecDeque::new(),
            round: 0,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            stopped: None,
            summary: Summary::default(),
            verdicts: BTreeMap::new(),
        }
    }

    async fn drive(&mut self) -> Result<(), Error> {
        let plan = Arc::clone(&self.plan);
        self.tell(Event::RunStarted(RunStarted {
            format: FORMAT,
            tool: concat!("conformance ", env!("CARGO_PKG_VERSION")).into(),
            subject: plan.subject.name.clone(),
            selection: plan.selection.clone(),
            cases: self.rounds.map(|rounds| plan.cases.len() * rounds as usize),
            jobs: plan.order.jobs,
            seed: plan.order.seed,
            command: plan.command.clone(),
            whole_command: plan.whole_command.clone(),
        }));
        self.next_round();
        preflight::check(&plan).await?;
        loop {
            while self.tasks.len() < plan.order.jobs && self.start_next() {}
            match self.tasks.join_next_with_id().await {
                Some(Ok((id, result))) => {
                    self.running.remove(&id);
                    self.finished(result);
                }
                Some(Err(error)) => {
                    // A mistake of this program must not hide what the other cases show.
                    let message = format!("the case ended without a verdict: {error}");
                    if let Some(((case, round), since)) = self.running.remove(&error.id()) {
                        let verdict = Verdict::Error { message };
                        self.finished(case::unjudged(&plan, &case, round, since.elapsed(), verdict));
                    }
                }
                None => return Ok(()),
            }
        }
    }

    /// Starts the next case. False when there is none, or none is to be started any more.
    fn start_next(&mut self) -> bool {
        if self.stopped.is_some() {
            return false;
        }
        if self.waiting.is_empty() && self.rounds.is_none_or(|rounds| self.round < rounds) {
            self.next_round();
        }
        let Some((case, round)) = self.waiting.pop_front() else { return false };
        if let Some(reason) = case::why_skipped(&self.plan, &case) {
            let verdict = Verdict::Skipped { reason };
            self.finished(case::unjudged(&self.plan, &case, round, Duration::ZERO, verdict));
            return true;
        }
        self.tell(Event::CaseStarted { id: case.id.clone(), round });
        let (plan, events, turn) = (Arc::clone(&self.plan), self.events.clone(), (Arc::clone(&case), round));
        let task = self.tasks.spawn(async move { case::run(&plan, &case, round, &events).await });
        self.running.insert(task.id(), (turn, Instant::now()));
        true
    }

    fn next_round(&mut self) {
        self.round += 1;
        let mut cases = self.plan.cases.clone();
        if let Some(seed) = self.plan.order.seed {
            // Each round in another order: what fails may depend on the neighbours.
            fastrand::Rng::with_seed(seed.wrapping_add(u64::from(self.round) - 1)).shuffle(&mut cases);
        }
        let round = self.round;
        self.waiting = cases.into_iter().map(|case| (case, round)).collect();
    }

    fn finished(&mut self, result: CaseResult) {
        self.summary.count(&result);
        let is_failure = matches!(result.verdict, Verdict::Failed | Verdict::Error { .. });
        if is_failure && self.plan.order.fail_fast {
            self.stopped.get_or_insert("a case has failed before it");
        }
        let known = self.verdicts.entry(result.id.clone()).or_insert(Verdict::Passed);
        if result.verdict != Verdict::Passed {
            *known = result.verdict.clone();
        }
        self.tell(Event::CaseFinished(Box::new(result)));
    }

    /// Ends what still runs, counts what did not, and judges the whole.
    async fn end(mut self, outcome: Result<(), Error>) -> Result<Summary, Error> {
        // Giving up a case ends and reaps its processes and removes its folder.
        self.tasks.shutdown().await;
        let reason = match &outcome {
            Err(Error::Interrupted) => "the run was interrupted",
            Err(_) => "the run could not begin",
            Ok(()) => self.stopped.unwrap_or_default(),
        };
        let mut left: Vec<_> =
            self.running.drain().map(|(_, (turn, since))| (turn, since.elapsed())).collect();
        left.extend(self.waiting.drain(..).map(|turn| (turn, Duration::ZERO)));
        left.sort_by(|a, b| a.0.0.id.cmp(&b.0.0.id));
        for ((case, round), elapsed) in left {
            let verdict = Verdict::NotRun { reason: reason.to_owned() };
            self.finished(case::unjudged(&self.plan, &case, round, elapsed, verdict));
        }
        let stale = if outcome.is_ok() {
            self.plan.waivers.stale(&self.plan.catalogue, &self.verdicts)
        } else {
            Vec::new()
        };
        self.summary.duration = self.started.elapsed();
        // Rounds do not make more cases of them.
        let ran = self.verdicts.values().filter(|verdict| verdict.is_judged()).count();
        self.plan.rules.judge(&mut self.summary, ran, outcome.as_ref().err(), stale);
        self.tell(Event::RunFinished(self.summary.clone()));
        outcome.map(|()| self.summary)
    }

    fn tell(&self, event: Event) {
        // Without anybody who listens the run still has to come to its end.
        let _ = self.events.send(event);
    }
}
