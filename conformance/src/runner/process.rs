//! Steps about the application's process: its end, signals, its log.

use std::time::{Duration, Instant};

use mock_lsws::Signal;
use mock_lsws::scenario::{ExpectExit, MAIN, Matcher, SignalTarget};
use rustix::process::Pid;

use super::case::Case;
use super::log_file::{LogFile, MOST_LOG};
use super::steps::{END_LIMIT, mistake, problem};
use crate::event::Problem;

/// How often a log file is looked at while a line is awaited.
const LOG_TICK: Duration = Duration::from_millis(10);

/// How often the length of a log file is looked at.
const LOG_WATCH: Duration = Duration::from_millis(100);

/// How long the end of a process that is on its way out may take.
const EXITING: Duration = Duration::from_secs(2);

/// The kernel's mark of a process on its way out.
const PF_EXITING: u64 = 4;

impl Case<'_> {
    pub(super) async fn expect_exit(&mut self, expected: &ExpectExit) -> Result<(), Vec<Problem>> {
        let started = Instant::now();
        let limit = expected.within.map_or(END_LIMIT, |within| within.0);
        let wanted = format!("{} within {limit:?}", expected.describe());
        let Ok(exit) = tokio::time::timeout(limit, self.stage.app().wait()).await else {
            return Err(vec![problem("process", &wanted, "it is still running")]);
        };
        let exit = exit.map_err(|error| vec![problem("process", &wanted, &error.to_string())])?;
        let after = started.elapsed();
        self.stage.transcript.note(format!("process {} ended: {exit}", self.stage.app().pid()));
        if !expected.accepts(exit) {
            return Err(vec![problem("process", &expected.describe(), &exit.to_string())]);
        }
        // An end by a signal is no surprise to a case that names it or takes any end, whoever sent it.
        self.done.explains_signal |= expected.code.is_none();
        match expected.not_before {
            Some(earliest) if after < earliest.0 => {
                let wanted = format!("{} not before {earliest}", expected.describe());
                Err(vec![problem("process", &wanted, &format!("{exit} after {after:.1?}"))])
            }
            _ => Ok(()),
        }
    }

    /// Starts the application once more when it has ended.
    pub(super) async fn start_again(&mut self) -> Result<(), Vec<Problem>> {
        if tokio::time::timeout(END_LIMIT, self.stage.app().wait()).await.is_err() {
            let wanted = format!("ended within {END_LIMIT:?}, to be started again");
            return Err(vec![problem("process", &wanted, "it is still running")]);
        }
        if let Some(crash) = self.crash().await {
            return Err(vec![crash]);
        }
        // What was said about the end of one process is not said about the next.
        self.done.explains_signal = false;
        match self.stage.start_again().await {
            Ok(main) => self.peers.extend(main.map(|main| (MAIN.to_owned(), main))),
            Err(reason) => return Err(vec![problem("start", "the application to start again", &reason)]),
        }
        Ok(())
    }

    /// The application's process has not ended, and is not about to.
    pub(super) async fn still_runs(&self) -> Result<(), Vec<Problem>> {
        if is_exiting(self.stage.app().pid()) {
            let _ = tokio::time::timeout(EXITING, self.stage.app().wait()).await;
        }
        match self.stage.app().exit() {
            None => Ok(()),
            Some(exit) => Err(vec![problem("process", "running", &exit.to_string())]),
        }
    }

    pub(super) async fn signal(&mut self, signal: Signal, target: &SignalTarget) -> Result<(), Vec<Problem>> {
        let name = mock_lsws::signal::name(signal.as_raw()).unwrap_or("a signal");
        let app = self.stage.app();
        let sent = match target {
            SignalTarget::Subject => {
                self.done.explains_signal = true;
                self.stage.transcript.note(format!("{name} to process {}", app.pid()));
                app.signal(signal)
            }
            SignalTarget::All => {
                self.done.explains_signal = true;
                let mut all = self.stage.spawner.descendants();
                all.retain(|process| !process.is_zombie());
                self.stage.transcript.note(format!("{name} to all {} processes", all.len()));
                for pid in all.into_iter().filter_map(|process| Pid::from_raw(process.pid)) {
                    // One may have ended at this moment.
                    let _ = rustix::process::kill_process(pid, signal);
                }
                return Ok(());
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
                self.done.explains_signal = true;
                self.stage.transcript.note(format!("{name} to process {pid}"));
                rustix::process::kill_process(target, signal).map_err(Into::into)
            }
        };
        sent.map_err(|error| vec![problem("signal", "a running process", &error.to_string())])
    }

    pub(super) async fn wait_log(&mut self, line: &Matcher, limit: Duration) -> Result<(), Vec<Problem>> {
        let started = Instant::now();
        loop {
            let text = self.stage.log.read();
            for candidate in text.lines() {
                let mut vars = self.vars.clone();
                if line.check("line", candidate.as_bytes(), &self.plan.root, &mut vars).is_empty() {
                    self.vars = vars;
                    self.done.awaited_lines.push(candidate.to_owned());
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

/// Whether process `pid` is on its way out: its connections close a moment before it is gone.
fn is_exiting(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before the last parenthesis can be anything; the flags are the seventh word behind it.
    let flags = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(6)?.parse::<u64>().ok());
    flags.is_none_or(|flags| flags & PF_EXITING != 0)
}

/// Waits for `log` to become so long that the application will not stop by itself before the disk is full.
pub(super) async fn too_much_log(log: &LogFile) -> Problem {
    loop {
        tokio::time::sleep(LOG_WATCH).await;
        if std::fs::metadata(log.path()).is_ok_and(|file| file.len() > MOST_LOG) {
            return problem("stderr", &format!("at most {} MiB", MOST_LOG >> 20), "more, without end");
        }
    }
}
