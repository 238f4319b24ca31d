//! One case from its start to the end of its last process.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, TcpListener};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use mock_lsws::Resource;
use mock_lsws::fault::Faults;
use mock_lsws::scenario::{HandedLimit, MAIN, Scenario, Step, Vars};

use super::log::Log;
use super::peer::Peer;
use super::process;
use super::schedule::Plan;
use super::stage::{Stage, StageError};
use crate::again::shell_word;
use crate::checkout;
use crate::event::{Attempt, CaseResult, Event, Failure, FailureKind, Part, Problem, Verdict, records};

/// A running case.
pub(super) struct Case<'a> {
    pub(super) plan: &'a Plan,
    pub(super) scenario: &'a Scenario,
    pub(super) stage: &'a Stage,
    pub(super) peers: BTreeMap<String, Peer>,
    pub(super) vars: Vars,
    /// Which step runs, or was the last to; what a failure is about.
    pub(super) at: Option<&'a Step>,
    pub(super) done: Done,
    /// What happens to connections that are opened.
    pub(super) faults: Faults,
}

/// What the steps have done that explains how the case ends.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// They have signalled the application or take any end of it: its end by a signal is no surprise.
    pub(super) explains_signal: bool,
    /// They have closed a connection in the middle of a request: how soon the application notices is its own affair.
    pub(super) has_cut_off: bool,
    /// Lines of the log they have waited for.
    pub(super) awaited_lines: Vec<String>,
}

impl Done {
    /// Adds what other steps have done.
    pub(super) fn absorb(&mut self, other: Self) {
        self.explains_signal |= other.explains_signal;
        self.has_cut_off |= other.has_cut_off;
        self.awaited_lines.extend(other.awaited_lines);
    }
}

/// Runs `scenario`, again if it fails and the plan allows that, and says what became of it. Failed attempts that are
/// followed by another are told through `events`.
pub(super) async fn run(plan: &Plan, scenario: &Scenario, round: u32, events: &Sender<Event>) -> CaseResult {
    let started = Instant::now();
    let waiver = plan.waivers.reason(scenario);
    let mut earlier = Vec::new();
    let (verdict, last) = loop {
        let number = u32::try_from(earlier.len() + 1).unwrap_or(u32::MAX);
        let attempt = match attempt(plan, scenario, number).await {
            Ok(attempt) => attempt,
            Err(message) => break (Verdict::Error { message }, None),
        };
        if attempt.has_passed() {
            break (if earlier.is_empty() { Verdict::Passed } else { Verdict::Flaky }, Some(attempt));
        }
        // Trying again what is expected to fail would only take time.
        if let Some(reason) = waiver {
            break (Verdict::Waived { reason: reason.to_owned() }, Some(attempt));
        }
        if number > plan.order.retries {
            break (Verdict::Failed, Some(attempt));
        }
        let told = Event::CaseAttempt { id: scenario.id.clone(), round, attempt: Box::new(attempt.clone()) };
        // Without anybody who listens the case still has to come to its end.
        let _ = events.send(told);
        earlier.push(attempt);
    };
    let result = unjudged(plan, scenario, round, started.elapsed(), verdict);
    CaseResult { attempt: last, earlier, ..result }
}

/// Runs `scenario` as `plan` says, on its own and without the other cases of the plan.
pub(crate) async fn one(plan: &Plan, scenario: &Scenario) -> CaseResult {
    if let Some(reason) = why_skipped(plan, scenario) {
        return unjudged(plan, scenario, 1, Duration::ZERO, Verdict::Skipped { reason });
    }
    // Nobody is told of attempts: only the last one counts.
    let (events, _) = std::sync::mpsc::channel();
    run(plan, scenario, 1, &events).await
}

/// The result of a case without an attempt.
pub(super) fn unjudged(
    plan: &Plan,
    scenario: &Scenario,
    round: u32,
    duration: Duration,
    verdict: Verdict,
) -> CaseResult {
    CaseResult {
        id: scenario.id.clone(),
        round,
        title: scenario.title.clone(),
        class: scenario.class,
        spec: scenario.spec.clone(),
        why: scenario.why.clone(),
        duration,
        slow: duration > plan.slow,
        verdict,
        attempt: None,
        earlier: Vec::new(),
        rerun: format!("{} {}", plan.command, shell_word(&scenario.id)),
    }
}

/// Why `scenario` does not apply to the subject, or here; nothing if it does.
pub(crate) fn why_skipped(plan: &Plan, scenario: &Scenario) -> Option<String> {
    if let Some(reason) = plan.subject.lacks(scenario) {
        return Some(reason);
    }
    let is_ipv6 = scenario.start.address.as_ref().is_some_and(|address| address.to_string().starts_with('['));
    if is_ipv6 && TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return Some("there is no IPv6 here".into());
    }
    if scenario.start.secret_mode.is_some() {
        if !rustix::process::geteuid().is_root() {
            return Some("only root can start a suEXEC daemon".into());
        }
        if plan.place.account.is_none() {
            return Some(
                "with `--user self` nobody has seen to it that other users can run the application".into(),
            );
        }
    }
    if scenario.start.core_limit == Some(HandedLimit::Highest) && highest_core_limit() == Some(0) {
        return Some("the hard limit on core files is 0 here, so there is nothing to hand down".into());
    }
    None
}

