//! Applications that requests name: without `-m`, each request says in SCRIPT_FILENAME which file answers it.
//!
//! Each file is a module of its own under a name nobody else uses, so two files of one name never meet, and none takes the
//! place of a module of the standard library. What they import is shared. Three variables of a request say more, in the
//! words of mod_wsgi: WSGICallableObject, WSGIApplicationGroup (a name other than `%{GLOBAL}` gives the file one more module
//! of its own) and WSGIScriptReloading (On: imported anew when its time or size has changed).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lsapi::BeginRequest;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use super::{load, traceback};
use crate::settings::DEFAULT_CALLABLE;
use crate::watch::{Stamp, Watch};

/// What a request says about the file that answers it.
#[derive(Clone, Debug)]
pub struct Script {
    module: ModuleId,
    callable: String,
    reload: bool,
}

/// A module: a file, and the group it is imported for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ModuleId {
    path: PathBuf,
    /// Empty for the main group.
    group: Vec<u8>,
}

/// Why a script cannot be called.
pub(super) enum Unusable {
    /// Its import has raised, just now.
    Raised(PyErr),
    /// A reason that needs no traceback.
    Told {
        /// A sentence for the log.
        reason: String,
        /// Whether a clean process may have more luck.
        try_again: bool,
    },
}

/// The modules imported so far.
pub struct Scripts<'py> {
    py: Python<'py>,
    modules: HashMap<ModuleId, Imported<'py>>,
    retry: Duration,
}

struct Imported<'py> {
    /// The module, or the last line of the traceback its import left.
    module: Result<Bound<'py, PyAny>, String>,
    stamp: Option<Stamp>,
    watch: Watch,
}

impl Script {
    /// What `request` says; `None` if it names no file.
    pub(super) fn of(request: &BeginRequest<'_>) -> Option<Self> {
        let env = request.env();
        let path = request.script_filename().or_else(|| env.get(b"SCRIPT_FILENAME"))?;
        let group = match env.get(b"WSGIApplicationGroup").unwrap_or_default() {
            b"%{GLOBAL}" | b"global" => b"",
            group => group,
        };
        let callable = env.get(b"WSGICallableObject").filter(|name| !name.is_empty());
        Some(Self {
            module: ModuleId { path: OsStr::from_bytes(path).into(), group: group.to_vec() },
            callable: callable.map_or_else(
                || DEFAULT_CALLABLE.to_owned(),
                |name| String::from_utf8_lossy(name).into_owned(),
            ),
            reload: env.get(b"WSGIScriptReloading").is_some_and(|value| value.eq_ignore_ascii_case(b"on")),
        })
    }
}

impl<'py> Scripts<'py> {
    /// None yet. What cannot be imported is tried again after `retry`, or when it has changed.
    pub fn new(py: Python<'py>, retry: Duration) -> Self {
        Self { py, modules: HashMap::new(), retry }
    }

    /// The callable of `script`, with the process in its directory.
    pub(super) fn find(&mut self, script: &Script) -> Result<Bound<'py, PyAny>, Unusable> {
        enter(&script.module.path)?;
        let is_current = |imported: &Imported<'py>| {
            // What failed is not run again on top of what it left behind.
            imported.module.is_err() || !script.reload || imported.stamp == Stamp::of(&script.module.path)
        };
        if !self.modules.get(&script.module).is_some_and(is_current) {
            self.import(&script.module)?;
        }
        let path = script.module.path.display();
        let told = |reason, watch: &Watch| Unusable::Told { reason, try_again: watch.is_over() };
        let Some(imported) = self.modules.get(&script.module) else {
            return Err(Unusable::Told { reason: format!("{path} has not been imported"), try_again: true });
        };
        match &imported.module {
            Err(summary) => Err(told(format!("importing {path} failed before: {summary}"), &imported.watch)),
            Ok(module) => load::find_callable(module.clone(), &script.callable).ok_or_else(|| {
                told(format!("{path} has no callable '{}'", script.callable), &imported.watch)
            }),
        }
    }

    fn import(&mut self, id: &ModuleId) -> Result<(), Unusable> {
        let stamp = Stamp::of(&id.path).filter(|_| id.path.is_file());
        let Some(_) = stamp else {
            let reason = format!("there is no script {}", id.path.display());
            return Err(Unusable::Told { reason, try_again: false });
        };
        let directory = id.path.parent().unwrap_or(Path::new("/"));
        let imported = add_to_path(self.py, directory)
            .and_then(|()| load::import(self.py, &id.path, &module_name(self.py, id)));
        let watch = Watch::new(&id.path, stamp, self.retry);
        let (module, result) = match imported {
            Ok(module) => (Ok(module), Ok(())),
            Err(error) => (Err(traceback::last_line(self.py, &error)), Err(Unusable::Raised(error))),
        };
        self.modules.insert(id.clone(), Imported { module, stamp, watch });
        result
    }
}

/// Goes to the directory of a script, where it expects to be. For each request: whatever ran before may have left it.
fn enter(path: &Path) -> Result<(), Unusable> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    std::env::set_current_dir(directory).map_err(|error| Unusable::Told {
        reason: format!("cannot go to the directory of {}: {error}", path.display()),
        try_again: false,
    })
}

/// Makes modules beside a script importable, after all others: scripts come and go in any order, and one that is called
/// `json.py` must not be what another imports.
fn add_to_path(py: Python<'_>, directory: &Path) -> PyResult<()> {
    let path = py.import("sys")?.getattr("path")?.cast_into::<PyList>()?;
    let directory = directory.as_os_str();
    if path.contains(directory)? { Ok(()) } else { path.append(directory) }
}

/// A name for the module that is the same in every process, as pickles need it, and that no other module has.
fn module_name<'py>(py: Python<'py>, id: &ModuleId) -> Bound<'py, PyString> {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let stem = id.path.file_stem().unwrap_or_default().to_string_lossy();
    PyString::new(py, &format!("_lswsgi_{:016x}_{stem}", hasher.finish()))
}
