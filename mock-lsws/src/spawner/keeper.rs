//! The keeper: the process that sees to it that nothing outlives the client, no process and no folder.

use std::fs::Permissions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::link;
use super::message::{Message, Request};
use super::reap::{Events, is_childless};
use super::server;
use crate::process_table::{ProcessInfo, descendants};
use crate::{exit_code, sys};

/// How long ending everything may take. SIGKILL needs no cooperation; only a process stuck inside the kernel can
/// outlast this.
const END_LIMIT: Duration = Duration::from_secs(10);

/// How the folders begin that the keeper makes.
const FOLDER_PREFIX: &str = "lsapi-";

/// Does the work of the hidden `spawner` subcommand: keeps a server process and its applications until the client at
/// the other end of descriptor 0 is gone, then ends and reaps every descendant and removes the folders it made.
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
    let mut kept = Kept::default();
    let result = keep(&mut events, &mut kept);
    end_all(&events, &kept);
    for folder in kept.folders {
        let path = folder.path().to_owned();
        if let Err(error) = folder.close() {
            eprintln!("spawner: the folder {} could not be removed: {error}", path.display());
        }
    }
    result
}

/// What goes with the client.
#[derive(Default)]
struct Kept {
    /// Pids of the server processes there have been.
    servers: Vec<i32>,
    folders: Vec<TempDir>,
    /// Pids of applications that do not go.
    staying: Vec<i32>,
}

/// Runs until the client is gone or somebody wants this process to end.
fn keep(events: &mut Events, kept: &mut Kept) -> io::Result<()> {
    loop {
        let ready = events.wait()?;
        if ready.child {
            events.reap();
        }
        if ready.stop {
            return Ok(());
        }
        if !ready.control {
            continue;
        }
        match link::receive(events.control()) {
            Ok(Some((Request::StartServer, mut fds))) => match fds.pop() {
                Some(socket) => kept.servers.extend(start_server(events, socket)),
                None => events.tell(&Message::ServerFailed { reason: "no socket came with it".into() }),
            },
            Ok(Some((Request::MakeFolder { parent }, _))) => {
                let private = Permissions::from_mode(0o700);
                let made =
                    tempfile::Builder::new().prefix(FOLDER_PREFIX).permissions(private).tempdir_in(&parent);
                events.tell(&match &made {
                    Ok(folder) => Message::FolderMade { path: folder.path().to_owned() },
                    Err(error) => Message::FolderFailed { reason: error.to_string() },
                });
                kept.folders.extend(made);
            }
            Ok(Some((Request::LetStay { pid }, _))) => kept.staying.push(pid),
            Ok(Some((Request::EndAll, _))) => {
                let ended = end_all(events, kept);
                events.tell(&Message::Done { ended });
            }
            Ok(Some((Request::Spawn { .. }, _))) => {
                return Err(io::Error::other("the keeper was asked to start an application"));
            }
            // Reset is how a client with unread messages goes.
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
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

/// Ends and reaps every descendant but those that stay, and returns those there were, without the servers.
///
/// As this process is a subreaper, whatever loses its parent becomes a child of it: when there is no child left there
/// is no descendant left.
fn end_all(events: &Events, kept: &Kept) -> Vec<ProcessInfo> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let limit = Instant::now() + END_LIMIT;
    let mut there = goers(own, kept);
    there.retain(|process| !kept.servers.contains(&process.pid));
    while !is_done(own, kept) {
        for process in goers(own, kept) {
            if let Some(pid) = Pid::from_raw(process.pid) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        if events.wait_for_child(20).is_err() || Instant::now() > limit {
            eprintln!("spawner: some processes could not be ended: {}", list(&goers(own, kept)));
            break;
        }
        events.reap();
    }
    there
}

/// The descendants that go.
fn goers(own: i32, kept: &Kept) -> Vec<ProcessInfo> {
    let mut all = descendants(own);
    let mut staying = kept.staying.clone();
    // Parents come before their children.
    all.retain(|process| {
        let stays = staying.contains(&process.pid)
            || staying.contains(&process.ppid)
            || kept.staying.contains(&process.sid);
        if stays {
            staying.push(process.pid);
        }
        !stays
    });
    all
}

/// Whether nothing is left that goes.
fn is_done(own: i32, kept: &Kept) -> bool {
    if kept.staying.is_empty() { is_childless() } else { goers(own, kept).is_empty() }
}

fn list(processes: &[ProcessInfo]) -> String {
    processes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
