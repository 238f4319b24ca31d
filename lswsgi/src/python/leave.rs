//! How Python's time in a process ends: in a worker with the application's threads and exit handlers, in a child the
//! application has forked without.
//!
//! The interpreter is never torn down: threads that go on running Python, as daemons do, would make it abort the process. So
//! what an application can rely on at the end of a program is done here, in Python's order, and the process ends by `_exit`.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pyo3::exceptions::PySystemExit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyInt;

use super::inspect::{self, Thread};
use super::traceback;
use crate::{endpoint, log, sys};

/// Joins threads that are not daemons, runs `atexit` callbacks and writes out what Python still has in memory. If that takes
/// longer than `timeout`, the process ends with `code` where it stands.
pub(super) fn wind_up(timeout: Duration, code: u8) {
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
        endpoint::remove_socket_file();
        sys::leave_now(code)
    });
    if let Err(error) = guard {
        log::warning(format_args!("no thread for the exit timeout ({error}); leaving without exit handlers"));
        return;
    }
    Python::attach(|py| {
        threads.get_or_init(|| inspect::threads(py).unwrap_or_default());
        for (module, function) in [("threading", "_shutdown"), ("atexit", "_run_exitfuncs")] {
            if let Err(error) = call_if_imported(py, module, function) {
                error.write_unraisable(py, None);
            }
        }
        // Where there is no memory for this, there is none for what would be written.
        let _ = flush_files(py);
        flush(py);
    });
    sys::flush_c_streams();
}

fn call_if_imported(py: Python<'_>, module: &str, function: &str) -> PyResult<()> {
    let module = py.import("sys")?.getattr("modules")?.call_method1("get", (module,))?;
    if module.is_none() { Ok(()) } else { module.call_method0(function).map(|_| ()) }
}

/// Writes out what files have in memory that were left open, as taking the interpreter down does.
fn flush_files(py: Python<'_>) -> PyResult<()> {
    let (gc, io) = (py.import("gc")?, py.import("io")?);
    let kinds = ["TextIOWrapper", "BufferedWriter", "BufferedRandom"].map(|kind| io.getattr(kind));
    let kinds = kinds.into_iter().collect::<PyResult<Vec<_>>>()?;
    // In a worker, what the template has opened does not show otherwise.
    gc.call_method0("unfreeze")?;
    for object in gc.call_method0("get_objects")?.try_iter()? {
        let object = object?;
        // The types themselves: what an application has made of them is a matter of its exit handlers.
        if kinds.iter().any(|kind| kind.is(object.get_type())) {
            // A closed file says that it is one.
            let _ = object.call_method0(intern!(py, "flush"));
        }
    }
    Ok(())
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
        (_, Some(Ok(code))) if code.is_instance_of::<PyInt>() => code.extract().unwrap_or(-1),
        (Some(error), _) => {
            traceback::print(py, error);
            1
        }
    };
    flush(py);
    log::finish();
    // As the operating system does, which takes eight bits of it.
    sys::leave_now((code & 0xff) as u8)
}

/// Writes out what Python still has of its output, in a process that ends without its exit handlers.
pub(crate) fn flush(py: Python<'_>) {
    for stream in ["stdout", "stderr"] {
        // Nobody is left to be told of a failure.
        let _ = py.import("sys").and_then(|sys| sys.getattr(stream)?.call_method0("flush"));
    }
}
