//! The only unsafe code of the package: what must happen between fork and exec, and the few system calls that have
//! no safe wrapper.
//!
//! Owns the order of the steps a new application process goes through. What those steps are given (descriptors,
//! environment, limits) is decided by [`launch`](crate::launch); nothing here allocates after the fork.

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use rustix::io::Errno;
use rustix::process::Pid;
use tokio::io::unix::AsyncFd;

use crate::launch::Step;

/// Strings for `execve`: owned, with the array of pointers it wants beside them.
pub(crate) struct ExecStrings {
    // Never read, and never moved out: the pointers lead into these.
    _strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl ExecStrings {
    /// Takes the strings in their order and ends the array with a null pointer.
    pub(crate) fn new(strings: Vec<CString>) -> Self {
        // The heap block behind a CString stays where it is when the CString itself moves.
        let pointers = strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect();
        Self { _strings: strings, pointers }
    }
}

/// A soft and a hard limit for one resource, numbers as in `setrlimit`.
#[derive(Clone, Copy)]
pub(crate) struct RawLimit {
    pub(crate) resource: u32,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// Ids to switch to.
pub(crate) struct RawUser {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
}

/// Everything the new process needs, made before the fork.
pub(crate) struct Prepared<'a> {
    pub(crate) program: CString,
    pub(crate) args: ExecStrings,
    pub(crate) env: ExecStrings,
    pub(crate) directory: CString,
    /// Descriptors that become 0, 1 and 2. All are 3 or above, so that none is overwritten before its turn.
    pub(crate) stdio: [BorrowedFd<'a>; 3],
    /// Whether 0 is closed after all.
    pub(crate) closed_input: bool,
    /// A file that becomes descriptor 2 in the place of what `stdio` has there, opened by the new user.
    pub(crate) log_file: Option<CString>,
    pub(crate) umask: u32,
    pub(crate) nice: Option<i32>,
    /// Whether the program may become another user, where it runs as root.
    pub(crate) may_switch_user: bool,
    /// Limits set before the user is changed, and after.
    pub(crate) limits: [Vec<RawLimit>; 2],
    pub(crate) user: Option<RawUser>,
}

/// The step that failed in the new process, and why.
#[derive(Clone, Copy)]
pub(crate) struct StepFailure {
    pub(crate) step: Step,
    pub(crate) errno: Errno,
}

/// Forks and executes `prepared`. `report` is the write end of a pipe that closes on exec and is 3 or above: through
/// it the new process tells which step failed.
///
/// # Errors
/// When no process could be forked. A failure after the fork is found in the pipe, see [`decode_report`].
pub(crate) fn fork_exec(prepared: &Prepared<'_>, report: BorrowedFd<'_>) -> io::Result<Pid> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointers lead to local storage of the right type; sigfillset initialises `all` before it is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        // Until its dispositions are reset the child must not run a handler of this program.
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
    }
    // SAFETY: the child only makes async-signal-safe calls on memory prepared beforehand, then executes or exits; see
    // `run_child`.
    let forked = unsafe { libc::fork() };
    if forked == 0 {
        // SAFETY: this is the child of the fork above.
        unsafe { run_child(prepared, report.as_raw_fd()) }
    }
    let error = io::Error::last_os_error();
    // SAFETY: `before` was filled in by the call that blocked the signals.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    Pid::from_raw(forked).filter(|_| forked > 0).ok_or(error)
}

/// Reads what a new process wrote before it gave up; `None` when it wrote nothing, that is, when exec succeeded.
pub(crate) fn decode_report(bytes: &[u8]) -> Option<StepFailure> {
    let (step, errno) = bytes.split_first()?;
    let errno = i32::from_ne_bytes(*errno.first_chunk()?);
    Some(StepFailure { step: Step::from_byte(*step), errno: Errno::from_raw_os_error(errno) })
}

/// Length of a report in bytes: the step and an errno.
pub(crate) const REPORT_LEN: usize = 5;

