//! What is logged about a process that does not get on.

use std::fs;
use std::path::Path;

use crate::board::Slot;
use crate::log::{self, Level};
use crate::python::stacks;

/// Most text of stacks that is logged, in bytes.
const MOST: usize = 64 * 1024;

/// Logs the request under way and the stacks of all threads.
pub(super) fn asked_for(slot: &Slot) {
    match slot.running() {
        Some(request) => log::warning(format_args!(
            "SIGQUIT: {} has been running for {:.1} s, request {} of this process",
            request.text,
            request.age.as_secs_f64(),
            request.serial
        )),
        None => log::warning(format_args!("SIGQUIT: no request is under way")),
    }
    stacks(Level::Warning);
}

/// Logs the stack of each thread of the application, a line for each of its lines.
pub(super) fn stacks(level: Level) {
    let text = stacks::collect(MOST);
    if text.is_empty() {
        log::listed(level, format_args!("no stacks: Python does not tell them"));
    }
    for (number, line) in number_threads(&text) {
        log::listed(level, format_args!("stack {number}: {line}"));
    }
}

/// The lines of all stacks, each with the number of its thread, so that they can be told apart. A frame that calls
/// itself is one line, as in tracebacks.
fn number_threads(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::<(usize, String)>::new();
    let mut number = 0;
    let mut repeated = 0;
    let mut before = None;
    let end = [""];
    for line in text.lines().chain(end) {
        if before == Some(line) {
            repeated += 1;
            continue;
        }
        if repeated > 0 {
            lines.push((number, format!("  (the line above {repeated} more times)")));
        }
        (repeated, before) = (0, Some(line));
        number += usize::from(line.ends_with("(most recent call first):"));
        if !line.is_empty() {
            lines.push((number, line.to_owned()));
        }
    }
    lines
}

/// Logs what the system says about each thread of the process, and which descriptors are open (LSAPI_DUMP_DEBUG_INFO).
pub(super) fn details() {
    for task in numbered("/proc/self/task") {
        let read = |name: &str| {
            let text = fs::read_to_string(format!("/proc/self/task/{task}/{name}")).unwrap_or_default();
            if text.trim().is_empty() { "unknown".to_owned() } else { text.trim().to_owned() }
        };
        log::error(format_args!(
            "thread {task} '{}': state {}, wchan {}, syscall {}",
            read("comm"),
            state(&read("stat")),
            read("wchan"),
            read("syscall"),
        ));
    }
    for fd in numbered("/proc/self/fd") {
        if let Ok(target) = fs::read_link(format!("/proc/self/fd/{fd}")) {
            log::error(format_args!("descriptor {fd}: {}", target.display()));
        }
    }
}

/// The letter behind the name in parentheses, which may hold anything.
fn state(stat: &str) -> &str {
    stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next()).unwrap_or("unknown")
}

/// The entries of a folder that are numbers, in order.
fn numbered(folder: impl AsRef<Path>) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut numbers: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_numbered_and_frames_that_call_themselves_are_counted() {
        let text = "Thread 0x1 (most recent call first):\n  File \"a\", line 1 in f\n  File \"a\", line 1 in f\n  File \
                    \"a\", line 1 in f\n\nThread 0x2 (most recent call first):\n  File \"a\", line 1 in f\n";
        let lines: Vec<String> =
            number_threads(text).into_iter().map(|(number, line)| format!("{number} {line}")).collect();
        assert_eq!(
            lines,
            [
                "1 Thread 0x1 (most recent call first):",
                "1   File \"a\", line 1 in f",
                "1   (the line above 2 more times)",
                "2 Thread 0x2 (most recent call first):",
                "2   File \"a\", line 1 in f",
            ]
        );
        assert!(number_threads("").is_empty());
    }

    #[test]
    fn the_state_stands_behind_a_name_that_may_hold_anything() {
        assert_eq!(state("12 (a) b) S 1 2"), "S");
        assert_eq!(state("unknown"), "unknown");
    }
}
