//! Handlers an application would install for the signals the runtime needs: TERM, INT, USR1, HUP, and three real-time ones.
//!
//! Programs made for the command line take them for themselves, and could not be stopped any more, or would die half way
//! through a request. So where Python installs handlers, those are refused: in `_signal.signal`, which `signal.signal` and
//! asyncio end in, and in `faulthandler.register`. Children the application forks may do what they like. QUIT is left to the
//! application if it wants it: nothing of the runtime depends on it.

use std::ffi::{CStr, c_int};
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use crate::{log, sys};

/// The warning has been given. A worker does not repeat what its template has said.
static WARNED: AtomicBool = AtomicBool::new(false);

/// Modules of Python through which applications come here.
const MIDDLEMEN: [&str; 2] = ["signal", "asyncio"];

/// Refuses such handlers from now on.
///
/// # Errors
/// What Python reports, which nothing but a broken installation causes.
pub(super) fn refuse_handlers(py: Python<'_>) -> PyResult<()> {
    let signal = py.import("_signal")?;
    let current = signal.getattr("getsignal")?.unbind();
    let refused = move |py: Python<'_>, number: c_int| current.call1(py, (number,));
    guard(&signal, c"signal", "signalnum", sys::is_own_signal, refused)?;
    let nothing = |py: Python<'_>, _| Ok(py.None());
    // The real-time signal for stacks is registered this way by ourselves.
    let is_own = |number| number != sys::stacks_signal() && sys::is_own_signal(number);
    guard(&py.import("faulthandler")?, c"register", "signum", is_own, nothing)
}

/// Puts a function in the place of `name` that, for the signals that `is_own` says, does what `refused` does; the number of
/// the signal is its first argument, or the one called `keyword`.
fn guard(
    module: &Bound<'_, PyModule>,
    name: &'static CStr,
    keyword: &'static str,
    is_own: impl Fn(c_int) -> bool + Send + Sync + 'static,
    refused: impl Fn(Python<'_>, c_int) -> PyResult<Py<PyAny>> + Send + Sync + 'static,
) -> PyResult<()> {
    let text = &*name.to_string_lossy();
    let original = module.getattr(text)?.unbind();
    let guarded = move |args: &Bound<'_, PyTuple>, named: Option<&Bound<'_, PyDict>>| {
        let py = args.py();
        let first = args.get_item(0).ok();
        let number = first.or_else(|| named.and_then(|named| named.get_item(keyword).ok().flatten()));
        match number.and_then(|number| number.extract::<c_int>().ok()) {
            Some(number) if is_own(number) && !sys::is_forked() => {
                warn(py, number);
                refused(py, number)
            }
            _ => original.call(py, args, named),
        }
    };
    let function = PyCFunction::new_closure(module.py(), Some(name), None, guarded)?;
    module.setattr(text, function)
}

/// Says once in the life of a process who wanted a handler for which signal.
fn warn(py: Python<'_>, number: c_int) {
    if WARNED.swap(true, Ordering::SeqCst) {
        return;
    }
    let name =
        py.import("signal").and_then(|signal| signal.getattr("Signals")?.call1((number,))?.getattr("name"));
    let name = name.map_or_else(|_| format!("signal {number}"), |name| name.to_string());
    let place = caller(py).unwrap_or_else(|_| "the application".to_owned());
    log::warning(format_args!(
        "{place} installs a handler for {name}: refused, now and later, because the runtime is stopped and controlled by \
         TERM, INT, USR1 and HUP; --allow-signals lets it"
    ));
}

/// Where the application is, as `file:line`.
fn caller(py: Python<'_>) -> PyResult<String> {
    let mut frame = py.import("sys")?.getattr("_getframe")?.call0()?;
    loop {
        let module = frame.getattr("f_globals")?.call_method1("get", ("__name__",))?.to_string();
        let outer = frame.getattr("f_back")?;
        if outer.is_none() || !MIDDLEMEN.contains(&module.split('.').next().unwrap_or_default()) {
            break;
        }
        frame = outer;
    }
    let file = frame.getattr("f_code")?.getattr("co_filename")?;
    Ok(format!("{file}:{}", frame.getattr("f_lineno")?))
}
