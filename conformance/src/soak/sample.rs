//! What is seen of the subject's processes at one moment, in `/proc`.

use std::fs;

use mock_lsws::ProcessInfo;
use serde::Serialize;

/// All processes of the subject at one moment. Memory is in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Sample {
    /// Seconds since the traffic began.
    pub(super) seconds: f64,
    /// Processes that run.
    pub(super) processes: u32,
    /// Processes that have ended and nobody has waited for.
    pub(super) zombies: u32,
    /// Open descriptors of the process that has most.
    pub(super) most_descriptors: u32,
    /// Open descriptors of a process on the average.
    pub(super) descriptors_each: f64,
    /// Shared memory without files, each page counted once.
    pub(super) shared: u64,
    /// Resident memory, each page counted for every process that has it.
    pub(super) rss: u64,
    /// Resident memory, each page counted once.
    pub(super) pss: u64,
}

impl Sample {
    /// Looks at `processes`. One that ends meanwhile is not counted.
    pub(super) fn take(processes: &[ProcessInfo], seconds: f64) -> Self {
        let mut sample = Self { seconds, ..Self::default() };
        let mut descriptors = 0;
        for process in processes {
            if process.is_zombie() {
                sample.zombies += 1;
                continue;
            }
            let Ok(entries) = fs::read_dir(format!("/proc/{}/fd", process.pid)) else { continue };
            let open = u32::try_from(entries.count()).unwrap_or(u32::MAX);
            let memory = Memory::of(process.pid);
            // Between its end and its parent's waiting for it a process has neither.
            if open == 0 || memory.rss == 0 {
                continue;
            }
            sample.processes += 1;
            descriptors += open;
            sample.most_descriptors = sample.most_descriptors.max(open);
            sample.shared += memory.shared;
            sample.rss += memory.rss;
            sample.pss += memory.pss;
        }
        sample.descriptors_each = f64::from(descriptors) / f64::from(sample.processes.max(1));
        sample
    }
}

/// The memory of one process, in KiB.
struct Memory {
    shared: u64,
    rss: u64,
    pss: u64,
}

impl Memory {
    /// All zero if the process is gone.
    fn of(pid: i32) -> Self {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
        };
        Self { shared: field("Pss_Shmem"), rss: field("Rss"), pss: field("Pss") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen() {
        let this = i32::try_from(std::process::id()).unwrap();
        let process = ProcessInfo::of(this).unwrap();
        let sample = Sample::take(std::slice::from_ref(&process), 1.5);
        assert_eq!((sample.processes, sample.zombies), (1, 0));
        assert!(sample.most_descriptors >= 3 && sample.rss > 0 && sample.pss > 0, "{sample:?}");
        assert!((sample.descriptors_each - f64::from(sample.most_descriptors)).abs() < 0.1);
        let ended = ProcessInfo { state: 'Z', ..process };
        assert_eq!(Sample::take(&[ended], 0.0), Sample { zombies: 1, ..Sample::default() });
    }
}
