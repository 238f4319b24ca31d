//! One case from its start to the end of its last process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mock_lsws::scenario::{HandedLimit, MAIN, Mode, Scenario, Step, Vars};
use mock_lsws::{
    AppLog, Connection, DEFAULT_BACKLOG, Exit, Listener, Resource, SpawnedApp, Spawner, Transcript,
    socketpair,
};
use tempfile::TempDir;

use super::peer::Peer;
use super::process;
use super::schedule::Plan;
use crate::checkout;
use crate::event::{CaseResult, Failure, Problem, Verdict};

/// How long a case may take that says nothing about it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a worker may take to leave before its end is no longer looked at.
const LEAVE: Duration = Duration::from_millis(1500);

/// Lines of the application's stderr that go into a report.
const STDERR_LINES: usize = 30;

/// What a Rust program says when it panics. No case expects that.
const PANIC: &str = "panicked at";

/// A running case.
pub(super) struct Case<'a> {
    pub(super) plan: &'a Plan,
    pub(super) scenario: &'a Scenario,
    pub(super) stage: &'a Stage,
    pub(super) peers: BTreeMap<String, Peer>,
    pub(super) vars: Vars,
    /// Which step runs, or was the last to; what a failure is about.
    pub(super) at: Option<&'a Step>,
    /// The case has signalled the application, so its end by a signal is no surprise.
    pub(super) signalled: bool,
}

/// What a case runs on. Everything in it goes when the case is over.
pub(super) struct Stage {
    pub(super) transcript: Transcript,
    pub(super) app: SpawnedApp,
    pub(super) spawner: Spawner,
    pub(super) listener: Option<Listener>,
    pub(super) log: PathBuf,
    _folder: TempDir,
}

/// Runs `scenario` and says what became of it.
pub(super) async fn run(plan: &Plan, scenario: &Scenario) -> CaseResult {
    let started = Instant::now();
    let result = |verdict, transcript| CaseResult::new(scenario, started.elapsed(), verdict, transcript);
    if scenario.start.core_limit == Some(HandedLimit::Highest) && highest_core_limit() == Some(0) {
        let reason = "the hard limit on core files is 0 here, so there is nothing to hand down".to_owned();
        return result(Verdict::Skipped { reason }, Vec::new());
    }
    let (stage, main) = match Stage::set(plan, scenario).await {
        Ok(stage) => stage,
        Err(reason) => {
            let problem = Problem { field: "start".into(), expected: None, actual: reason };
            let failure = failure(plan, scenario, None, vec![problem], Vec::new());
            return result(Verdict::Failed(failure), Vec::new());
        }
    };
    let mut case = Case {
        plan,
        scenario,
        stage: &stage,
        peers: main.into_iter().map(|peer| (MAIN.to_owned(), peer)).collect(),
        vars: Vars::default(),
        at: None,
        signalled: false,
    };
    let limit = scenario.timeout.map_or(TIMEOUT, |timeout| timeout.0);
    let log = stage.log.clone();
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(limit, case.do_steps(&scenario.steps)) => outcome,
        problem = process::too_much_log(&log) => Ok(Err(vec![problem])),
    };
    let mut problems = match outcome {
        Ok(Ok(())) => case.ending().await,
        Ok(Err(problems)) => problems,
        Err(_) => vec![Problem {
            field: "time".into(),
            expected: Some(format!("the case to be over after {limit:?}")),
            actual: "this step was still running".into(),
        }],
    };
    let Case { at, peers, .. } = case;
    let at = at.cloned();
    drop(peers);
    let Log { last: stderr, panic, transcript } = stage.strike().await;
    if let Some(line) = panic {
        problems.push(Problem { field: "stderr".into(), expected: Some("no panic".into()), actual: line });
    }
    let verdict = if problems.is_empty() {
        Verdict::Passed
    } else {
        Verdict::Failed(failure(plan, scenario, at.as_ref(), problems, stderr))
    };
    let wanted = plan.all_transcripts || matches!(verdict, Verdict::Failed(_));
    result(verdict, if wanted { transcript.entries() } else { Vec::new() })
}

