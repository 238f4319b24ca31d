//! How a case has left things: what the application still holds, how it ends, and what outlives it.
//!
//! Nothing here is asked for by a scenario; every application owes it in every case. Conditions that an application may
//! need a moment for are awaited, so a check takes time only when it is about to fail.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use mock_lsws::scenario::Mode;
use mock_lsws::{Address, Exit, ProcessInfo, Signal};

use super::case::Case;
use crate::event::Problem;

/// How long a worker may take to leave by itself when its connection has closed, before it is asked to.
const LEAVE: Duration = Duration::from_millis(1500);

/// How long an application may take to leave when it is asked to, before it is ended. That it did not is no fault: it may
/// be in the middle of something a scenario is about.
const GRACE: Duration = Duration::from_secs(2);

/// How long an application may take to tidy up. Its children may take a second to notice that it is gone; the rest is
/// for a busy machine.
const SETTLE: Duration = Duration::from_millis(2200);

/// How long the end of a process that has closed its connection may be on its way.
const NEWS: Duration = Duration::from_millis(200);

/// How often a condition is looked at.
const TICK: Duration = Duration::from_millis(10);

/// Leftovers of one kind that are listed.
const MOST: usize = 5;

impl Case<'_> {
    /// Looks at what is left of a case whose exchange went well, and ends its application.
    pub(super) async fn ending(&mut self) -> Vec<Problem> {
        let mut problems = Vec::new();
        problems.extend(self.held_connections().await);
        problems.extend(self.lost_processes().await);
        let mut asked = false;
        // A worker whose connection is closed has nothing left to do.
        let mut has_left = self.scenario.start.mode == Mode::Worker && self.has_ended_within(LEAVE).await;
        if !has_left {
            // It may be gone already, or go at this moment.
            asked = self.stage.app().signal(Signal::TERM).is_ok();
            has_left = self.has_ended_within(GRACE).await;
        }
        problems.extend(self.crash_unless(|exit| {
            asked && matches!(exit, Exit::Signal { signal, .. } if signal == Signal::TERM.as_raw())
        }));
        if !has_left {
            let _ = self.stage.app().signal(Signal::KILL);
            let _ = self.has_ended_within(GRACE).await;
        }
        // What was killed could tidy up nothing.
        let was_killed = matches!(self.stage.app().exit(), Some(Exit::Signal { signal, .. }) if signal == Signal::KILL.as_raw());
        if !was_killed {
            problems.extend(self.leftover_processes().await);
            problems.extend(leftover_files(&self.stage.work));
        }
        problems
    }

    /// The application's end by a signal nobody sent, if that is how it ended.
    pub(super) async fn crash(&mut self) -> Option<Problem> {
        let _ = self.has_ended_within(NEWS).await;
        self.crash_unless(|_| false)
    }

    fn crash_unless(&self, is_expected: impl Fn(Exit) -> bool) -> Option<Problem> {
        let exit = self.stage.app().exit()?;
        let is_crash = matches!(exit, Exit::Signal { .. });
        (is_crash && !self.done.explains_signal && !is_expected(exit))
            .then(|| Problem::new("the end of the process", "an exit of its own", exit.to_string()))
    }

    async fn has_ended_within(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.stage.app().wait()).await.is_ok()
    }

    /// Connections the application keeps although the other end of all of them is closed. Told by their inodes: those of
    /// accepted sockets carry the path of the socket they were accepted on.
    async fn held_connections(&self) -> Option<Problem> {
        let Some(Address::Unix(path)) = &self.stage.address else {
            return None;
        };
        if self.done.has_cut_off {
            return None;
        }
        let held = settled(|| {
            let accepted = accepted_on(path, &read("/proc/net/unix"));
            if accepted.is_empty() { Vec::new() } else { self.holders(&accepted) }
        })
        .await;
        problem("connections that are closed", "none held by the application", &held)
    }

    /// Which processes of the case have one of `inodes` open.
    fn holders(&self, inodes: &BTreeSet<u64>) -> Vec<String> {
        let holds = |process: &ProcessInfo| sockets_of(process.pid).intersection(inodes).count();
        let processes = self.stage.spawner.descendants();
        let held = processes.iter().map(|process| (process, holds(process))).filter(|(_, count)| *count > 0);
        held.map(|(process, count)| format!("{count} held by {process}")).collect()
    }

    /// Ended processes that the application has not reaped. Its own end is the server's to reap.
    pub(super) async fn zombies(&self) -> Option<Problem> {
        let found = settled(|| {
            let processes = self.stage.spawner.descendants();
            let is_of_app = |zombie: &&ProcessInfo| processes.iter().any(|parent| parent.pid == zombie.ppid);
            let zombies = processes.iter().filter(|process| process.is_zombie()).filter(is_of_app);
            zombies.map(ToString::to_string).collect()
        })
        .await;
        problem("zombies", "every child that ended reaped by its parent", &found)
    }

    /// Processes that have left both the application's session and their parent: neither the application nor a server
    /// that ends the session reaches them. A child in a session of its own is still in the application's hands.
    async fn lost_processes(&self) -> Option<Problem> {
        let session = self.stage.app().pid();
        // One whose parent has died may be about to end for that reason.
        let lost = settled(|| {
            let processes = self.stage.spawner.descendants();
            let has_parent = |process: &ProcessInfo| {
                process.pid == session || processes.iter().any(|parent| parent.pid == process.ppid)
            };
            let is_lost = |process: &&ProcessInfo| {
                process.sid != session && !process.is_zombie() && !has_parent(process)
            };
            let lost = processes.iter().filter(is_lost);
            lost.map(|process| format!("{process}, session {}", process.sid)).collect()
        })
        .await;
        problem(
            "processes out of reach",
            &format!("all in session {session}, or children of one there"),
            &lost,
        )
    }

    /// Processes that are there although the application is gone.
    async fn leftover_processes(&self) -> Option<Problem> {
        let own = self.stage.app().pid();
        let left = settled(|| {
            let processes = self.stage.spawner.descendants();
            // One that has ended as well only waits for whoever inherited it.
            let left = processes.iter().filter(|process| process.pid != own && !process.is_zombie());
            left.map(ToString::to_string).collect()
        })
        .await;
        problem("processes left behind", "none when the application has ended", &left)
    }
}

