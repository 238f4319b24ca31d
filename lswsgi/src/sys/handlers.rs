//! What signals do.
//!
//! The handlers themselves only call [`gate`](crate::worker::gate), [`answer`](crate::worker::answer) and
//! [`watchdog`](crate::watchdog), whose functions used here are async-signal-safe: atomics, the clock, and system calls made directly (`rustix` does not touch `errno`).
//!
//! An application may fork, and the child inherits the handlers. Whoever signals it means it to end: in any process but the
//! one that installed them, or has made them its own, the handlers do what is default.

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use super::check;
use crate::worker::{answer, gate};
use crate::{board, endpoint, exit_code, rotation, watchdog};

/// Signals that ask for a graceful stop. The server sends TERM and USR1 together.
const STOP_SIGNALS: [c_int; 3] = [libc::SIGTERM, libc::SIGUSR1, libc::SIGINT];

/// Signals that mean the process has crashed and is about to end.
const CRASH_SIGNALS: [c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];

/// How the other handlers run: restarting what they interrupt, and on the stack a thread has set aside for handlers, if it
/// has: runtimes with small stacks, such as Go's in an extension module, cannot do without.
const QUIET: c_int = libc::SA_RESTART | libc::SA_ONSTACK;

/// Size of the stack handlers run on in the main thread, in bytes. They may have to answer after the stack proper has
/// overflowed.
const HANDLER_STACK: usize = 64 * 1024;

/// SIGINT has come.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// This process is the template.
static IS_TEMPLATE: AtomicBool = AtomicBool::new(false);

/// The process the handlers work for.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// The signal the kernel sends when the parent dies. A real-time signal near the end of the range is the least likely to
/// be an application's own.
fn parent_death_signal() -> c_int {
    libc::SIGRTMAX() - 1
}

/// The signal by which the manager says that there is an order on the board.
pub(super) fn order_signal() -> c_int {
    libc::SIGRTMAX() - 2
}

/// The signal on which Python's `faulthandler` writes the stacks of all threads down.
pub(crate) fn stacks_signal() -> c_int {
    libc::SIGRTMAX() - 3
}

/// Whether the runtime depends on its handler for a signal. QUIT and USR2 are not among them: an application that does
/// something else on them does no harm.
pub(crate) fn is_own_signal(signal: c_int) -> bool {
    let real_time = [parent_death_signal(), order_signal(), stacks_signal()];
    STOP_SIGNALS.contains(&signal) || signal == libc::SIGHUP || real_time.contains(&signal)
}

/// The signals that may come to the watchdog: those whose handlers are ours, wherever they run, and which a thread of the
/// application may have blocked.
pub(super) fn signals_for_any_thread() -> impl Iterator<Item = c_int> {
    let own = [parent_death_signal(), order_signal(), stacks_signal()];
    let others = [libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR2].into_iter().chain(own);
    STOP_SIGNALS.into_iter().chain(CRASH_SIGNALS).chain(others)
}

/// Asks the kernel to send that signal. The handler must be in place already.
pub(crate) fn ask_for_parent_death_signal() -> io::Result<()> {
    // SAFETY: this option takes a signal number and no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, parent_death_signal()) })
}

/// Installs the handlers that end a wait and those that answer for a crash, and ignores what would only kill. They work for
/// the calling process, and not for its children.
pub(crate) fn install_signal_handlers() -> io::Result<()> {
    PROCESS.store(rustix::process::getpid().as_raw_pid(), Ordering::SeqCst);
    for signal in STOP_SIGNALS {
        set_handler(signal, on_stop as *const () as usize, QUIET)?;
    }
    set_handler(parent_death_signal(), on_parent_death as *const () as usize, QUIET)?;
    set_handler(order_signal(), on_order as *const () as usize, QUIET)?;
    set_handler(libc::SIGHUP, on_hangup as *const () as usize, QUIET)?;
    set_handler(libc::SIGQUIT, on_quit as *const () as usize, QUIET)?;
    set_handler(libc::SIGUSR2, on_reopen as *const () as usize, QUIET)?;
    // The server ignores SIGPIPE before it starts an application; nobody else does. A file size limit is an error too.
    set_handler(libc::SIGPIPE, libc::SIG_IGN, 0)?;
    set_handler(libc::SIGXFSZ, libc::SIG_IGN, 0)?;
    install_handler_stack()?;
    for signal in CRASH_SIGNALS {
        let flags = libc::SA_ONSTACK | libc::SA_RESETHAND | libc::SA_NODEFER;
        set_handler(signal, on_crash as *const () as usize, flags)?;
    }
    Ok(())
}

/// Makes the handlers this process has inherited work for it, but for those of signals by which only the manager may end it.
/// They are not ignored: the programs an application starts during its import would inherit that.
pub(crate) fn handle_signals_as_template() {
    IS_TEMPLATE.store(true, Ordering::SeqCst);
    PROCESS.store(rustix::process::getpid().as_raw_pid(), Ordering::SeqCst);
}

/// Makes the handlers this process has inherited work for it. What an application that was imported before has put in their
/// place, as far as it may, stays there.
pub(crate) fn handle_signals_as_worker() {
    IS_TEMPLATE.store(false, Ordering::SeqCst);
    PROCESS.store(rustix::process::getpid().as_raw_pid(), Ordering::SeqCst);
}

