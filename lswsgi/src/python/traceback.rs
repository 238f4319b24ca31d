//! What is printed of an exception: its traceback whole, and its last line by itself.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTraceback};

use super::load::LOADER_FILE;
use crate::log::{self, Level};

/// Prints the traceback on standard error.
pub(super) fn print(py: Python<'_>, error: &PyErr) {
    if let Some(traceback) = error.traceback(py) {
        // Up to Python 3.11 an exception that was caught and raised again on its way does not know the frames outside of
        // that, and what it knows is what is printed. Without memory for this that has to do.
        let _ = error.value(py).setattr(intern!(py, "__traceback__"), traceback);
    }
    // Of a log of objects it is one.
    match log::is_json().then(|| text(py, error)) {
        Some(Ok(text)) => log::text(Level::Error, text.to_string().as_bytes()),
        _ => error.display(py),
    }
}

/// The traceback as Python would print it.
pub(super) fn text<'py>(py: Python<'py>, error: &PyErr) -> PyResult<Bound<'py, PyAny>> {
    let parts = (error.get_type(py), error.value(py), error.traceback(py));
    let lines = py.import("traceback")?.call_method1("format_exception", parts)?;
    PyString::new(py, "").call_method1("join", (lines,))
}

/// The line of a traceback that names the exception: of a message with several lines the first, and of a syntax error also
/// where it is.
pub(super) fn last_line(py: Python<'_>, error: &PyErr) -> String {
    let kind = error.get_type(py).fully_qualified_name();
    let kind = kind.map_or_else(|_| "exception".to_owned(), |name| name.to_string());
    let message = error.value(py).str().map_or_else(
        |_| "<exception str() failed>".to_owned(),
        |text| text.to_string_lossy().lines().next().unwrap_or_default().to_owned(),
    );
    if message.is_empty() { kind } else { format!("{kind}: {message}") }
}

/// Takes the frames of the import system off the beginning, as Python does for an `import` statement.
pub(super) fn begin_at_file(py: Python<'_>, error: &PyErr) {
    let mut first = error.traceback(py).map(Bound::into_any);
    while let Some(traceback) = first.take_if(|traceback| is_machinery(traceback).unwrap_or(false)) {
        first = traceback.getattr(intern!(py, "tb_next")).ok().filter(|next| !next.is_none());
    }
    error.set_traceback(py, first.and_then(|traceback| traceback.cast_into::<PyTraceback>().ok()));
}

fn is_machinery(traceback: &Bound<'_, PyAny>) -> PyResult<bool> {
    let file: String = traceback.getattr("tb_frame")?.getattr("f_code")?.getattr("co_filename")?.extract()?;
    Ok(file.starts_with("<frozen importlib") || file.as_bytes() == LOADER_FILE.to_bytes())
}
