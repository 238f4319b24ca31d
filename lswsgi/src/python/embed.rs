//! Starting CPython inside this process, and ending it.
//!
//! The configuration is spelled out, not inherited from what `python3` would do: UTF-8 mode, because a server's environment
//! has no locale; no signal handlers, because ours decide; an explicit executable, because PATH may lead to another Python.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pyo3::exceptions::PySystemExit;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use super::inspect::{self, Thread};
use super::traceback;
use crate::error::Error;
use crate::venv::Interpreter;
use crate::{exit_code, log, sys};

/// The interpreter this program was built against.
const BUILD_PYTHON: &str = env!("LSWSGI_PYTHON");

/// What `sys.argv` holds, as under the C program.
const ARGV: &CStr = c"lswsgi";

/// Runs `body` in an embedded interpreter that takes itself for `interpreter`, or for the one this program was built with.
/// It is ended afterwards: threads that are not daemons are joined and `atexit` callbacks run, for at most `exit_timeout`.
/// Once per process.
///
/// # Errors
/// [`Error::Python`] or [`Error::System`] if the interpreter cannot be started; otherwise what `body` returns.
pub fn with_python<T>(
    interpreter: Option<&Interpreter>,
    exit_timeout: Duration,
    body: impl FnOnce(Python<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    sys::watch_forks().map_err(Error::system("cannot prepare for an application that forks"))?;
    let state = initialize(interpreter)?;
    let result = Python::attach(body);
    let code = result.as_ref().err().map_or(exit_code::OK, Error::exit_code);
    finalize(&state, exit_timeout, code);
    result
}

/// Ends a child the application has forked and that has come back to where only its parent may go on: with the traceback of
/// an `error` and code 1, or with the code of a SystemExit. Exit handlers do not run, as in children of `multiprocessing`:
/// they would take away what belongs to the parent, such as its temporary files.
pub(super) fn leave_child(py: Python<'_>, error: Option<&PyErr>) -> ! {
    log::info(format_args!("a child the application has forked came back from it and ends here"));
    let exit = error.filter(|error| error.is_instance_of::<PySystemExit>(py));
    let code = match (error, exit.map(|exit| exit.value(py).getattr("code"))) {
        (None, _) => 0,
        (_, Some(Ok(code))) if code.is_none() => 0,
        // As the operating system does, which takes eight bits of it.
        (_, Some(Ok(code))) if code.is_instance_of::<PyInt>() => code.extract().unwrap_or(-1),
        (Some(error), _) => {
            traceback::print(py, error);
            1
        }
    };
    flush(py);
    log::finish();
    // SAFETY: _exit takes no locks and runs no handlers, which is the point.
    unsafe { libc::_exit(code) }
}

/// Writes out what Python still has of its output, in a process that ends without its exit handlers.
pub(crate) fn flush(py: Python<'_>) {
    for stream in ["stdout", "stderr"] {
        // Nobody is left to be told of a failure.
        let _ = py.import("sys").and_then(|sys| sys.getattr(stream)?.call_method0("flush"));
    }
}

/// The version of the interpreter, such as `3.11.7`.
#[must_use]
pub fn version() -> &'static str {
    Python::version_str().split(' ').next().unwrap_or_default()
}

/// The thread state of the main thread, between the times it is attached.
struct MainThread(*mut ffi::PyThreadState);

fn initialize(interpreter: Option<&Interpreter>) -> Result<MainThread, Error> {
    // SAFETY: called once, before any other use of the interpreter, on the thread that becomes its main thread. The two
    // configurations are plain data which their Init functions fill before anything reads them, and every pointer passed
    // outlives its call.
    unsafe {
        let mut pre = MaybeUninit::<ffi::PyPreConfig>::zeroed();
        ffi::PyPreConfig_InitPythonConfig(pre.as_mut_ptr());
        let mut pre = pre.assume_init();
        pre.parse_argv = 0;
        pre.utf8_mode = 1;
        check(ffi::Py_PreInitialize(&raw const pre))?;

        let mut config = MaybeUninit::<ffi::PyConfig>::zeroed();
        ffi::PyConfig_InitPythonConfig(config.as_mut_ptr());
        let config = config.assume_init_mut();
        let result =
            configure(config, interpreter).and_then(|()| check(ffi::Py_InitializeFromConfig(config)));
        ffi::PyConfig_Clear(config);
        result?;
        Ok(MainThread(ffi::PyEval_SaveThread()))
    }
}

