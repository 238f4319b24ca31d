//! Finds the Python this crate is built against and makes every executable of the package find its libpython.
//!
//! Leaves choosing the interpreter to PyO3 (`PYO3_PYTHON`, else `python3`).

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=PYO3_PYTHON");
    pyo3_build_config::use_pyo3_cfgs();
    let config = pyo3_build_config::get();
    let version = config.version();
    let python = config.executable().unwrap_or("python3");

    let dir = config.lib_dir().map(Path::new);
    if !config.shared() || !dir.is_some_and(|dir| has_shared_libpython(dir, &version.to_string())) {
        let place = dir.map_or_else(|| "its library folder".into(), |dir| dir.display().to_string());
        println!(
            "cargo::error=lswsgi embeds Python {version} ({python}), and there is no libpython{version}.so in {place}: \
             install it (Debian and Ubuntu: libpython{version}-dev; pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared), \
             or name another interpreter in PYO3_PYTHON"
        );
        return;
    }
    pyo3_build_config::add_libpython_rpath_link_args();

    // The same interpreter is named to the embedded one, so that `sys.executable` and `sys.prefix` never depend on PATH.
    println!("cargo::rustc-env=LSWSGI_PYTHON={python}");
    println!("cargo::rustc-env=LSWSGI_PYTHON_VERSION={version}");
}

/// Whether `dir` holds a shared library of this Python: the linker's name for it, or one with a version behind it.
fn has_shared_libpython(dir: &Path, version: &str) -> bool {
    let name = format!("libpython{version}");
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| PathBuf::from(entry.file_name())).any(|file| {
        let file = file.to_string_lossy();
        file.starts_with(&name) && file.contains(".so")
    })
}
