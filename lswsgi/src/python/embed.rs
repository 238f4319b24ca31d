//! Starting CPython inside this process. How its time ends is in `leave`.
//!
//! The configuration is spelled out, not inherited from what `python3` would do: UTF-8 mode, because a server's environment
//! has no locale; no signal handlers, because ours decide; an explicit executable, because PATH may lead to another Python.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use pyo3::ffi;
use pyo3::prelude::*;

use super::leave;
use crate::error::Error;
use crate::venv::Interpreter;
use crate::{exit_code, sys};

/// The interpreter this program was built against.
const BUILD_PYTHON: &str = env!("LSWSGI_PYTHON");

/// What `sys.argv` holds, as under the C program.
const ARGV: &CStr = c"lswsgi";

/// Runs `body` in an embedded interpreter that takes itself for `interpreter`, or for the one this program was built with.
/// Afterwards threads that are not daemons are joined and `atexit` callbacks run, for at most `exit_timeout`; the process must
/// end by `_exit` then, because threads may be running Python. Once per process.
///
/// # Errors
/// [`Error::Python`] or [`Error::System`] if the interpreter cannot be started; otherwise what `body` returns.
pub fn with_python<T>(
    interpreter: Option<&Interpreter>,
    exit_timeout: Duration,
    body: impl FnOnce(Python<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    sys::watch_forks().map_err(Error::system("cannot prepare for an application that forks"))?;
    initialize(interpreter)?;
    let result = Python::attach(body);
    let code = result.as_ref().err().map_or(exit_code::OK, Error::exit_code);
    leave::wind_up(exit_timeout, code);
    result
}

/// The version of the interpreter, such as `3.11.7`.
#[must_use]
pub fn version() -> &'static str {
    Python::version_str().split(' ').next().unwrap_or_default()
}

fn initialize(interpreter: Option<&Interpreter>) -> Result<(), Error> {
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
        // Taken up again by every attach on this thread.
        ffi::PyEval_SaveThread();
        Ok(())
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
