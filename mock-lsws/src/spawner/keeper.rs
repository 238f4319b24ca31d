//! The keeper: the process that sees to it that nothing outlives the client.

use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::link;
use super::message::{Message, Request};
use super::reap::{Events, is_childless};
use super::server;
use crate::process_table::{ProcessInfo, descendants};
use crate::{exit_code, sys};

/// How long ending everything may take. SIGKILL needs no cooperation; only a process stuck inside the kernel can
/// outlast this.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Does the work of the hidden `spawner` subcommand: keeps a server process and its applications until the client at
/// the other end of descriptor 0 is gone, then ends and reaps every descendant.
///
/// Call it before any thread is started.
#[must_use]
pub fn serve() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "spawner: {error}; this subcommand is started by this program itself, with a control socket as \
                 standard input"
            );
            ExitCode::from(exit_code::SPAWNER)
        }
    }
}

fn run() -> io::Result<()> {
    let control = sys::inherited_descriptor(0)?;
    // A socket, or somebody typed the command.
    rustix::net::sockopt::socket_type(&control)?;
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::process::set_child_subreaper(Pid::from_raw(1))?;

    let mut events = Events::new(control)?;
    let mut servers = Vec::new();
    let result = keep(&mut events, &mut servers);
    let ended = end_all(&events, &servers);
    if let Ok(true) = result {
        events.tell(&Message::Done { ended });
    }
    result.map(|_| ())
}

/// Runs until the client is gone (false) or has asked for the end (true).
fn keep(events: &mut Events, servers: &mut Vec<i32>) -> io::Result<bool> {
    loop {
        let ready = events.wait()?;
        if ready.child {
            events.reap();
        }
        if ready.stop {
            return Ok(false);
        }
        if !ready.control {
            continue;
        }
        match link::receive(events.control()) {
            Ok(Some((Request::StartServer, mut fds))) => match fds.pop() {
                Some(socket) => servers.extend(start_server(events, socket)),
                None => events.tell(&Message::ServerFailed { reason: "no socket came with it".into() }),
            },
            Ok(Some((Request::Shutdown, _))) => return Ok(true),
            Ok(Some((Request::Spawn { .. }, _))) => {
                return Err(io::Error::other("the keeper was asked to start an application"));
            }
            // Reset is how a client with unread messages goes.
            Ok(None) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// Forks a server and returns its pid.
fn start_server(events: &mut Events, socket: OwnedFd) -> Option<i32> {
    let keeper = rustix::process::getpid();
    match sys::fork_single_threaded(|| server::run(events, socket, keeper)) {
        Ok(pid) => {
            let pid = pid.as_raw_nonzero().get();
            events.tell(&Message::ServerStarted { pid });
            Some(pid)
        }
        Err(error) => {
            events.tell(&Message::ServerFailed { reason: error.to_string() });
            None
        }
    }
}

/// Ends and reaps every descendant, and returns those there were, without the servers.
///
/// As this process is a subreaper, whatever loses its parent becomes a child of it: when there is no child left there
/// is no descendant left.
fn end_all(events: &Events, servers: &[i32]) -> Vec<ProcessInfo> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let limit = Instant::now() + END_LIMIT;
    let mut there = descendants(own);
    there.retain(|process| !servers.contains(&process.pid));
    while !is_childless() {
        for process in descendants(own) {
            if let Some(pid) = Pid::from_raw(process.pid) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        if events.wait_for_child(20).is_err() || Instant::now() > limit {
            eprintln!("spawner: some processes could not be ended: {}", list(&descendants(own)));
            break;
        }
        events.reap();
    }
    there
}

fn list(processes: &[ProcessInfo]) -> String {
    processes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