impl Case<'_> {
    /// Looks at how the case has left things when all its steps went well.
    async fn ending(&mut self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, peer) in std::mem::take(&mut self.peers) {
            for mut problem in peer.drain().await {
                problem.field = format!("connection {name} {}", problem.field);
                problems.push(problem);
            }
        }
        // A worker whose connection is closed has nothing left to do; what ends it shows only when it ends.
        if self.scenario.start.mode == Mode::Worker {
            let _ = tokio::time::timeout(LEAVE, self.stage.app.wait()).await;
        }
        if let (Some(exit @ Exit::Signal { .. }), false) = (self.stage.app.exit(), self.signalled) {
            problems.push(Problem {
                field: "the end of the process".into(),
                expected: Some("an exit of its own".into()),
                actual: exit.to_string(),
            });
        }
        problems
    }
}

impl Stage {
    /// Starts everything. In worker mode the connection is there from the beginning.
    async fn set(plan: &Plan, scenario: &Scenario) -> Result<(Self, Option<Peer>), String> {
        let start = &scenario.start;
        let folder =
            tempfile::Builder::new().prefix("conformance-").tempdir().map_err(text("no temporary folder"))?;
        let log = folder.path().join("stderr.log");
        let vars = Vars::default();
        let mut env = Vec::new();
        for (name, value) in &start.env.0 {
            env.push((
                OsString::from(name),
                OsString::from(value.render(&vars).map_err(|error| error.to_string())?),
            ));
        }
        let mut command =
            plan.subject.command(&start.role, &plan.place).map_err(|error| error.to_string())?;
        command = command.envs(env).log(AppLog::Append(log.clone()));
        if let Some(limit) = start.core_limit {
            let hard = highest_core_limit();
            let soft = if limit == HandedLimit::Highest { hard } else { Some(0) };
            command = command.limit(Resource::Core, soft, hard);
        }

        let transcript = Transcript::new();
        let spawner = Spawner::start(&plan.spawner, ["spawner"]).await.map_err(|error| error.to_string())?;
        let mut main = None;
        let mut listener = None;
        let input = match start.mode {
            Mode::Worker => {
                let (theirs, ours) = socketpair().map_err(text("no socket pair"))?;
                let connection =
                    Connection::from_socket(ours, &transcript).map_err(|error| error.to_string())?;
                main = Some(Peer::new(connection));
                theirs
            }
            Mode::Listen => {
                let made = Listener::unix(&folder.path().join("app.sock"), DEFAULT_BACKLOG)
                    .map_err(|error| error.to_string())?;
                let shared = made.share().map_err(text("the listening socket cannot be shared"))?;
                listener = Some(made);
                shared
            }
        };
        let app = spawner.spawn(&command, input).await.map_err(|error| error.to_string())?;
        transcript.note(format!("process {} started by {}", app.pid(), spawner.pid()));
        Ok((Self { transcript, app, spawner, listener, log, _folder: folder }, main))
    }

    /// Ends every process and returns what is left.
    async fn strike(self) -> Log {
        if let Some(exit) = self.app.exit() {
            self.transcript.note(format!("process {} had ended: {exit}", self.app.pid()));
        }
        // Whatever the keeper says, dropping it ends what is left.
        let _ = self.spawner.shutdown().await;
        let panic = process::read_log(&self.log).lines().find(|line| line.contains(PANIC)).map(str::to_owned);
        Log { last: tail(&self.log), panic, transcript: self.transcript }
    }
}

/// What is left of a case when its processes are gone.
struct Log {
    /// The last lines of the application's stderr.
    last: Vec<String>,
    /// The first line of a panic in it, wherever that is.
    panic: Option<String>,
    transcript: Transcript,
}

fn text(what: &'static str) -> impl Fn(io::Error) -> String {
    move |error| format!("{what}: {error}")
}

/// The hard limit on core files of this process; `None` is no limit.
fn highest_core_limit() -> Option<u64> {
    rustix::process::getrlimit(Resource::Core).maximum
}

fn failure(
    plan: &Plan,
    scenario: &Scenario,
    step: Option<&Step>,
    problems: Vec<Problem>,
    stderr: Vec<String>,
) -> Failure {
    Failure {
        file: checkout::shown(&scenario.path),
        line: step.map_or(1, |step| step.line),
        column: step.map_or(1, |step| step.column),
        note: step.and_then(|step| step.note.clone()),
        problems,
        stderr,
        rerun: format!("{} {}", plan.rerun, scenario.id),
    }
}

/// The last lines of the file `log`.
pub(super) fn tail(log: &Path) -> Vec<String> {
    let text = process::read_log(log);
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(STDERR_LINES)).map(ToString::to_string).collect()
}
