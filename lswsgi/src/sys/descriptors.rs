//! Sockets and files of which only the number is known.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};

/// What a signal handler has found the number of in an atomic.
///
/// A number that has gone stale is an error of the call it is used in. It never is in practice: the numbers are those of
/// eventfds, which are never closed, and of the connection being served, which stays open until the atomic next to it says
/// that nothing is under way.
pub(crate) fn borrow_descriptor(number: RawFd) -> Option<BorrowedFd<'static>> {
    // SAFETY: -1 is excluded, and the result is used at once.
    (number >= 0).then(|| unsafe { BorrowedFd::borrow_raw(number) })
}

/// The size of the regular file behind a descriptor of the application's; `None` if it is something else.
pub(crate) fn regular_file_size(fd: RawFd) -> Option<u64> {
    // SAFETY: -1 is excluded; the caller has just been told the number by the object that keeps it open.
    let file = (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })?;
    let stat = rustix::fs::fstat(file).ok()?;
    let is_regular = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
    is_regular.then(|| stat.st_size.cast_unsigned())
}

/// Reads from a place of the file behind a descriptor of the application's, whose own place stays. A number that has gone
/// stale, because another thread has closed the file, is an error or another file, as it is everywhere in Python.
pub(crate) fn read_at(fd: RawFd, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    // SAFETY: -1 is excluded, and the result is used for one read.
    let file = (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) }).ok_or(rustix::io::Errno::BADF)?;
    loop {
        match rustix::io::pread(file, &mut *buffer, offset) {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

/// Closes every descriptor but `keep` and 0, 1 and 2. For a process that has just been forked: whatever else in its memory
/// takes one of them for its own must not be used or dropped any more.
///
/// # Errors
/// When there is no other way than to read `/proc/self/fd`, and that cannot be read.
pub(crate) fn close_all_but(keep: BorrowedFd<'_>) -> io::Result<()> {
    let keep = keep.as_raw_fd();
    let ranges = [(3, keep - 1), ((keep + 1).max(3), RawFd::MAX)];
    if ranges.iter().all(|&(first, last)| first > last || close_range(first, last)) {
        return Ok(());
    }
    // A kernel before 5.9.
    let names = std::fs::read_dir("/proc/self/fd")?.flatten().map(|entry| entry.file_name());
    let numbers: Vec<RawFd> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|&number| number > 2 && number != keep) {
        // SAFETY: as below. The folder's own descriptor is among them, and has been closed already.
        unsafe { libc::close(number) };
    }
    Ok(())
}

fn close_range(first: RawFd, last: RawFd) -> bool {
    // SAFETY: no pointers are taken. The descriptors belong to objects of the process that forked, and those are left alone
    // from here on.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) == 0 }
}
