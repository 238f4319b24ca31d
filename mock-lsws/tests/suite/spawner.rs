//! The parent process of applications: its death, and what it leaves behind.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use mock_lsws::{AppLog, Exit, ProcessInfo, Signal, SpawnedApp, Spawner, StartError, socketpair};

use crate::support::{block_on, eventually, line_of, runs, shell, spawner};

struct Started {
    app: SpawnedApp,
    log: PathBuf,
    _ours: UnixStream,
}

async fn start(spawner: &Spawner, dir: &Path, script: &str) -> Started {
    let (input, ours) = socketpair().unwrap();
    let log = dir.join("log");
    let app = spawner.spawn(&shell(script).log(AppLog::Append(log.clone())), input).await.unwrap();
    Started { app, log, _ours: ours }
}

/// Leaves its session, its process group and its parent, as daemons do.
const DAEMON: &str = "setsid sh -c 'sleep 600 & echo daemon $! >&2' & wait; exec sleep 600";

#[test]
fn ends_of_applications_are_told_with_their_status() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let spawner = spawner().await;
        let mut apps = Vec::new();
        for code in 0..5 {
            apps.push(start(&spawner, dir.path(), &format!("exit {code}")).await);
        }
        for (started, code) in apps.iter().zip(0..) {
            assert_eq!(started.app.wait().await.unwrap(), Exit::Code(code));
            assert!(started.app.lifetime().unwrap() < crate::support::LONG);
        }
        let sleeping = start(&spawner, dir.path(), "exec sleep 600").await;
        assert_eq!(sleeping.app.exit(), None);
        sleeping.app.signal(Signal::KILL).unwrap();
        assert_eq!(sleeping.app.wait().await.unwrap(), Exit::Signal { signal: 9, core: false });
        assert!(sleeping.app.signal(Signal::KILL).is_err(), "there is nobody to get it");
        assert_eq!(spawner.shutdown().await.unwrap(), []);
    });
}

#[test]
fn the_server_process_is_the_parent_and_its_death_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let spawner = spawner().await;
        let started = start(&spawner, dir.path(), "exec sleep 600").await;
        let pid = started.app.pid();
        assert_eq!(ProcessInfo::of(pid).unwrap().ppid, spawner.pid());

        spawner.kill().await.unwrap();
        let process = ProcessInfo::of(pid).unwrap();
        assert_ne!(process.ppid, spawner.pid(), "its parent is gone");
        assert_eq!((process.pid, process.pgid, process.sid), (pid, pid, pid));
        assert!(runs(pid), "and it lives on");
        let seen: Vec<i32> = spawner.descendants().iter().map(|process| process.pid).collect();
        assert_eq!(seen, [pid], "still in sight");

        // Its end is still told, and a dead server starts nothing.
        started.app.signal(Signal::TERM).unwrap();
        assert_eq!(started.app.wait().await.unwrap(), Exit::Signal { signal: 15, core: false });
        let (input, _ours) = socketpair().unwrap();
        assert!(matches!(spawner.spawn(&shell("true"), input).await, Err(StartError::SpawnerGone)));
    });
}

#[test]
fn a_new_server_takes_the_place_of_a_dead_one() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let spawner = spawner().await;
        let old = spawner.pid();
        spawner.kill().await.unwrap();
        spawner.restart().await.unwrap();
        assert_ne!(spawner.pid(), old);
        let started = start(&spawner, dir.path(), "exit 4").await;
        assert_eq!(started.app.wait().await.unwrap(), Exit::Code(4));
    });
}

#[test]
fn nothing_escapes_not_even_from_a_dead_server() {
    let dir = tempfile::tempdir().unwrap();
    for kill_server in [false, true] {
        let dir = tempfile::tempdir_in(dir.path()).unwrap();
        block_on(async {
            let spawner = spawner().await;
            let started = start(&spawner, dir.path(), DAEMON).await;
            let daemon: i32 = line_of(&started.log, "daemon ").parse().unwrap();
            assert_ne!(ProcessInfo::of(daemon).unwrap().sid, started.app.pid(), "it has left the session");
            if kill_server {
                spawner.kill().await.unwrap();
            }
            let seen: Vec<i32> = spawner.descendants().iter().map(|process| process.pid).collect();
            assert!(seen.contains(&daemon) && seen.contains(&started.app.pid()), "{seen:?}");

            let ended: Vec<i32> =
                spawner.shutdown().await.unwrap().iter().map(|process| process.pid).collect();
            assert!(ended.contains(&daemon) && ended.contains(&started.app.pid()), "{ended:?}");
            for pid in ended {
                assert!(ProcessInfo::of(pid).is_none(), "process {pid} is ended and reaped");
            }
        });
    }
}