/// Goes through the steps and never comes back: executes, or reports the failed step and exits.
///
/// # Safety
/// Only for the child of a fork: it gives up all descriptors and all signal handling of the process.
unsafe fn run_child(prepared: &Prepared<'_>, report: RawFd) -> ! {
    // SAFETY: handed on from the caller.
    let step = unsafe { prepare_and_exec(prepared) };
    let errno = Errno::from_io_error(&io::Error::last_os_error()).map_or(0, Errno::raw_os_error);
    let [a, b, c, d] = errno.to_ne_bytes();
    let bytes: [u8; REPORT_LEN] = [step.byte(), a, b, c, d];
    // SAFETY: the buffer is local and its length is given; _exit runs nothing of this program.
    unsafe {
        libc::write(report, bytes.as_ptr().cast(), bytes.len());
        libc::_exit(127)
    }
}

/// The steps, in the order of the real server. Returns the one that failed, with errno set by it.
///
/// # Safety
/// As for [`run_child`]. Every call below is async-signal-safe or a bare system call; nothing allocates or locks.
unsafe fn prepare_and_exec(prepared: &Prepared<'_>) -> Step {
    // SAFETY: all pointers come from `prepared`, which outlives this call; all integers are plain values.
    unsafe {
        for (fd, target) in prepared.stdio.iter().zip(0..) {
            if libc::dup2(fd.as_raw_fd(), target) < 0 {
                return Step::Descriptors;
            }
        }
        if prepared.closed_input && libc::close(0) < 0 {
            return Step::Descriptors;
        }
        // Marked and not closed: the report pipe has to survive until exec.
        if libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) < 0 {
            return Step::Descriptors;
        }
        if libc::setsid() < 0 {
            return Step::Session;
        }
        reset_signals();
        if let (Some(path), Some(user)) = (&prepared.log_file, &prepared.user) {
            give_log(path, user);
        }
        if let Some(nice) = prepared.nice
            && libc::setpriority(libc::PRIO_PROCESS, 0, nice) < 0
        {
            return Step::Priority;
        }
        // Only root has it to give up, and only for root it means anything.
        if !prepared.may_switch_user
            && libc::geteuid() == 0
            && libc::prctl(libc::PR_CAPBSET_DROP, CAP_SETUID) < 0
        {
            return Step::Capabilities;
        }
        if libc::chdir(prepared.directory.as_ptr()) < 0 {
            return Step::Directory;
        }
        libc::umask(prepared.umask);
        let [before, after] = &prepared.limits;
        if !set_limits(before) {
            return Step::Limits;
        }
        if let Some(user) = &prepared.user
            && !switch_user(user)
        {
            return Step::User;
        }
        if let Some(path) = &prepared.log_file
            && !open_log(path)
        {
            return Step::Log;
        }
        if !set_limits(after) {
            return Step::Limits;
        }
        let (args, env) = (prepared.args.pointers.as_ptr(), prepared.env.pointers.as_ptr());
        libc::execve(prepared.program.as_ptr(), args, env);
    }
    Step::Exec
}

/// Signals there are, the two libc keeps for itself included.
const SIGNALS: c_int = 64;

/// Bytes of the kernel's signal mask.
const SIGNAL_MASK_LEN: usize = 8;

/// Every signal to its default, SIGPIPE ignored, nothing blocked.
///
/// # Safety
/// Gives up all signal handling of the process.
unsafe fn reset_signals() {
    // SAFETY: the zeros are longer than the kernel's sigaction and mean "default, nothing masked"; the set is local and
    // initialised by sigemptyset. SIGKILL and SIGSTOP are refused, which is fine.
    unsafe {
        let default = [0_u64; 8];
        for signal in 1..=SIGNALS {
            // Not through libc: it hides two signals that it uses itself, and those can be inherited as ignored.
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                ptr::null::<u64>(),
                SIGNAL_MASK_LEN,
            );
        }
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
        let mut none = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
}

/// `CAP_SETUID` of `linux/capability.h`, which libc does not have.
const CAP_SETUID: libc::c_ulong = 7;

/// # Safety
/// Changes the limits of the process.
unsafe fn set_limits(limits: &[RawLimit]) -> bool {
    limits.iter().all(|limit| {
        let value = libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard };
        // SAFETY: the pointer leads to a local value of the right type; the old limit is not asked for.
        unsafe { libc::prlimit64(0, limit.resource, &raw const value, ptr::null_mut()) == 0 }
    })
}