fn set_handler(signal: c_int, handler: usize, flags: c_int) -> io::Result<()> {
    // SAFETY: an all-zero sigaction is a valid value (empty mask, default action); every field that matters is set below.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    // One at a time: several may come at once, and each needs some KiB. A crash, also one of a handler, does not wait.
    for other in signals_for_any_thread().filter(|other| !CRASH_SIGNALS.contains(other)) {
        // SAFETY: the set is `action`'s, and was empty.
        unsafe { libc::sigaddset(&raw mut action.sa_mask, other) };
    }
    // SAFETY: `action` is initialised, `handler` is SIG_IGN, SIG_DFL or a function of the type sa_flags asks for, which is
    // async-signal-safe, and no old action is wanted.
    check(unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) })
}

/// Gives the calling (main) thread a stack for handlers. To be done again after whatever else may have set one: Python's
/// `faulthandler` takes some 12 KiB of the heap, in which handlers of ours do not fit where one interrupts another.
pub(crate) fn install_handler_stack() -> io::Result<()> {
    /// Its address. Never freed, because a crash can come at any time.
    static STACK: OnceLock<usize> = OnceLock::new();
    let start = STACK.get_or_init(|| Vec::leak(vec![0_u8; HANDLER_STACK]).as_mut_ptr().expose_provenance());
    let stack = libc::stack_t {
        ss_sp: ptr::with_exposed_provenance_mut(*start),
        ss_flags: 0,
        ss_size: HANDLER_STACK,
    };
    // SAFETY: the memory is as large as stated, is used for nothing else, and lives as long as the process.
    check(unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) })
}

extern "C" fn on_stop(signal: c_int) {
    in_worker(signal, || {
        if !gate::is_serving() {
            // The manager tells it by this from one that ends without being asked to.
            board::slot().order(board::Order::LeaveStop);
            leave_now(exit_code::OK.into());
        }
        // The second interrupt: whoever is at the keyboard wants out now.
        if signal == libc::SIGINT && INTERRUPTED.swap(true, Ordering::SeqCst) {
            leave_now(128 + libc::SIGINT);
        }
        gate::request_stop();
        watchdog::stop_asked();
    });
}

extern "C" fn on_parent_death(signal: c_int) {
    in_own_process(signal, || {
        if crate::parent::is_gone() {
            if !gate::is_serving() {
                leave_now(exit_code::OK.into());
            }
            gate::request_stop();
        }
    });
}

extern "C" fn on_order(signal: c_int) {
    in_worker(signal, || {
        if rotation::is_due() {
            watchdog::look_at_logs();
        }
        let order = board::slot().ordered();
        if !order.is_leave() {
            gate::release();
        } else if !gate::is_serving() {
            leave_now(exit_code::OK.into());
        } else {
            gate::request_stop();
            // What leaves for another reason has as much time as ever for the request it has.
            if order == board::Order::LeaveStop {
                watchdog::stop_asked();
            }
        }
    });
}

extern "C" fn on_hangup(signal: c_int) {
    in_worker(signal, watchdog::hung_up);
}

extern "C" fn on_reopen(signal: c_int) {
    in_worker(signal, || {
        rotation::ask();
        watchdog::look_at_logs();
    });
}

extern "C" fn on_quit(signal: c_int) {
    in_worker(signal, watchdog::want_stacks);
}

/// Answers the request that is under way, then lets the signal do what it does by default, so that the core file and the
/// wait status tell the truth. SA_RESETHAND has restored the default action already.
extern "C" fn on_crash(signal: c_int) {
    if !is_another_process() {
        answer::for_crash();
    }
    // SAFETY: raise is async-signal-safe; with the default action in place and the signal unblocked it does not return.
    unsafe { libc::raise(signal) };
}

/// Runs the body of a handler; not in the template, which does nothing of its own accord.
fn in_worker(signal: c_int, body: impl FnOnce()) {
    in_own_process(signal, || {
        if !IS_TEMPLATE.load(Ordering::SeqCst) {
            body();
        }
    });
}

/// Runs the body of a handler, or does what is default in a process it does not work for.
fn in_own_process(signal: c_int, body: impl FnOnce()) {
    keep_errno(|| {
        if is_another_process() {
            default_action(signal);
        } else {
            body();
        }
    });
}

/// Whether this is not the process the handlers work for. As [`is_forked`](super::is_forked), also in a child that shares its memory
/// with the parent until its `exec`.
fn is_another_process() -> bool {
    PROCESS.load(Ordering::SeqCst) != rustix::process::getpid().as_raw_pid()
}

/// Lets a signal do what it would do without a handler, as soon as the handler has returned. Async-signal-safe.
fn default_action(signal: c_int) {
    if set_handler(signal, libc::SIG_DFL, 0).is_ok() {
        // SAFETY: raise is async-signal-safe; the signal is blocked until the handler returns.
        unsafe { libc::raise(signal) };
    }
}

/// Ends the process where it stands: no request has been taken, or nobody wants to wait for it. Async-signal-safe.
fn leave_now(code: c_int) -> ! {
    endpoint::remove_socket_file();
    // SAFETY: _exit is async-signal-safe and does not return.
    unsafe { libc::_exit(code) }
}

/// A signal handler must leave `errno` as the interrupted code had it.
fn keep_errno(body: impl FnOnce()) {
    // SAFETY: the location belongs to this thread and is always valid.
    let errno = unsafe { *libc::__errno_location() };
    body();
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}
