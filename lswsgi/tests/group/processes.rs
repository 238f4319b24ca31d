//! What `/proc` tells of other processes. One that ends while it is looked at is not there.

use std::fs;

/// All processes.
fn all() -> Vec<u32> {
    let folders = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    folders.filter_map(|folder| folder.file_name().to_str()?.parse().ok()).collect()
}

/// A file of a process, as text.
fn read(pid: u32, file: &str) -> Option<String> {
    fs::read(format!("/proc/{pid}/{file}")).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The fields of `stat` behind the name, which may hold anything: the state first, then the parent.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = read(pid, "stat")?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// The letter of the state: 'R', 'S', 'T', 'Z', ...
pub(crate) fn state(pid: u32) -> Option<char> {
    stat(pid).map(|stat| stat.0)
}

/// The children of a process, also those that have ended and were not waited for.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    all().into_iter().filter(|&pid| stat(pid).is_some_and(|stat| stat.1 == parent)).collect()
}

/// The title, which is what `ps` shows.
pub(crate) fn title(pid: u32) -> String {
    read(pid, "cmdline").unwrap_or_default().replace('\0', " ").trim_end().to_owned()
}

/// What standard error leads to: `pipe:[NUMBER]` tells the members of a group from all other processes.
pub(crate) fn standard_error(pid: u32) -> Option<String> {
    Some(fs::read_link(format!("/proc/{pid}/fd/2")).ok()?.to_str()?.to_owned())
}

/// All processes whose standard error leads to `pipe`.
pub(crate) fn writers(pipe: &str) -> Vec<u32> {
    all().into_iter().filter(|&pid| standard_error(pid).is_some_and(|link| link == pipe)).collect()
}

/// How many descriptors a process has open.
pub(crate) fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// How often a process has waited for something.
pub(crate) fn waits(pid: u32) -> u64 {
    let status = read(pid, "status").expect("the process runs");
    let waits = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    waits.and_then(|waits| waits.trim().parse().ok()).expect("a number")
}