/// What `look` finds when it has had time to become empty.
async fn settled(look: impl Fn() -> Vec<String>) -> Vec<String> {
    let started = Instant::now();
    loop {
        let found = look();
        if found.is_empty() || started.elapsed() > SETTLE {
            return found;
        }
        tokio::time::sleep(TICK).await;
    }
}

fn problem(field: &str, expected: &str, found: &[String]) -> Option<Problem> {
    let more = found.len().saturating_sub(MOST);
    let mut actual = found.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join("; ");
    if more > 0 {
        actual += &format!("; and {more} more");
    }
    (!found.is_empty()).then(|| Problem::new(field, expected, actual))
}

/// Files in the application's own folder. Core files are not counted: whether there is one is for the limits to say.
fn leftover_files(folder: &Path) -> Option<Problem> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.starts_with("core"));
    names.sort();
    problem("files left behind", "none in the working and temporary folder", &names)
}

/// The inodes of connected sockets in `table`, which is `/proc/net/unix`, that were accepted on the one at `path`.
fn accepted_on(path: &Path, table: &str) -> BTreeSet<u64> {
    let inode = |line: &str| {
        let mut fields = line.split_whitespace();
        let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
        let inode = fields.nth(2)?.parse().ok()?;
        let is_listening = flags & LISTENING != 0;
        (fields.next().map(Path::new) == Some(path) && !is_listening && inode != 0).then_some(inode)
    };
    table.lines().filter_map(inode).collect()
}

/// The flag of listening sockets in that table.
const LISTENING: u32 = 0x1_0000;

/// The inodes of all sockets process `pid` has open.
fn sockets_of(pid: i32) -> BTreeSet<u64> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let inode = |entry: std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    entries.filter_map(inode).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_sockets_are_told_from_listening_ones_and_from_those_of_others() {
        let table = "\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 100 /tmp/a.sock
0000000000000000: 00000003 00000000 00000000 0001 03 101 /tmp/a.sock
0000000000000000: 00000003 00000000 00000000 0001 03 0 /tmp/a.sock
0000000000000000: 00000003 00000000 00000000 0001 03 102
0000000000000000: 00000003 00000000 00000000 0001 03 103 /tmp/a.sock2
";
        assert_eq!(accepted_on(Path::new("/tmp/a.sock"), table), BTreeSet::from([101]));
    }

    #[test]
    fn only_so_many_leftovers_are_listed() {
        let found: Vec<_> = (0..7).map(|number| format!("f{number}")).collect();
        assert_eq!(problem("x", "none", &found).unwrap().actual, "f0; f1; f2; f3; f4; and 2 more");
        assert_eq!(problem("x", "none", &[]), None);
    }
}