/// A log file that another user has written becomes that of `user`, who could not open it otherwise. What is no plain file
/// stays as it is; that it could not be given away shows when it is opened.
///
/// # Safety
/// For the child of a fork: nothing in it allocates.
unsafe fn give_log(path: &CStr, user: &RawUser) {
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: the path ends with NUL; `found` is only read after fstat has filled it in; the descriptor is ours.
    unsafe {
        let fd = libc::open(path.as_ptr(), flags);
        if fd < 0 {
            return;
        }
        let mut found = MaybeUninit::<libc::stat>::uninit();
        if libc::fstat(fd, found.as_mut_ptr()) == 0 {
            let found = found.assume_init();
            if found.st_mode & libc::S_IFMT == libc::S_IFREG && found.st_uid != user.uid {
                libc::fchown(fd, user.uid, user.gid);
            }
        }
        libc::close(fd);
    }
}

/// Opens the log file as descriptor 2.
///
/// # Safety
/// Replaces descriptor 2 of the process.
unsafe fn open_log(path: &CStr) -> bool {
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_CLOEXEC;
    // SAFETY: the path ends with NUL; the descriptor is new and ours. dup2 leaves a copy that is not closed on exec.
    unsafe {
        let fd = libc::open(path.as_ptr(), flags, LOG_MODE);
        fd >= 0 && libc::dup2(fd, 2) == 2
    }
}

/// The mode of a log file that is made; the umask takes from it.
const LOG_MODE: libc::c_uint = 0o644;

/// Groups first: after setuid there is no permission left to change them.
///
/// # Safety
/// Changes the ids of the process.
unsafe fn switch_user(user: &RawUser) -> bool {
    // SAFETY: the pointer and the length belong to one vector.
    unsafe {
        libc::setgroups(user.groups.len(), user.groups.as_ptr()) == 0
            && libc::setgid(user.gid) == 0
            && libc::setuid(user.uid) == 0
    }
}

/// Forks; the child runs `body` and exits with what it returns. For programs of one thread only, because the child
/// goes on to use the allocator and everything else.
///
/// # Errors
/// When the program has more than one thread, or the fork failed.
pub(crate) fn fork_single_threaded(body: impl FnOnce() -> u8) -> io::Result<Pid> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("the spawner has {threads} threads and must have one to fork")));
    }
    // SAFETY: no other thread exists that could hold a lock the child needs.
    let forked = unsafe { libc::fork() };
    if forked == 0 {
        // A panic must not unwind into the code of the parent.
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(101);
        // SAFETY: ends this process at once, without the exit handlers that belong to the parent.
        unsafe { libc::_exit(code.into()) }
    }
    Pid::from_raw(forked).filter(|_| forked > 0).ok_or_else(io::Error::last_os_error)
}

/// Blocks `signals` and returns a non-blocking descriptor that becomes readable when one of them is pending.
///
/// # Errors
/// What the system calls say.
pub(crate) fn signal_descriptor(signals: &[c_int]) -> io::Result<OwnedFd> {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is local and initialised by sigemptyset before it is used; the descriptor is new and ours.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        if libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut()) < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd)) }
    }
}

/// The number of the signal that a read from [`signal_descriptor`] returned.
pub(crate) fn signal_number(info: &[u8]) -> Option<i32> {
    // ssi_signo is the first member of signalfd_siginfo.
    info.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes).cast_signed())
}

/// Bytes of one record read from [`signal_descriptor`].
pub(crate) const SIGNAL_RECORD_LEN: usize = size_of::<libc::signalfd_siginfo>();

/// Allows TCP fast open on a listening socket with `queue` pending requests at most. Systems without it go on without.
pub(crate) fn allow_tcp_fastopen(socket: BorrowedFd<'_>, queue: i32) {
    // SAFETY: the pointer leads to a local integer and its size is given.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_FASTOPEN,
            (&raw const queue).cast(),
            size_of::<c_int>() as libc::socklen_t,
        );
    }
}

/// Has the runtime watch a descriptor. Do not put another one into it (`get_mut`).
///
/// # Errors
/// When the runtime cannot watch this kind of descriptor.
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open, stays so while it is owned, and always returns the same number.
    unsafe { AsyncFd::register(fd) }.map_err(io::Error::from)
}

/// Takes over the descriptor a program was started with under `number`, once.
///
/// # Errors
/// When no such descriptor is open.
pub(crate) fn inherited_descriptor(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: borrowed only for the duplication; a number that is not open makes the call fail.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(rustix::io::fcntl_dupfd_cloexec(borrowed, 3)?)
}
