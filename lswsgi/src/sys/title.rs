//! What `ps` shows of a process, and `/proc/PID/cmdline`: a title in the memory of its arguments and variables.
//!
//! Other users can read it, so there is no URL in it. `/proc/PID/comm` stays what it is.

use std::ffi::{CStr, c_char};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicUsize, Ordering};

/// What every title begins with.
const PREFIX: &[u8] = b"lswsgi: ";

/// The role of a worker that has no request. Another word takes the place of the last one while it has.
pub(crate) const WORKER: &str = "worker idle";

/// The role of a worker that cannot take a request yet.
pub(crate) const STARTING: &str = "worker starting";

/// Longest title, with its end, unless the arguments are longer. `/proc/PID/environ` still shows the variables behind it.
const LONGEST: usize = 256;

/// Where a title goes behind its prefix; null until there is a place.
static PLACE: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());

/// Bytes there, without the zero that ends a title.
static ROOM: AtomicUsize = AtomicUsize::new(0);

/// Bytes of the present title, without its prefix.
static LEN: AtomicUsize = AtomicUsize::new(0);

/// Makes room for titles in the memory of arguments and variables. The variables' text is moved elsewhere first.
///
/// Call it before any other thread exists, and when nobody needs the arguments any more. Without `/proc` there are no titles.
pub(crate) fn prepare() {
    let Some(memory) = memory().filter(|memory| memory.len() > PREFIX.len()) else { return };
    move_variables(&memory);
    let place = std::ptr::with_exposed_provenance_mut::<u8>(memory.start);
    let empty = PREFIX.iter().copied().chain(std::iter::repeat(0)).take(memory.len());
    for (index, byte) in empty.enumerate() {
        // SAFETY: as many bytes as the memory has.
        store(unsafe { place.add(index) }, byte);
    }
    ROOM.store(memory.len() - PREFIX.len() - 1, Ordering::Relaxed);
    // SAFETY: the memory is longer than the prefix.
    PLACE.store(unsafe { place.add(PREFIX.len()) }, Ordering::Release);
}

/// Sets the title: `lswsgi: ` and `text`, cut where there is no more room.
///
/// A copy without a system call. Two threads that set one at a time leave a mixture, and nothing worse.
pub(crate) fn set(text: &[u8]) {
    let len = text.len().min(ROOM.load(Ordering::Relaxed));
    let before = LEN.swap(len, Ordering::Relaxed);
    write(0, &text[..len]);
    // What is left of a longer one.
    (len..before).for_each(|at| write(at, b"\0"));
}

/// Sets the title of a process that has a `role` in serving `file`, if that is known.
pub(crate) fn set_role(role: &str, file: Option<&Path>) {
    let file = file.map(|file| file.as_os_str().as_bytes());
    set(&[&[role.as_bytes()], file.as_slice()].concat().join(&b' '));
}

/// Says in a worker's title whether it has a request.
pub(crate) fn set_busy(busy: bool) {
    let word: &[u8] = if busy { b"busy" } else { b"idle" };
    write(WORKER.len() - word.len(), word);
}

/// Overwrites the title from byte `at` on, as far as there is room.
fn write(at: usize, text: &[u8]) {
    let place = PLACE.load(Ordering::Acquire);
    let room = ROOM.load(Ordering::Relaxed);
    if place.is_null() || at > room {
        return;
    }
    for (index, byte) in text[..text.len().min(room - at)].iter().enumerate() {
        // SAFETY: at + index is less than the room there is.
        store(unsafe { place.add(at + index) }, *byte);
    }
}

/// Writes one byte of the memory found below.
fn store(place: *mut u8, byte: u8) {
    // SAFETY: the process's own arguments and variables: writable, never unmapped. The texts in it that are used have been
    // moved away, and whoever writes a title does it this way.
    unsafe { AtomicU8::from_ptr(place) }.store(byte, Ordering::Relaxed);
}

/// The addresses of the arguments and, where they follow at once, of as many variables as a title may need.
fn memory() -> Option<Range<usize>> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may hold anything; what follows it begins with field 3 (proc_pid_stat(5)).
    let (_, fields) = stat.rsplit_once(')')?;
    let field = |number: usize| fields.split_ascii_whitespace().nth(number - 3)?.parse::<usize>().ok();
    let (start, end) = (field(48)?, field(49)?);
    let (variables, end_of_variables) = (field(50)?, field(51)?);
    if start == 0 || end < start {
        return None;
    }
    if variables != end || end_of_variables < end {
        return Some(start..end);
    }
    Some(start..end.max(start + LONGEST).min(end_of_variables))
}

/// Gives every variable whose text begins in `memory` a copy that stays for ever.
fn move_variables(memory: &Range<usize>) {
    unsafe extern "C" {
        static mut environ: *mut *mut c_char;
    }
    // SAFETY: no other thread exists, so nobody changes the list meanwhile.
    let mut entry = unsafe { environ };
    if entry.is_null() {
        return;
    }
    loop {
        // SAFETY: the list ends with a null pointer, which has not been seen yet.
        let text = unsafe { *entry };
        if text.is_null() {
            return;
        }
        if memory.contains(&text.addr()) {
            // SAFETY: the variables of a process end with a zero each.
            let copy = unsafe { CStr::from_ptr(text) }.to_owned();
            // SAFETY: as for reading. Whoever asks for the variable from here on gets the copy.
            unsafe { *entry = copy.into_raw() };
        }
        // SAFETY: see above: the list goes on.
        entry = unsafe { entry.add(1) };
    }
}