/// # Safety
/// `config` has been initialised by `PyConfig_InitPythonConfig`.
unsafe fn configure(config: &mut ffi::PyConfig, interpreter: Option<&Interpreter>) -> Result<(), Error> {
    config.parse_argv = 0;
    config.install_signal_handlers = 0;
    // SAFETY: the fields are those of `config`, and the strings are NUL-terminated and copied.
    unsafe {
        let named = interpreter.and_then(|named| CString::new(named.executable.as_os_str().as_bytes()).ok());
        if let Some(python) = named.or_else(build_python) {
            check(ffi::PyConfig_SetBytesString(config, &raw mut config.executable, python.as_ptr()))?;
        }
        let mut argv = [ARGV.as_ptr()];
        check(ffi::PyConfig_SetBytesArgv(config, 1, argv.as_mut_ptr().cast()))
    }
}

/// The interpreter to name as `sys.executable`, which also decides where the standard library is looked for. A binary that
/// was moved to a machine without it lets Python search.
fn build_python() -> Option<CString> {
    let path = Path::new(BUILD_PYTHON);
    (path.is_absolute() && path.exists()).then(|| CString::new(path.as_os_str().as_bytes()).ok()).flatten()
}

fn check(status: ffi::PyStatus) -> Result<(), Error> {
    // SAFETY: `status` comes from the interpreter, and its message is a static C string or null.
    unsafe {
        if ffi::PyStatus_Exception(status) == 0 {
            return Ok(());
        }
        let message = (!status.err_msg.is_null()).then(|| CStr::from_ptr(status.err_msg));
        let message = message.map_or_else(|| "no reason given".into(), CStr::to_string_lossy);
        Err(Error::Python(format!("{message} (built for {BUILD_PYTHON}; see PYTHONHOME and PYTHONPATH)")))
    }
}

/// Ends the interpreter: threads that are not daemons are joined, `atexit` callbacks run, streams are flushed. What takes
/// longer than it may is left behind, and the process ends with `code` then.
fn finalize(state: &MainThread, timeout: Duration, code: u8) {
    // Asked for while there is time: when it is over, somebody else may hold the interpreter lock and not let go.
    let threads = Arc::<OnceLock<Vec<Thread>>>::default();
    let known = Arc::clone(&threads);
    let guard = std::thread::Builder::new().name("exit-timeout".into()).spawn(move || {
        std::thread::sleep(timeout);
        let alive = known.get().into_iter().flatten().filter(|thread| !thread.daemon && thread.is_alive());
        let alive = alive.map(|thread| format!("'{}'", thread.name));
        let alive = alive.collect::<Vec<_>>().join(", ");
        let seconds = timeout.as_secs_f64();
        if alive.is_empty() {
            log::warning(format_args!(
                "the application's exit handlers did not end within {seconds} s; leaving without them"
            ));
        } else {
            log::warning(format_args!(
                "threads of the application did not end within {seconds} s: {alive}; leaving without them"
            ));
        }
        log::finish();
        // SAFETY: _exit takes no locks and runs no handlers, which is the point.
        unsafe { libc::_exit(i32::from(code)) };
    });
    if let Err(error) = guard {
        log::warning(format_args!("no thread for the exit timeout ({error}); leaving without exit handlers"));
        return;
    }
    threads.get_or_init(|| Python::attach(inspect::threads).unwrap_or_default());
    // SAFETY: the state is the one this thread saved, and nothing uses the interpreter afterwards.
    unsafe {
        ffi::PyEval_RestoreThread(state.0);
        if ffi::Py_FinalizeEx() < 0 {
            log::warning(format_args!("Python reported an error while it flushed its streams"));
        }
    }
}
