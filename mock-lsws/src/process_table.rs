//! Which processes there are, read from `/proc`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;

use serde::{Deserialize, Serialize};

/// A process as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub ppid: i32,
    /// Its process group.
    pub pgid: i32,
    /// Its session.
    pub sid: i32,
    /// The state letter: `R` running, `S` sleeping, `D` in a system call, `T` stopped, `Z` ended and not reaped.
    pub state: char,
    /// Its short name, at most 15 bytes.
    pub comm: String,
}

impl ProcessInfo {
    /// The process `pid`, if there is one.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether it has ended and nobody has reaped it.
    #[must_use]
    pub const fn is_zombie(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

impl fmt::Display for ProcessInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, ppid, state, comm, .. } = self;
        write!(f, "pid {pid} ({comm}), state {state}, child of {ppid}")
    }
}

/// All processes; those that end while the list is read may or may not be in it.
pub(crate) fn all() -> Vec<ProcessInfo> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(ProcessInfo::of).collect()
}

/// The descendants of `root`, without itself, parents before their children.
#[must_use]
pub fn descendants(root: i32) -> Vec<ProcessInfo> {
    descendants_in(root, all())
}

fn descendants_in(root: i32, processes: Vec<ProcessInfo>) -> Vec<ProcessInfo> {
    let mut children: HashMap<i32, Vec<ProcessInfo>> = HashMap::new();
    for process in processes {
        children.entry(process.ppid).or_default().push(process);
    }
    let mut seen = HashSet::from([root]);
    let mut found: Vec<ProcessInfo> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            // The list is not read in one instant: with reused ids it can contain a circle.
            if seen.insert(child.pid) {
                parents.push(child.pid);
                found.push(child);
            }
        }
    }
    found
}

/// Reads a line of `/proc/PID/stat`. The name is in parentheses and may itself contain any of them, and blanks.
fn parse(stat: &[u8]) -> Option<ProcessInfo> {
    let text = String::from_utf8_lossy(stat);
    let (pid, rest) = text.split_once(" (")?;
    let (comm, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse().ok();
    Some(ProcessInfo {
        pid: pid.parse().ok()?,
        state,
        ppid: number()?,
        pgid: number()?,
        sid: number()?,
        comm: comm.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, ppid: i32) -> ProcessInfo {
        ProcessInfo { pid, ppid, pgid: pid, sid: pid, state: 'S', comm: "x".into() }
    }

    #[test]
    fn names_with_parentheses_and_blanks_are_read() {
        let info = parse(b"42 (a) b (c) S 1 42 40 0 -1 4194560\n").unwrap();
        assert_eq!((info.pid, info.ppid, info.pgid, info.sid), (42, 1, 42, 40));
        assert_eq!((info.state, info.comm.as_str()), ('S', "a) b (c"));
        assert_eq!(parse(b"42 (x"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn descendants_are_found_through_all_generations() {
        let table = vec![process(5, 4), process(2, 1), process(3, 2), process(4, 3), process(9, 8)];
        let pids: Vec<_> = descendants_in(2, table).iter().map(|process| process.pid).collect();
        assert_eq!(pids, [3, 4, 5]);
    }

    #[test]
    fn a_circle_does_not_hang() {
        assert_eq!(descendants_in(1, vec![process(2, 1), process(1, 2), process(3, 3)]).len(), 1);
    }

    #[test]
    fn this_process_is_in_the_table() {
        let own = std::process::id().cast_signed();
        assert!(all().iter().any(|process| process.pid == own && !process.is_zombie()));
    }
}
