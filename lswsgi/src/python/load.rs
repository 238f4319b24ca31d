//! Importing the application's file as a proper module.

use std::ffi::CStr;
use std::path::{Path, PathBuf};

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use super::host::Source;
use super::scripts::Scripts;
use super::{imports, leave, signals, traceback};
use crate::error::Error;
use crate::settings::{Application, Settings};
use crate::sys;

/// Where the application is.
#[derive(Clone, Debug)]
pub struct Location {
    /// Absolute path of the file.
    pub path: PathBuf,
    /// Its directory.
    pub directory: PathBuf,
}

impl Location {
    /// Finds the application's file.
    ///
    /// # Errors
    /// [`Error::NoFile`] when it cannot be read.
    pub fn of(application: &Application) -> Result<Self, Error> {
        let path = application.path.clone();
        let file = std::fs::File::open(&path).map_err(no_file(&path))?;
        if file.metadata().map_err(no_file(&path))?.is_dir() {
            return Err(no_file(&path)(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
        }
        let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { path, directory })
    }

    /// Goes to its directory. Before Python starts, so that a `.` in PYTHONPATH means that directory and not the server's.
    ///
    /// # Errors
    /// [`Error::NoFile`] when the directory cannot be entered.
    pub fn enter(&self) -> Result<(), Error> {
        std::env::set_current_dir(&self.directory).map_err(no_file(&self.directory))
    }
}

fn no_file(path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::NoFile { path, source }
}

/// Gets ready what `settings` say is to be called: the application at `location`, imported, or the scripts requests name.
///
/// # Errors
/// [`Error::Import`] when the import raises, with the traceback on standard error; [`Error::NoCallable`].
pub fn source<'py>(
    py: Python<'py>,
    location: Option<&Location>,
    settings: &Settings,
) -> Result<Source<'py>, Error> {
    prepare_streams(py)
        .and_then(|()| if settings.allow_signals { Ok(()) } else { signals::refuse_handlers(py) })
        .and_then(|()| if settings.operation.watch_imports { imports::record(py) } else { Ok(()) })
        .map_err(|error| Error::Python(error.to_string()))?;
    match (location, &settings.application) {
        (Some(location), Some(application)) => {
            load(py, location, &application.callable).map(Source::Application)
        }
        _ => Ok(Source::Scripts(Scripts::new(py, settings.import_retry))),
    }
}

/// Imports the file and returns its callable.
fn load<'py>(py: Python<'py>, location: &Location, callable: &str) -> Result<Bound<'py, PyAny>, Error> {
    let path = &location.path;
    let module = add_to_path(py, &location.directory)
        .and_then(|()| py.import("__main__")?.setattr("__file__", path.as_os_str()))
        .and_then(|()| import(py, path, &module_name(py, path)?))
        .map_err(|error| {
            traceback::print(py, &error);
            Error::Import { path: path.clone(), summary: traceback::last_line(py, &error) }
        })?;
    find_callable(module, callable)
        .ok_or_else(|| Error::NoCallable { path: path.clone(), name: callable.to_owned() })
}

/// The object of this name in a module, if it can be called. The name may go through attributes: `site.wsgi`.
pub(super) fn find_callable<'py>(module: Bound<'py, PyAny>, name: &str) -> Option<Bound<'py, PyAny>> {
    let mut found = Some(module);
    for attribute in name.split('.') {
        found = found.and_then(|object| object.getattr_opt(attribute).ok().flatten());
    }
    found.filter(|object| object.is_callable())
}

/// Makes streams what an application in a server expects of them.
fn prepare_streams(py: Python<'_>) -> PyResult<()> {
    // Standard output is the log file here; a line printed should be a line logged.
    let options = PyDict::new(py);
    options.set_item("line_buffering", true)?;
    options.set_item("errors", "backslashreplace")?;
    let sys = py.import("sys")?;
    for stream in ["stdout", "stderr"] {
        let stream = sys.getattr(stream)?;
        if !stream.is_none() {
            stream.call_method("reconfigure", (), Some(&options))?;
        }
    }
    Ok(())
}

