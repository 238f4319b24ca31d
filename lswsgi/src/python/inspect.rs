//! What the interpreter says about itself, and which threads an application has started.

use std::ffi::CStr;
use std::path::Path;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Serialize;

/// How long a thread may take to end that has done what Python knows of.
const THREAD_END: Duration = Duration::from_millis(100);

/// A thread of the application.
#[derive(Clone, Debug, Serialize)]
pub struct Thread {
    /// Its name in Python.
    pub name: String,
    /// Whether the process may end without it.
    pub daemon: bool,
    #[serde(skip)]
    native_id: Option<i32>,
}

impl Thread {
    /// Whether it still runs. Needs no interpreter lock.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.native_id.is_some_and(|id| Path::new(&format!("/proc/self/task/{id}")).exists())
    }
}

/// The threads Python knows of, the calling one left out.
///
/// # Errors
/// What Python reports, for an application that has replaced parts of `threading`.
pub fn threads(py: Python<'_>) -> PyResult<Vec<Thread>> {
    // Without the module nobody has started any.
    let threading = py.import("sys")?.getattr("modules")?.call_method1("get", ("threading",))?;
    if threading.is_none() {
        return Ok(Vec::new());
    }
    let current = threading.call_method0("current_thread")?;
    let mut threads = Vec::new();
    for thread in threading.call_method0("enumerate")?.try_iter()? {
        let thread = thread?;
        if !thread.is(&current) {
            threads.push(Thread {
                name: thread.getattr("name")?.str()?.to_string_lossy().into_owned(),
                daemon: thread.getattr("daemon")?.is_truthy()?,
                native_id: thread.getattr("native_id")?.extract()?,
            });
        }
    }
    Ok(threads)
}

/// All threads but the calling one.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Running {
    /// Those Python knows of.
    pub threads: Vec<Thread>,
    /// What the system calls the others, such as those of a library for linear algebra.
    pub native_threads: Vec<String>,
}

impl Running {
    /// Looks for them. Where an application has replaced parts of `threading`, Python knows of none.
    #[must_use]
    pub fn look(py: Python<'_>) -> Self {
        let threads = threads(py).unwrap_or_default();
        let native_threads = native_threads(py, &threads);
        Self { threads, native_threads }
    }

    /// Their names, for people.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let threads = self.threads.iter().map(|thread| format!("'{}'", thread.name));
        let native = self.native_threads.iter().map(|name| format!("'{name}' (not of Python)"));
        threads.chain(native).collect()
    }
}

/// What the system calls the threads that Python does not know of. One that Python has seen end may take another moment.
fn native_threads(py: Python<'_>, known: &[Thread]) -> Vec<String> {
    let deadline = Instant::now() + THREAD_END;
    loop {
        let own = rustix::thread::gettid().as_raw_pid();
        let is_known = |id: i32| id == own || known.iter().any(|thread| thread.native_id == Some(id));
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let names: Vec<_> = tasks
            .filter(|task| {
                task.file_name().to_str().and_then(|id| id.parse().ok()).is_some_and(|id| !is_known(id))
            })
            .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
            .map(|name| name.trim_end().to_owned())
            .collect();
        if names.is_empty() || Instant::now() >= deadline {
            return names;
        }
        py.detach(|| std::thread::sleep(Duration::from_millis(1)));
    }
}

/// Has the garbage collector look through everything once more, and then never again.
///
/// # Errors
/// What Python reports, for an application that has replaced the module.
pub(crate) fn freeze(py: Python<'_>) -> PyResult<()> {
    let gc = py.import("gc")?;
    gc.call_method0("collect")?;
    gc.call_method0("freeze")?;
    Ok(())
}

/// What stands in for `os._exit` while an application is looked at: past it nobody could say what has been found.
const NO_EXIT: &CStr = c"
import os

def guard(leave, process):
    def _exit(status):
        if os.getpid() != process:
            leave(status)
        raise RuntimeError('os._exit(%r) was called, which ends the process' % (status,))
    return _exit

os._exit = guard(os._exit, os.getpid())
";

/// Makes `os._exit` an error in this process, not in its children.
///
/// # Errors
/// What Python reports, which nothing but a broken installation causes.
pub fn forbid_exit(py: Python<'_>) -> PyResult<()> {
    py.run(NO_EXIT, Some(&PyDict::new(py)), None)
}

/// The Python installation in use.
#[derive(Clone, Debug, Serialize)]
pub struct Installation {
    /// `sys.executable`: what subprocesses are started with.
    pub executable: String,
    /// `sys.prefix`.
    pub prefix: String,
    /// `sys.base_prefix`, which in a virtual environment is that of the Python it was made with.
    pub base_prefix: String,
    /// Encoding of `sys.stdout`.
    pub stdout_encoding: String,
}

/// Asks the interpreter.
///
/// # Errors
/// What Python reports, which nothing but a broken installation causes.
pub fn installation(py: Python<'_>) -> PyResult<Installation> {
    let sys = py.import("sys")?;
    let text = |object: Bound<'_, PyAny>| Ok::<_, PyErr>(object.str()?.to_string_lossy().into_owned());
    Ok(Installation {
        executable: text(sys.getattr("executable")?)?,
        prefix: text(sys.getattr("prefix")?)?,
        base_prefix: text(sys.getattr("base_prefix")?)?,
        stdout_encoding: text(sys.getattr("stdout")?.getattr("encoding")?)?,
    })
}