#[test]
fn dropping_a_spawner_ends_everything_before_it_returns() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let spawner = spawner().await;
        let started = start(&spawner, dir.path(), DAEMON).await;
        let daemon: i32 = line_of(&started.log, "daemon ").parse().unwrap();
        let pids = [daemon, started.app.pid(), spawner.pid()];
        drop(spawner);
        for pid in pids {
            assert!(ProcessInfo::of(pid).is_none(), "process {pid} is ended and reaped");
        }
    });
}

#[test]
fn long_environments_and_many_applications_fit() {
    let dir = tempfile::tempdir().unwrap();
    block_on(async {
        let spawner = spawner().await;
        let (input, _ours) = socketpair().unwrap();
        let log = dir.path().join("log");
        let command = (0..100).fold(shell("echo ${#V99} >&2"), |command, number| {
            command.env(format!("V{number}"), "x".repeat(10_000))
        });
        let app = spawner.spawn(&command.log(AppLog::Append(log.clone())), input).await.unwrap();
        assert!(app.wait().await.unwrap().success());
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "10000\n");

        let starts = (0..20).map(|_| start(&spawner, dir.path(), "exec sleep 600"));
        let mut apps = Vec::new();
        for start in starts {
            apps.push(start.await);
        }
        assert_eq!(spawner.descendants().len(), 20);
    });
}

#[test]
fn a_program_that_is_no_spawner_is_an_error() {
    block_on(async {
        let error = Spawner::start("/bin/true".as_ref(), [""; 0]).await.unwrap_err().to_string();
        assert!(error.contains("/bin/true") && error.contains("spawner"), "{error}");
        let error = Spawner::start("/no/such/program".as_ref(), [""; 0]).await.unwrap_err().to_string();
        assert!(error.contains("/no/such/program"), "{error}");
    });
}

#[test]
fn a_folder_outlives_the_processes_and_goes_with_the_spawner() {
    let parent = tempfile::tempdir().unwrap();
    block_on(async {
        let spawner = spawner().await;
        let folder = spawner.make_folder(parent.path()).await.unwrap();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let other = spawner.make_folder(parent.path()).await.unwrap();
        assert_ne!(folder, other);
        std::fs::create_dir(folder.join("below")).unwrap();
        let started = start(&spawner, &folder, "echo written >&2; exec sleep 600").await;
        line_of(&started.log, "written");

        let ended: Vec<i32> = spawner.end_all().await.unwrap().iter().map(|process| process.pid).collect();
        assert_eq!(ended, [started.app.pid()]);
        assert_eq!(std::fs::read_to_string(&started.log).unwrap(), "written\n", "still there to be read");
        assert_eq!(spawner.shutdown().await.unwrap(), [], "nothing was left to be ended");
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    });
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error() {
    block_on(async {
        let error = spawner().await.make_folder("/no/such/folder".as_ref()).await.unwrap_err().to_string();
        assert!(error.contains("/no/such/folder") && error.contains("No such file"), "{error}");
    });
}

#[test]
fn a_client_that_is_killed_leaves_neither_process_nor_folder() {
    let parent = tempfile::tempdir().unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut keeper =
        Command::new(crate::support::exe()).arg("spawner").stdin(OwnedFd::from(theirs)).spawn().unwrap();
    let request = format!("{{\"MakeFolder\":{{\"parent\":{:?}}}}}", parent.path());
    ours.write_all(&u32::try_from(request.len()).unwrap().to_ne_bytes()).unwrap();
    ours.write_all(request.as_bytes()).unwrap();
    let made = eventually("the folder", || std::fs::read_dir(parent.path()).unwrap().next());
    assert!(made.unwrap().path().is_dir());

    // The client is now a process of its own, the only one that holds this end of the socket.
    let mut client = Command::new("sleep").arg("600").stdin(OwnedFd::from(ours)).spawn().unwrap();
    assert!(keeper.try_wait().unwrap().is_none(), "the spawner lives as long as its client");
    client.kill().unwrap();
    client.wait().unwrap();
    assert!(keeper.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
}
