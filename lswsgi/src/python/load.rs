//! Importing the application's file as a proper module.

use std::path::{Path, PathBuf};

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::error::Error;
use crate::settings::Application;

/// Where the application is, with the process already in its directory.
#[derive(Clone, Debug)]
pub struct Location {
    /// Absolute path of the file.
    pub path: PathBuf,
    /// Its directory.
    pub directory: PathBuf,
}

/// Finds the application's file and goes to its directory. Before Python starts, so that a `.` in PYTHONPATH means that
/// directory and not the server's.
///
/// # Errors
/// [`Error::NoFile`] when it cannot be read.
pub fn enter(application: &Application) -> Result<Location, Error> {
    let no_file = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::NoFile { path, source }
    };
    let path = std::path::absolute(&application.path).map_err(no_file(&application.path))?;
    let file = std::fs::File::open(&path).map_err(no_file(&path))?;
    if file.metadata().map_err(no_file(&path))?.is_dir() {
        return Err(no_file(&path)(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    let directory = path.parent().unwrap_or(Path::new("/")).to_owned();
    std::env::set_current_dir(&directory).map_err(no_file(&directory))?;
    Ok(Location { path, directory })
}

/// Imports the file and returns its callable.
///
/// # Errors
/// [`Error::Import`] when the import raises, with the traceback on standard error; [`Error::NoCallable`].
pub fn load<'py>(py: Python<'py>, location: &Location, callable: &str) -> Result<Bound<'py, PyAny>, Error> {
    let import_error = |error: PyErr| {
        error.display(py);
        Error::Import { path: location.path.clone(), summary: summary(py, &error) }
    };
    let module = prepare(py, location).and_then(|()| import(py, location)).map_err(import_error)?;
    let mut found = Some(module);
    for attribute in callable.split('.') {
        found = found.and_then(|object| object.getattr_opt(attribute).ok().flatten());
    }
    found
        .filter(|object| object.is_callable())
        .ok_or_else(|| Error::NoCallable { path: location.path.clone(), name: callable.to_owned() })
}

/// Streams, search path and `__main__` as an application expects them.
fn prepare(py: Python<'_>, location: &Location) -> PyResult<()> {
    let sys = py.import("sys")?;
    // Standard output is the log file here; a line printed should be a line logged.
    let options = PyDict::new(py);
    options.set_item("line_buffering", true)?;
    options.set_item("errors", "backslashreplace")?;
    for stream in ["stdout", "stderr"] {
        let stream = sys.getattr(stream)?;
        if !stream.is_none() {
            stream.call_method("reconfigure", (), Some(&options))?;
        }
    }
    let directory = location.directory.as_os_str().into_pyobject(py)?;
    let path = sys.getattr("path")?.cast_into::<PyList>()?;
    if !path.contains(&directory)? {
        path.insert(0, &directory)?;
    }
    if !path.contains("")? {
        path.insert(0, "")?;
    }
    py.import("__main__")?.setattr("__file__", location.path.as_os_str())
}

/// Runs the file as a module that `sys.modules` knows, through the loader that caches byte code.
fn import<'py>(py: Python<'py>, location: &Location) -> PyResult<Bound<'py, PyAny>> {
    let name = module_name(py, location)?;
    let machinery = py.import("importlib.machinery")?;
    let util = py.import("importlib.util")?;
    let loader = machinery.getattr("SourceFileLoader")?.call1((&name, location.path.as_os_str()))?;
    let spec = util.getattr("spec_from_loader")?.call1((&name, &loader))?;
    let module = util.getattr("module_from_spec")?.call1((&spec,))?;
    let modules = py.import("sys")?.getattr("modules")?;
    modules.set_item(&name, &module)?;
    if let Err(error) = loader.call_method1("exec_module", (&module,)) {
        if let Err(missing) = modules.del_item(&name)
            && !missing.is_instance_of::<PyKeyError>(py)
        {
            return Err(missing);
        }
        return Err(error);
    }
    // A module may put another object in its own place.
    modules.get_item(&name)
}

/// The name of the module: the file's, if `import` of that name would mean this file. Otherwise one nobody imports, so that
/// `site.py` is not taken for the standard library's, nor `app.wsgi` for a package `app` beside it.
fn module_name<'py>(py: Python<'py>, location: &Location) -> PyResult<Bound<'py, PyString>> {
    let stem = location.path.file_stem().unwrap_or_default();
    let plain = stem.into_pyobject(py)?;
    let sys = py.import("sys")?;
    let taken = sys.getattr("modules")?.contains(&plain)?
        || sys
            .getattr_opt("stdlib_module_names")?
            .is_some_and(|names| names.contains(&plain).unwrap_or(false));
    let is_source = location.path.extension().is_some_and(|extension| extension == "py");
    let importable = plain.call_method0("isidentifier")?.is_truthy()?;
    if is_source && importable && !taken {
        return Ok(plain.cast_into::<PyString>()?);
    }
    Ok(PyString::new(py, &format!("_lswsgi_{}", stem.to_string_lossy())))
}

/// The last line of a traceback.
fn summary(py: Python<'_>, error: &PyErr) -> String {
    let kind = error.get_type(py).name().map_or_else(|_| "exception".to_owned(), |name| name.to_string());
    let value = error.value(py).str().map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
    let value = value.lines().next().unwrap_or_default();
    if value.is_empty() { kind } else { format!("{kind}: {value}") }
}
