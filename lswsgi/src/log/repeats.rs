//! Lines that say the same again and again: the first few are written, the others counted, and the count is written when
//! the time is over.
//!
//! The lock is only ever tried: in a signal handler, or in a child that was forked while another thread had it, a line is
//! written without looking at others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::getpid;

use super::line::{Level, write_line};
use crate::board;

/// The time in which repetitions are counted, in ms.
const WINDOW: u64 = 10_000;

/// How often the same line is written in that time.
const SHOWN: u32 = 5;

/// How many different lines are remembered.
const REMEMBERED: usize = 16;

static RECENT: Mutex<Recent> = Mutex::new(Recent { pid: 0, lines: Vec::new() });

/// When the first count is to be written, in ms of the monotonic clock; 0: there is none.
static DUE: AtomicU64 = AtomicU64::new(0);

/// What this process has written lately.
struct Recent {
    /// The process: a child does not speak for its parent.
    pid: i32,
    lines: Vec<Line>,
}

struct Line {
    level: Level,
    message: String,
    /// When it was written first, in ms of the monotonic clock.
    since: u64,
    /// How often it has been said since.
    count: u32,
}

/// A line that says how often another one was not written.
#[derive(Debug, PartialEq, Eq)]
struct Summary(Level, String);

/// Whether a line is to be written.
pub(super) fn admits(level: Level, message: &str) -> bool {
    let Ok(mut recent) = RECENT.try_lock() else { return true };
    let (is_new, summaries) = recent.say(level, message, board::now(), getpid().as_raw_pid());
    // Nobody else can change it meanwhile.
    DUE.store(recent.due(), Ordering::Relaxed);
    drop(recent);
    write(summaries);
    is_new
}

/// Writes the counts whose time is over, and says when the next one's is, if there is one. To be called every now and then
/// by a process that may have nothing else to say; costs next to nothing while there is no count.
pub(crate) fn tick() -> Option<Duration> {
    if DUE.load(Ordering::Relaxed) == 0 {
        return None;
    }
    let now = board::now();
    if DUE.load(Ordering::Relaxed) <= now {
        conclude(now);
    }
    let due = DUE.load(Ordering::Relaxed);
    (due != 0).then(|| Duration::from_millis(due.saturating_sub(now).max(1)))
}

/// Writes all counts: the process ends.
pub fn finish() {
    if DUE.load(Ordering::Relaxed) != 0 {
        conclude(u64::MAX);
    }
}

fn conclude(now: u64) {
    let Ok(mut recent) = RECENT.try_lock() else { return };
    let summaries = recent.conclude(now, getpid().as_raw_pid());
    DUE.store(recent.due(), Ordering::Relaxed);
    drop(recent);
    write(summaries);
}

fn write(summaries: Vec<Summary>) {
    for Summary(level, message) in summaries {
        write_line(level, &message);
    }
}

impl Recent {
    /// Somebody says something. Whether it is to be written, and what before it.
    fn say(&mut self, level: Level, message: &str, now: u64, pid: i32) -> (bool, Vec<Summary>) {
        let mut summaries = self.conclude(now, pid);
        if let Some(line) = self.lines.iter_mut().find(|line| line.level == level && line.message == message)
        {
            line.count = line.count.saturating_add(1);
            return (line.count <= SHOWN, summaries);
        }
        if self.lines.len() >= REMEMBERED {
            let oldest = self.lines.remove(0);
            summaries.extend(oldest.summary());
        }
        self.lines.push(Line { level, message: message.to_owned(), since: now, count: 1 });
        (true, summaries)
    }

    /// Forgets what was said before the time that counts.
    fn conclude(&mut self, now: u64, pid: i32) -> Vec<Summary> {
        if self.pid != pid {
            self.pid = pid;
            self.lines.clear();
        }
        // In the order in which they were said first.
        let over = self.lines.partition_point(|line| line.since.saturating_add(WINDOW) <= now);
        self.lines.drain(..over).filter_map(|line| line.summary()).collect()
    }

    fn due(&self) -> u64 {
        let first = self.lines.iter().find(|line| line.count > SHOWN);
        first.map_or(0, |line| line.since.saturating_add(WINDOW))
    }
}

impl Line {
    fn summary(&self) -> Option<Summary> {
        let times = self.count.checked_sub(SHOWN).filter(|&times| times > 0)?;
        Some(Summary(self.level, format!("repeated {times} more times: {}", self.message)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent() -> Recent {
        Recent { pid: 1, lines: Vec::new() }
    }

    fn summary(times: u32, message: &str) -> Vec<Summary> {
        vec![Summary(Level::Info, format!("repeated {times} more times: {message}"))]
    }

    #[test]
    fn the_first_five_of_a_kind_are_written_and_the_others_counted_until_the_time_is_over() {
        let mut recent = recent();
        for second in 0..8 {
            let written = recent.say(Level::Info, "again", 1000 + second * 1000, 1);
            assert_eq!(written, (second < 5, vec![]), "{second}");
        }
        assert_eq!(recent.due(), 11_000);
        assert_eq!(recent.conclude(10_999, 1), []);
        assert_eq!(recent.conclude(11_000, 1), summary(3, "again"));
        assert_eq!(recent.due(), 0);
        assert_eq!(recent.say(Level::Info, "again", 11_001, 1), (true, vec![]));
    }

    #[test]
    fn the_count_comes_before_the_next_line() {
        let mut recent = recent();
        for _ in 0..6 {
            recent.say(Level::Info, "again", 1, 1);
        }
        assert_eq!(recent.say(Level::Info, "other", 20_000, 1), (true, summary(1, "again")));
    }

    #[test]
    fn lines_that_differ_in_text_or_level_are_not_the_same() {
        let mut recent = recent();
        for number in 0..100 {
            assert_eq!(recent.say(Level::Info, &format!("line {number}"), 1, 1), (true, vec![]));
        }
        assert_eq!(recent.lines.len(), REMEMBERED);
        for level in [Level::Warning, Level::Error] {
            assert!(recent.say(level, "line 99", 1, 1).0);
        }
    }

    #[test]
    fn a_count_is_not_lost_when_there_is_no_room_for_it() {
        let mut recent = recent();
        for _ in 0..7 {
            recent.say(Level::Info, "again", 1, 1);
        }
        let others = (0..REMEMBERED).flat_map(|number| recent.say(Level::Info, &number.to_string(), 2, 1).1);
        assert_eq!(others.collect::<Vec<_>>(), summary(2, "again"));
    }

    #[test]
    fn a_child_does_not_speak_for_its_parent() {
        let mut recent = recent();
        for _ in 0..7 {
            recent.say(Level::Info, "again", 1, 1);
        }
        assert_eq!(recent.conclude(u64::MAX, 2), []);
        assert_eq!(recent.say(Level::Info, "again", 1, 2), (true, vec![]));
    }
}