/// Makes modules beside the application importable, before any others, as they are for a program.
fn add_to_path(py: Python<'_>, directory: &Path) -> PyResult<()> {
    let path = py.import("sys")?.getattr("path")?.cast_into::<PyList>()?;
    for directory in [directory.as_os_str(), "".as_ref()] {
        if !path.contains(directory)? {
            path.insert(0, directory)?;
        }
    }
    Ok(())
}

/// The file tracebacks name for [`LOADER`].
pub(super) const LOADER_FILE: &CStr = c"lswsgi/loader.py";

/// Python's loader, which takes byte code for that of a file by the full seconds of its time and its size, in two cases where
/// that is not enough. It would keep the byte code of `app.wsgi` where it keeps that of `app.py`. And a file that has just
/// been written may be written once more within the second, and would never be imported as it is then.
const LOADER: &CStr = c"
import os
import time
from importlib.machinery import SourceFileLoader

class Loader(SourceFileLoader):
    def _own(self, path):
        if path == self.path or self.path.endswith('.py'):
            return path
        stem, extension = os.path.splitext(path)
        return stem + '-' + os.path.basename(self.path) + extension

    def get_data(self, path):
        return super().get_data(self._own(path))

    def set_data(self, path, data, *, _mode=0o666):
        try:
            age = time.time() - os.stat(self.path).st_mtime
        except OSError:
            return
        if age >= 2:
            super().set_data(self._own(path), data, _mode=_mode)
";

/// Makes the loader for `path`, which keeps byte code beside it.
fn loader<'py>(py: Python<'py>, path: &Path, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    let class = PyModule::from_code(py, LOADER, LOADER_FILE, c"_lswsgi_loader")?.getattr("Loader")?;
    class.call1((name, path.as_os_str()))
}

/// Runs the file as a module that `sys.modules` knows under `name`.
pub(super) fn import<'py>(
    py: Python<'py>,
    path: &Path,
    name: &Bound<'py, PyString>,
) -> PyResult<Bound<'py, PyAny>> {
    let util = py.import("importlib.util")?;
    let loader = loader(py, path, name)?;
    let spec = util.getattr("spec_from_loader")?.call1((name, &loader))?;
    let module = util.getattr("module_from_spec")?.call1((&spec,))?;
    let modules = py.import("sys")?.getattr("modules")?;
    modules.set_item(name, &module)?;
    let executed = loader.call_method1("exec_module", (&module,));
    if sys::is_forked() {
        leave::leave_child(py, executed.err().as_ref());
    }
    if let Err(error) = executed {
        if let Err(missing) = modules.del_item(name)
            && !missing.is_instance_of::<PyKeyError>(py)
        {
            return Err(missing);
        }
        traceback::begin_at_file(py, &error);
        return Err(error);
    }
    // A module may put another object in its own place.
    modules.get_item(name)
}

/// The name of the module: the file's, if `import` of that name would mean this file. Otherwise one nobody imports, so that
/// `site.py` is not taken for the standard library's, nor `app.wsgi` for a package `app` beside it.
fn module_name<'py>(py: Python<'py>, path: &Path) -> PyResult<Bound<'py, PyString>> {
    let stem = path.file_stem().unwrap_or_default();
    let plain = stem.into_pyobject(py)?;
    let sys = py.import("sys")?;
    let taken = sys.getattr("modules")?.contains(&plain)?
        || sys
            .getattr_opt("stdlib_module_names")?
            .is_some_and(|names| names.contains(&plain).unwrap_or(false));
    if !taken && plain.call_method0("isidentifier")?.is_truthy()? && finds(py, &plain, path)? {
        return Ok(plain.cast_into::<PyString>()?);
    }
    Ok(PyString::new(py, &format!("_lswsgi_{}", stem.to_string_lossy())))
}

/// Whether `import` of this name would import this file; a package of the name in the same folder goes before it.
fn finds(py: Python<'_>, name: &Bound<'_, PyAny>, path: &Path) -> PyResult<bool> {
    let finder = py.import("importlib.machinery")?.getattr("PathFinder")?;
    let spec = finder.call_method1("find_spec", (name,))?;
    let Some(origin) = spec.getattr_opt("origin")?.filter(|origin| !origin.is_none()) else {
        return Ok(false);
    };
    let origin: PathBuf = origin.extract()?;
    Ok(origin.canonicalize().is_ok_and(|origin| path.canonicalize().is_ok_and(|path| path == origin)))
}
