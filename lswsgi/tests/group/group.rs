//! A running process group: lswsgi with a listening socket on descriptor 0, as a server starts it.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::processes;
use crate::support::{Connection, PATIENCE, Start, Worker};

/// A group. Whatever of it is left when this is dropped is killed.
pub(crate) struct Group {
    /// The process that was started: the manager, or what stands in front of it.
    started: Worker,
    socket: PathBuf,
    /// Where standard error of all of them leads.
    pipe: String,
}

/// lswsgi with `source` as its application and up to `children` workers.
pub(crate) fn application(source: &str, children: u32) -> Start {
    let start = Start::application(source).arg("--log-level").arg("debug");
    let start = start.env("LSAPI_CHILDREN", &children.to_string());
    // On a busy machine any pause may be the second after which an idle worker is surplus, and its connection is ended.
    start.env("LSAPI_MAX_IDLE_CHILDREN", &children.max(1).to_string())
}

/// Puts a program in front of lswsgi, which is to start what its arguments name.
pub(crate) fn below(mut start: Start, program: &[&str]) -> Start {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).arg(start.command.get_program()).args(start.command.get_args());
    command.env_clear().envs(start.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    start.command = command;
    start
}

impl Group {
    /// Starts it and waits until it serves.
    pub(crate) fn start(start: Start) -> Self {
        let group = Self::start_only(start);
        group.log("serving");
        group
    }

    /// Starts it. Connections wait until somebody takes them.
    pub(crate) fn start_only(mut start: Start) -> Self {
        let socket = start.dir.path().join("server.sock");
        let listener = UnixListener::bind(&socket).expect("the folder is ours");
        start.command.stdin(Stdio::from(OwnedFd::from(listener)));
        let started = start.spawn();
        let pipe = processes::standard_error(started.pid()).expect("it has just been started");
        Self { started, socket, pipe }
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Connection {
        Connection::to(&self.socket)
    }

    /// Where to connect to.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The folder of the application, which is where it runs.
    pub(crate) fn dir(&self) -> &Path {
        self.started.dir.path()
    }

    /// The process that was started.
    pub(crate) fn pid(&self) -> u32 {
        self.started.pid()
    }

    /// Waits for a line of the log that contains `text`.
    pub(crate) fn log(&self, text: &str) -> String {
        self.started.wait_log(text)
    }

    /// Waits until `count` lines of the log contain `text`, and returns them.
    pub(crate) fn logs(&self, count: usize, text: &str) -> Vec<String> {
        self.logs_within(PATIENCE, count, text)
    }

    /// As [`logs`](Self::logs), and within this time.
    pub(crate) fn logs_within(&self, patience: Duration, count: usize, text: &str) -> Vec<String> {
        let what = format!("{count} lines with '{text}' within {patience:?}");
        self.started.log.wait_for(patience, &what, |lines, _| {
            let found: Vec<String> = lines.iter().filter(|line| line.contains(text)).cloned().collect();
            (found.len() >= count).then_some(found)
        })
    }

    /// Everything logged so far.
    pub(crate) fn said(&self) -> String {
        self.started.log.text()
    }

    /// All processes of the group, and what the application has started.
    pub(crate) fn members(&self) -> Vec<u32> {
        processes::writers(&self.pipe)
    }

    /// Those whose title begins with `role`, below the process `manager`.
    fn titled(&self, role: &str) -> Vec<u32> {
        let role = format!("lswsgi: {role}");
        self.members().into_iter().filter(|&pid| processes::title(pid).starts_with(&role)).collect()
    }

    /// The workers that run, ready or not.
    pub(crate) fn workers(&self) -> Vec<u32> {
        self.titled("worker")
    }

    /// The template, if there is one.
    pub(crate) fn template(&self) -> Option<u32> {
        self.templates().first().copied()
    }

    /// All templates, as the log tells: during a reload there are two. A worker has the title of its template for a moment.
    pub(crate) fn templates(&self) -> Vec<u32> {
        let said = self.said();
        let started =
            said.lines().filter_map(|line| line.split_once(" debug: template ")?.1.strip_suffix(" started"));
        let started = started.map(|pid| pid.parse().expect("a pid"));
        started.filter(|&pid| processes::state(pid).is_some_and(|state| state != 'Z')).collect()
    }

    /// Sends a signal to the process that was started.
    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits until the process that was started has ended, and nothing is left of the group.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.started.wait()
    }

    /// Waits at most `patience` until nothing is left of the group, whoever was started.
    pub(crate) fn wait_gone(&self, patience: Duration) {
        let what = format!("end within {patience:?} of {:?}", self.members());
        self.started.log.wait_for(patience, &what, |_, ended| ended.then_some(()));
    }
}

impl Group {
    /// Kills whatever is left of it.
    pub(crate) fn kill(&self) {
        let deadline = Instant::now() + PATIENCE;
        // One that is forking while we look is found the next time.
        loop {
            let mut members = self.members();
            members.retain(|&pid| processes::state(pid).is_some_and(|state| state != 'Z'));
            if members.is_empty() || Instant::now() > deadline {
                return;
            }
            members.into_iter().for_each(|pid| send(pid, Signal::KILL));
            std::thread::yield_now();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The process that was started is waited for by its own drop.
        self.kill();
    }
}

/// Sends a signal to a process, if it is still there.
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid of /proc");
    let _ = kill_process(pid, signal);
}

/// Waits until `what` is so. For what no event tells of: the state of other processes.
pub(crate) fn eventually<T>(group: &Group, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "never {what}; the log:\n{}", group.said());
        std::thread::sleep(Duration::from_millis(5));
    }
}
