//! Which files the application has imported, for whoever wants to know when they change (`--watch`).
//!
//! What is noted down is what Python reads, not what `sys.modules` has in the end: a module whose import failed is not there,
//! and it is the one somebody is about to change.

use std::ffi::CStr;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};

use crate::watch::Stamp;

/// Notes down what the loader of source files looks at before it reads it. By then it has not called anything that would
/// show in tracebacks. Byte code is not kept: Python knows it to be that of a file by the full seconds of its time and its
/// size, and a file that is being worked on changes within a second.
const RECORDER: &CStr = c"
import sys
from importlib.machinery import SourceFileLoader

def noted(path_stats):
    def note_and_look(self, path):
        note(path)
        return path_stats(self, path)
    return note_and_look

SourceFileLoader.path_stats = noted(SourceFileLoader.path_stats)
sys.dont_write_bytecode = True
";

/// A file, and its state when it was read; `None` if it could not be.
pub(crate) type Read = (PathBuf, Option<Stamp>);

/// Nobody is at it but who has the interpreter lock, so that a fork never finds it locked.
static FILES: Mutex<Vec<Read>> = Mutex::new(Vec::new());

/// Notes down what is imported from here on, but for the standard library and installed packages.
///
/// # Errors
/// What Python reports, which nothing but a broken installation causes.
pub(super) fn record(py: Python<'_>) -> PyResult<()> {
    let library: PathBuf = py.import("os")?.getattr("__file__")?.extract()?;
    let library = library.parent().map(Path::to_owned);
    let note = move |args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
        // A loader of the application's own may have something else for a path.
        let file = args.get_item(0).ok().and_then(|path| path.extract::<PathBuf>().ok());
        let file = file.and_then(|file| std::path::absolute(file).ok());
        let is_library = |file: &Path| library.as_ref().is_some_and(|library| file.starts_with(library));
        if let Some(file) = file.filter(|file| !is_library(file) && !is_installed(file)) {
            let stamp = Stamp::of(&file);
            FILES.lock().unwrap_or_else(PoisonError::into_inner).push((file, stamp));
        }
    };
    let names = PyDict::new(py);
    names.set_item("note", PyCFunction::new_closure(py, Some(c"note"), None, note)?)?;
    py.run(RECORDER, Some(&names), None)
}

/// What has been imported since the last time. Nothing where nothing is noted down.
pub(crate) fn take() -> Vec<Read> {
    std::mem::take(&mut *FILES.lock().unwrap_or_else(PoisonError::into_inner))
}

fn is_installed(file: &Path) -> bool {
    let names = ["site-packages", "dist-packages"];
    file.components().any(|part| names.iter().any(|name| part == Component::Normal(name.as_ref())))
}