/// The hard limit on core files of this process; `None` is no limit.
pub(super) fn highest_core_limit() -> Option<u64> {
    rustix::process::getrlimit(Resource::Core).maximum
}

/// Runs `scenario` once.
///
/// # Errors
/// What keeps the runner from doing so.
pub(super) async fn attempt(plan: &Plan, scenario: &Scenario, number: u32) -> Result<Attempt, String> {
    let started = Instant::now();
    let failed = |step: Option<&Step>, kind, problems| Part::Failed(failure(scenario, step, kind, problems));
    let not_started = |reason: String| {
        let problem = Problem::plain("start", reason);
        Ok(Attempt {
            number,
            duration: started.elapsed(),
            exchange: failed(None, FailureKind::Mismatch, vec![problem]),
            ending: Part::NotJudged,
            stderr: Vec::new(),
            transcript: Vec::new(),
        })
    };
    let (stage, main) = match Stage::set(plan, &plan.subject, &scenario.start).await {
        Ok(stage) => stage,
        Err(StageError::Runner(message)) => return Err(message),
        Err(StageError::NoCommand(error)) => return not_started(error.to_string()),
        Err(StageError::Subject(reason)) => return not_started(reason),
    };
    let mut case = Case {
        plan,
        scenario,
        stage: &stage,
        peers: main.into_iter().map(|peer| (MAIN.to_owned(), peer)).collect(),
        vars: stage.vars(),
        at: None,
        done: Done::default(),
        faults: Faults::none(),
    };
    let mut problems = Vec::new();
    let mut exchange = case.exchange().await;
    if exchange.is_ok() {
        // While it has something to do it is there; a worker leaves when its connection is closed.
        problems.extend(case.zombies().await);
        exchange = case.close().await;
    }
    if exchange.is_ok() {
        problems.extend(case.ending().await);
    } else {
        problems.extend(case.crash().await);
    }
    let exchange = match exchange {
        Ok(()) => Part::Passed,
        Err((kind, problems)) => failed(case.at, kind, problems),
    };
    let Case { peers, done, vars, .. } = case;
    drop(peers);
    let transcript = stage.transcript.clone();
    let log: Log = stage.strike().await?;
    problems.extend(log.alarms(scenario, &plan.root, &vars, &done.awaited_lines));
    // What was not done has left no line.
    if matches!(exchange, Part::Passed) {
        problems.extend(log.miscounted(scenario, &plan.root, &vars));
    }
    let ending = match (problems.is_empty(), &exchange) {
        (true, Part::Passed) => Part::Passed,
        (true, _) => Part::NotJudged,
        (false, _) => failed(scenario.steps.last(), FailureKind::Mismatch, problems),
    };
    let mut attempt = Attempt {
        number,
        duration: started.elapsed(),
        exchange,
        ending,
        stderr: Vec::new(),
        transcript: Vec::new(),
    };
    if !attempt.has_passed() {
        attempt.stderr = log.tail();
    }
    if !attempt.has_passed() || plan.all_transcripts {
        attempt.transcript = records(&transcript.entries());
    }
    Ok(attempt)
}

impl<'a> Case<'a> {
    /// Does the steps.
    async fn exchange(&mut self) -> Result<(), (FailureKind, Vec<Problem>)> {
        let scenario: &'a Scenario = self.scenario;
        let limit = scenario.timeout.map_or(self.plan.timeout, |timeout| timeout.0);
        let log = self.stage.log.clone();
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(limit, self.do_steps(&scenario.steps)) => outcome,
            problem = process::too_much_log(&log) => Ok(Err(vec![problem])),
        };
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(problems)) => Err((FailureKind::Mismatch, problems)),
            Err(_) => {
                let expected = format!("the case to be over after {limit:?}");
                let problem = Problem::new("time", expected, "this step was still running");
                Err((FailureKind::Timeout, vec![problem]))
            }
        }
    }

    /// Ends the connections and looks for what should not have come on them.
    async fn close(&mut self) -> Result<(), (FailureKind, Vec<Problem>)> {
        let mut problems = Vec::new();
        for (name, peer) in std::mem::take(&mut self.peers) {
            if self.scenario.is_probe() {
                continue;
            }
            self.done.has_cut_off |= !peer.is_idle;
            for mut problem in peer.drain().await {
                problem.field = format!("connection {name} {}", problem.field);
                problems.push(problem);
            }
        }
        if problems.is_empty() { Ok(()) } else { Err((FailureKind::Mismatch, problems)) }
    }
}

fn failure(scenario: &Scenario, step: Option<&Step>, kind: FailureKind, problems: Vec<Problem>) -> Failure {
    Failure {
        kind,
        file: checkout::shown(&scenario.path),
        line: step.map_or(1, |step| step.line),
        column: step.map_or(1, |step| step.column),
        note: step.and_then(|step| step.note.clone()),
        problems,
    }
}
