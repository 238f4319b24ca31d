//! Is memory short? The rule by which no process is forked that need not be (lsapi 2.5).
//!
//! The machine counts, and each control group this process is in: a container is full long before its machine is. Where
//! nothing can be read, memory is not short.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Memory of the machine or of a control group, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Memory {
    free: u64,
    total: u64,
}

/// Files that tell about memory, and the names of the version of control groups they belong to.
struct Names {
    /// The group's limit.
    limit: &'static str,
    /// What it uses, files in the page cache included.
    usage: &'static str,
    /// In `memory.stat`: files in the page cache that go first.
    reclaimable: &'static str,
}

const V1: Names = Names {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: "total_inactive_file",
};

const V2: Names = Names { limit: "memory.max", usage: "memory.current", reclaimable: "inactive_file" };

/// How long an answer holds: it is asked for each time a process of the group does something.
const HOLDS: Duration = Duration::from_millis(500);

/// Tells whether memory is short.
#[derive(Debug)]
pub(crate) struct Gauge {
    min_free: u64,
    last: Cell<Option<(Instant, bool)>>,
}

impl Gauge {
    /// Short is when less than `min_free` bytes are free, and less than a tenth of all memory.
    pub(crate) const fn new(min_free: u64) -> Self {
        Self { min_free, last: Cell::new(None) }
    }

    /// Whether memory is short. `now` is the present.
    pub(crate) fn is_short(&self, now: Instant) -> bool {
        if let Some((when, is_short)) = self.last.get()
            && now.saturating_duration_since(when) < HOLDS
        {
            return is_short;
        }
        let is_short = is_short_in(Path::new("/proc"), Path::new("/sys/fs/cgroup"), self.min_free);
        self.last.set(Some((now, is_short)));
        is_short
    }
}

fn is_short_in(proc: &Path, groups: &Path, min_free: u64) -> bool {
    let of_groups = of_groups(proc, groups).unwrap_or_default();
    of_machine(proc).into_iter().chain(of_groups).any(|memory| memory.is_short(min_free))
}

impl Memory {
    const fn is_short(self, min_free: u64) -> bool {
        self.free < min_free && self.free < self.total / 10
    }
}

/// What the kernel thinks can be had without swapping.
fn of_machine(proc: &Path) -> Option<Memory> {
    let text = fs::read_to_string(proc.join("meminfo")).ok()?;
    let kib = |name: &str| value::<u64>(&text, name)?.checked_mul(1024);
    Some(Memory { free: kib("MemAvailable:")?, total: kib("MemTotal:")? })
}

/// The groups of this process that have a limit, with all groups they are in.
fn of_groups(proc: &Path, groups: &Path) -> Option<Vec<Memory>> {
    let text = fs::read_to_string(proc.join("self/cgroup")).ok()?;
    let mut found = Vec::new();
    for line in text.lines() {
        // Hierarchy, controllers, path (cgroups(7)).
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (root, names) = match controllers {
            "" => (groups.to_owned(), &V2),
            _ if controllers.split(',').any(|name| name == "memory") => (groups.join("memory"), &V1),
            _ => continue,
        };
        found.extend(with_parents(&root, path).iter().filter_map(|folder| of_group(folder, names)));
    }
    Some(found)
}

/// The folder of a group and those of the groups around it, up to the root.
fn with_parents(root: &Path, path: &str) -> Vec<PathBuf> {
    // A group outside of this process's view begins with "/..".
    let path = path.trim_start_matches("/..").trim_start_matches('/');
    Path::new(path).ancestors().map(|folder| root.join(folder)).collect()
}

fn of_group(folder: &Path, names: &Names) -> Option<Memory> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    // "max" is no number; version 1 says a number beyond all memory, of which a tenth is always free.
    let total = number(names.limit)?;
    let cached = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let used = number(names.usage)?.saturating_sub(value(&cached, names.reclaimable).unwrap_or(0));
    Some(Memory { free: total.saturating_sub(used), total })
}

/// The number after `name` at the beginning of a line.
fn value<T: FromStr>(text: &str, name: &str) -> Option<T> {
    text.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    const GIB: u64 = 1 << 30;
    const MIB: u64 = 1 << 20;

    /// A machine with `available` of `total` MiB, this process in the groups `cgroup`, and files about these.
    fn machine(available: u64, total: u64, cgroup: &str, files: &[(&str, &str)]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let meminfo = format!(
            "MemTotal:       {} kB\nMemFree:        1 kB\nMemAvailable:   {} kB\n",
            total << 10,
            available << 10
        );
        write("proc/meminfo", &meminfo);
        write("proc/self/cgroup", cgroup);
        for (path, text) in files {
            write(&format!("sys/{path}"), text);
        }
        dir
    }

    fn is_short_on(dir: &TempDir, min_free: u64) -> bool {
        is_short_in(&dir.path().join("proc"), &dir.path().join("sys"), min_free)
    }

    #[test]
    fn enough_is_the_limit_or_a_tenth() {
        assert!(!is_short_on(&machine(1024, 64_000, "", &[]), GIB));
        assert!(is_short_on(&machine(1023, 64_000, "", &[]), GIB));
        assert!(!is_short_on(&machine(100, 1000, "", &[]), GIB));
        assert!(is_short_on(&machine(99, 1000, "", &[]), GIB));
        assert!(!is_short_on(&machine(99, 1000, "", &[]), 50 * MIB));
    }

    #[test]
    fn a_full_group_is_short_of_memory_on_a_machine_that_is_not() {
        let group = |used: &str| {
            let files = [("app/memory.max", "1000000000\n"), ("app/memory.current", used)];
            machine(32_000, 64_000, "0::/app\n", &files)
        };
        assert!(!is_short_on(&group("900000000\n"), GIB));
        assert!(is_short_on(&group("900000001\n"), GIB));
    }

    #[test]
    fn so_is_one_in_a_full_group() {
        let files = [
            ("site/memory.max", "1000000000"),
            ("site/memory.current", "999000000"),
            ("site/app/memory.max", "max"),
            ("site/app/memory.current", "1000"),
        ];
        assert!(is_short_on(&machine(32_000, 64_000, "0::/site/app\n", &files), GIB));
    }

    #[test]
    fn files_that_were_read_once_are_not_in_the_way() {
        let files = [
            ("app/memory.max", "1000000000"),
            ("app/memory.current", "999000000"),
            ("app/memory.stat", "anon 99000000\nfile 900000000\ninactive_file 800000000\nactive_file 1\n"),
        ];
        assert!(!is_short_on(&machine(32_000, 64_000, "0::/app\n", &files), GIB));
    }

    #[test]
    fn groups_of_version_1_count_as_well() {
        let cgroup = "5:devices:/\n4:memory,hugetlb:/app\n0::/\n";
        let group = |limit: &str| {
            let files = [
                ("memory/app/memory.limit_in_bytes", limit),
                ("memory/app/memory.usage_in_bytes", "999000000"),
            ];
            machine(32_000, 64_000, cgroup, &files)
        };
        assert!(is_short_on(&group("1000000000"), GIB));
        assert!(!is_short_on(&group("9223372036854771712"), GIB));
    }

    #[test]
    fn where_nothing_can_be_read_memory_is_not_short() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_short_on(&dir, u64::MAX));
        let files = [("app/memory.max", "1000"), ("app/memory.current", "many")];
        assert!(!is_short_on(&machine(32_000, 64_000, "0::/app\nnonsense\n0::/../other\n", &files), GIB));
    }
}
