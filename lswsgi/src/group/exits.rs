//! How a process ended, in the words of the log.

use std::fmt;
use std::path::PathBuf;

use rustix::process::WaitStatus;

use crate::exit_code;
use crate::group::workers::Measure;
use crate::worker::Recycle;

/// The end of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Of its own accord, for this reason.
    Left(String),
    /// With an exit code, and without a reason.
    Code(i32),
    /// By a signal.
    Killed {
        /// Which.
        signal: i32,
        /// There is a core file.
        core: bool,
        /// The manager has sent it.
        ours: bool,
        /// How often the system has killed for want of memory, if it has since one last looked.
        out_of_memory: Option<u64>,
    },
}

impl Exit {
    /// What `status` means for a process that gave `reason` before, and that the manager has signalled as `measure` says.
    pub(crate) fn new(
        status: WaitStatus,
        reason: Option<String>,
        measure: Option<Measure>,
        memory: &mut OutOfMemory,
    ) -> Self {
        if let Some(signal) = status.terminating_signal() {
            let ours =
                matches!((measure, signal), (Some(Measure::Kill), libc::SIGKILL) | (Some(_), libc::SIGTERM));
            let out_of_memory = (signal == libc::SIGKILL && !ours).then(|| memory.grown()).flatten();
            // The bit the C library's WCOREDUMP looks at.
            return Self::Killed { signal, core: status.as_raw() & 0x80 != 0, ours, out_of_memory };
        }
        match (status.exit_status().unwrap_or_default(), reason) {
            (code, _) if code == i32::from(exit_code::RUNAWAY) => {
                Self::Left("runaway (LSAPI_MAX_PROCESS_TIME)".to_owned())
            }
            (0, Some(reason)) => Self::Left(reason),
            (code, _) => Self::Code(code),
        }
    }
}

impl Exit {
    /// Under which name it is counted, if the process gave `own` for one before.
    pub(super) fn recycle(&self, own: Option<Recycle>) -> Recycle {
        match self {
            // The code of a request that took too long wins over what was going to happen.
            Self::Left(_) => own.unwrap_or(Recycle::Runaway),
            Self::Code(_) => Recycle::Exit,
            Self::Killed { ours: true, .. } => Recycle::Killed,
            Self::Killed { .. } => Recycle::Signal,
        }
    }

    /// Whether somebody else has ended the process, who says nothing about what it would have come to.
    pub(super) fn is_from_outside(&self) -> bool {
        matches!(self, Self::Killed { signal: libc::SIGKILL | libc::SIGTERM, ours: false, .. })
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left(reason) => write!(f, "left: {reason}"),
            Self::Code(code) => write!(f, "ended with exit code {code}"),
            Self::Killed { signal, core, ours, out_of_memory } => {
                write!(f, "was killed by {}", name(*signal))?;
                if *core {
                    f.write_str(" (core dumped)")?;
                }
                if !ours && [libc::SIGKILL, libc::SIGTERM].contains(signal) {
                    f.write_str(", not by lswsgi")?;
                }
                match out_of_memory {
                    Some(count) => write!(f, "; the system was out of memory (oom_kill {count})"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// The name of a signal.
fn name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal)
        .map_or_else(|_| format!("signal {signal}"), |signal| signal.as_str().to_owned())
}

/// How often the kernel has killed a process for want of memory: in this control group if that is counted, else anywhere.
#[derive(Debug)]
pub(crate) struct OutOfMemory {
    path: PathBuf,
    seen: u64,
}

impl OutOfMemory {
    /// Starts counting.
    pub(crate) fn new() -> Self {
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let path = candidates(&own).into_iter().find(|path| count(path).is_some());
        let path = path.unwrap_or_else(|| "/proc/vmstat".into());
        let seen = count(&path).unwrap_or_default();
        Self { path, seen }
    }

    /// The count, if it has grown since it was last looked at.
    fn grown(&mut self) -> Option<u64> {
        let now = count(&self.path).filter(|&now| now > self.seen)?;
        self.seen = now;
        Some(now)
    }
}

/// Where control groups count, from the lines of `/proc/self/cgroup`.
fn candidates(own: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        if controllers.is_empty() {
            paths.push(format!("/sys/fs/cgroup{path}/memory.events").into());
        } else if controllers.split(',').any(|name| name == "memory") {
            paths.push(format!("/sys/fs/cgroup/memory{path}/memory.oom_control").into());
        }
    }
    paths
}

/// The number after `oom_kill` in a file of names and numbers.
fn count(path: &PathBuf) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn killed(signal: i32, ours: bool, out_of_memory: Option<u64>) -> String {
        Exit::Killed { signal, core: signal == libc::SIGSEGV, ours, out_of_memory }.to_string()
    }

    #[test]
    fn the_log_says_whose_signal_it_was_and_what_it_left() {
        assert_eq!(killed(libc::SIGSEGV, false, None), "was killed by SIGSEGV (core dumped)");
        assert_eq!(killed(libc::SIGKILL, true, None), "was killed by SIGKILL");
        assert_eq!(
            killed(libc::SIGKILL, false, Some(3)),
            "was killed by SIGKILL, not by lswsgi; the system was out of memory (oom_kill 3)"
        );
        assert_eq!(
            killed(libc::SIGRTMIN(), false, None),
            format!("was killed by signal {}", libc::SIGRTMIN())
        );
    }

    #[test]
    fn the_count_is_looked_for_in_both_kinds_of_control_groups() {
        let own = "4:memory:/a\n2:cpu,cpuacct:/b\n0::/c\n";
        let expected: Vec<PathBuf> = vec![
            "/sys/fs/cgroup/memory/a/memory.oom_control".into(),
            "/sys/fs/cgroup/c/memory.events".into(),
        ];
        assert_eq!(candidates(own), expected);
    }

    #[test]
    fn only_growth_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("memory.events");
        std::fs::write(&path, "low 0\noom 2\noom_kill 1\n").unwrap();
        let mut memory = OutOfMemory { path: path.clone(), seen: 1 };
        assert_eq!(memory.grown(), None);
        std::fs::write(&path, "oom_kill 3\n").unwrap();
        assert_eq!(memory.grown(), Some(3));
        assert_eq!(memory.grown(), None);
    }
}
