//! Steps about the application's process: its end, its state, signals, its log.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use mock_lsws::Signal;
use mock_lsws::scenario::{CoreLimit, ExpectExit, ExpectProcess, Matcher, SignalTarget};
use rustix::process::Pid;

use super::case::Case;
use super::steps::{END_LIMIT, mistake, problem};
use crate::event::Problem;

/// How often a log file is looked at while a line is awaited.
const LOG_TICK: Duration = Duration::from_millis(10);

/// Longest stderr of an application, in bytes.
const MOST_LOG: u64 = 64 << 20;

/// How often the length of a log file is looked at.
const LOG_WATCH: Duration = Duration::from_millis(100);

/// What the line about core files in `/proc/PID/limits` begins with.
const CORE_LINE: &str = "Max core file size";

impl Case<'_> {
    pub(super) async fn expect_exit(&mut self, expected: &ExpectExit) -> Result<(), Vec<Problem>> {
        let started = Instant::now();
        let limit = expected.within.map_or(END_LIMIT, |within| within.0);
        let wanted = format!("{} within {limit:?}", expected.describe());
        let Ok(exit) = tokio::time::timeout(limit, self.stage.app.wait()).await else {
            return Err(vec![problem("process", &wanted, "it is still running")]);
        };
        let exit = exit.map_err(|error| vec![problem("process", &wanted, &error.to_string())])?;
        let after = started.elapsed();
        self.stage.transcript.note(format!("process {} ended: {exit}", self.stage.app.pid()));
        if !expected.accepts(exit) {
            return Err(vec![problem("process", &expected.describe(), &exit.to_string())]);
        }
        // An end by a signal is no surprise to a case that names it or takes any end, whoever sent it.
        self.signalled |= expected.code.is_none();
        match expected.not_before {
            Some(earliest) if after < earliest.0 => {
                let wanted = format!("{} not before {earliest}", expected.describe());
                Err(vec![problem("process", &wanted, &format!("{exit} after {after:.1?}"))])
            }
            _ => Ok(()),
        }
    }

    pub(super) fn expect_process(&mut self, expected: &ExpectProcess) -> Result<(), Vec<Problem>> {
        let app = &self.stage.app;
        let mut wrong = Vec::new();
        if let Some(alive) = expected.alive {
            let name = |alive| if alive { "running" } else { "ended" };
            if app.exit().is_none() != alive {
                let actual = app.exit().map_or_else(|| name(true).to_owned(), |exit| exit.to_string());
                wrong.push(problem("process", name(alive), &actual));
            }
        }
        if let Some(count) = expected.children {
            let mut others = self.stage.spawner.descendants();
            others.retain(|process| process.pid != app.pid());
            if others.len() != count {
                let list = others.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                let actual = format!("{}{}{list}", others.len(), if others.is_empty() { "" } else { ": " });
                wrong.push(problem("processes below the application's", &count.to_string(), &actual));
            }
        }
        if let Some(limit) = expected.core_limit {
            let (actual, right) = match core_limit(app.pid()) {
                Some(soft) => (soft.clone(), (soft == "0") == (limit == CoreLimit::Zero)),
                None => ("unknown: the process is gone".to_owned(), false),
            };
            if !right {
                let wanted = if limit == CoreLimit::Zero { "0" } else { "not 0" };
                wrong.push(problem("soft limit on core files", wanted, &actual));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The application's process has not ended.
    pub(super) fn still_runs(&self) -> Result<(), Vec<Problem>> {
        match self.stage.app.exit() {
            None => Ok(()),
            Some(exit) => Err(vec![problem("process", "running", &exit.to_string())]),
        }
    }

    pub(super) async fn signal(&mut self, signal: Signal, target: &SignalTarget) -> Result<(), Vec<Problem>> {
        let name = mock_lsws::signal::name(signal.as_raw()).unwrap_or("a signal");
        let app = &self.stage.app;
        let sent = match target {
            SignalTarget::Subject => {
                self.signalled = true;
                self.stage.transcript.note(format!("{name} to process {}", app.pid()));
                app.signal(signal)
            }
            SignalTarget::Parent => {
                self.stage.transcript.note(format!("the server process {} dies", self.stage.spawner.pid()));
                return self.stage.spawner.kill().await.map_err(|error| vec![mistake(&error.to_string())]);
            }
            SignalTarget::Pid(pid) => {
                let pid = pid.render(&self.vars).map_err(|error| vec![mistake(&error.to_string())])?;
                let target = pid.parse().ok().and_then(Pid::from_raw);
                // Only processes of this case: a number an application made up must not hit anything else.
                let known = |target: &Pid| {
                    let number = target.as_raw_nonzero().get();
                    self.stage.spawner.descendants().iter().any(|process| process.pid == number)
                };
                let Some(target) = target.filter(known) else {
                    return Err(vec![problem("signal", "a process of the application", &format!("{pid:?}"))]);
                };
                self.signalled = true;
                self.stage.transcript.note(format!("{name} to process {pid}"));
                rustix::process::kill_process(target, signal).map_err(Into::into)
            }
        };
        sent.map_err(|error| vec![problem("signal", "a running process", &error.to_string())])
    }

    pub(super) async fn wait_log(&mut self, line: &Matcher, limit: Duration) -> Result<(), Vec<Problem>> {
        let started = Instant::now();
        loop {
            let text = read_log(&self.stage.log);
            for candidate in text.lines() {
                let mut vars = self.vars.clone();
                if line.check("line", candidate.as_bytes(), &self.plan.root, &mut vars).is_empty() {
                    self.vars = vars;
                    return Ok(());
                }
            }
            if started.elapsed() >= limit {
                let wanted = format!("a line that is {} within {limit:?}", line.describe(&self.vars));
                return Err(vec![problem("stderr", &wanted, "no such line")]);
            }
            tokio::time::sleep(LOG_TICK).await;
        }
    }
}

/// The soft limit on core files of process `pid`, as `/proc` writes it.
fn core_limit(pid: i32) -> Option<String> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix(CORE_LINE))?;
    line.split_whitespace().next().map(str::to_owned)
}

/// What is in the file `log`, however it is encoded, up to a limit; nothing if there is none.
pub(super) fn read_log(log: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(log).and_then(|file| file.take(MOST_LOG).read_to_end(&mut bytes));
    read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Waits for `log` to become so long that the application will not stop by itself before the disk is full.
pub(super) async fn too_much_log(log: &Path) -> Problem {
    loop {
        tokio::time::sleep(LOG_WATCH).await;
        if std::fs::metadata(log).is_ok_and(|file| file.len() > MOST_LOG) {
            return problem("stderr", &format!("at most {} MiB", MOST_LOG >> 20), "more, without end");
        }
    }
}
