//! How much memory a process has: its resident set size.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use rustix::process::Pid;

/// Tells how much, at the price of one system call.
#[derive(Debug)]
pub(crate) struct Rss {
    statm: File,
    page: u64,
}

impl Rss {
    /// That of the calling process, which is the one that may ask.
    ///
    /// # Errors
    /// Where there is no `/proc`.
    pub(crate) fn own() -> std::io::Result<Self> {
        Self::open("/proc/self/statm")
    }

    /// That of process `pid`.
    ///
    /// # Errors
    /// Where there is no `/proc`, or no such process.
    pub(crate) fn of(pid: Pid) -> std::io::Result<Self> {
        Self::open(&format!("/proc/{}/statm", pid.as_raw_pid()))
    }

    fn open(statm: &str) -> std::io::Result<Self> {
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(u64::MAX);
        Ok(Self { statm: File::open(statm)?, page })
    }

    /// Bytes of memory it has, with what it shares with others. `None`: the kernel does not tell.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let mut text = [0; 128];
        let len = self.statm.read_at(&mut text, 0).ok()?;
        // Size and resident set come first, in pages (proc(5)).
        let words = std::str::from_utf8(text.get(..len)?).ok()?;
        let pages: u64 = words.split_ascii_whitespace().nth(1)?.parse().ok()?;
        pages.checked_mul(self.page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_by_what_is_written_to() {
        let rss = Rss::own().unwrap();
        let before = rss.bytes().unwrap();
        let block = vec![1_u8; 64 << 20];
        let after = rss.bytes().unwrap();
        assert!(after > before + (32 << 20), "{before} {after} {}", block.len());
    }
}
