//! Which Python installation the embedded interpreter takes for its own: a virtual environment, or the one it was built
//! with.
//!
//! What is named explicitly has to be usable. What is made for another version of Python never is, and would fail in ways
//! that do not say so.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::log;

/// The version embedded, as `3.11`.
pub const EMBEDDED_VERSION: &str = env!("LSWSGI_PYTHON_VERSION");

/// The origin of a virtual environment nobody named.
pub const BESIDE: &str = "beside the application";

/// The origin of one nobody named in the folder the application belongs to, which may be above that of its startup file.
pub const IN_ROOT: &str = "in WSGI_ROOT";

/// An interpreter that is to be taken for `sys.executable`, from which Python finds everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Its path.
    pub executable: PathBuf,
    /// The virtual environment it belongs to, if it does.
    pub venv: Option<PathBuf>,
    /// Who named it: `--venv`, a variable, or its place beside the application.
    pub origin: &'static str,
}

impl fmt::Display for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " as {} ({})", self.executable.display(), self.origin)
    }
}

/// Finds the interpreter: `--venv`, LS_PYTHONBIN, VIRTUAL_ENV, PYTHONHOME if it holds a virtual environment, `.venv` or
/// `venv` in the application's `directory` or in WSGI_ROOT, in this order. `None` is the one this program was built with.
///
/// # Errors
/// [`Error::Venv`] for a virtual environment that was made for another version of Python, and for a `--venv` that is none;
/// [`Error::Interpreter`] for a LS_PYTHONBIN of another version, and a PYTHONHOME without the standard library of this one.
pub fn find(
    option: Option<&Path>,
    directory: Option<&Path>,
    env: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Option<Interpreter>, Error> {
    if let Some(dir) = option {
        return in_venv(dir, "--venv")?.map(Some).ok_or_else(|| Error::Venv {
            path: dir.to_owned(),
            reason: "is no virtual environment: it has no pyvenv.cfg, or no bin/python".to_owned(),
        });
    }
    let variable = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(executable) = variable("LS_PYTHONBIN") {
        if executable.is_file() {
            return named(executable).map(Some);
        }
        let path = executable.display();
        log::warning(format_args!("LS_PYTHONBIN={path} is no file, and is ignored"));
    }
    if let Some(dir) = variable("VIRTUAL_ENV") {
        if let Some(found) = in_venv(&dir, "VIRTUAL_ENV")? {
            return Ok(Some(found));
        }
        log::warning(format_args!("VIRTUAL_ENV={} is no virtual environment, and is ignored", dir.display()));
    }
    if let Some(home) = variable("PYTHONHOME") {
        if let Some(found) = in_venv(&home, "PYTHONHOME")? {
            return Ok(Some(found));
        }
        // What else it may be is Python's own business, as far as that can end well.
        check_home(&home)?;
    }
    let root = variable("WSGI_ROOT");
    let places = [(directory, BESIDE), (root.as_deref().filter(|_| directory.is_some()), IN_ROOT)];
    for (place, origin) in places {
        for name in [".venv", "venv"] {
            let found = place.map(|place| in_venv(&place.join(name), origin));
            if let Some(found) = found.transpose()?.flatten() {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// The interpreter of the virtual environment in `dir`, if there is one.
fn in_venv(dir: &Path, origin: &'static str) -> Result<Option<Interpreter>, Error> {
    let Ok(settings) = std::fs::read_to_string(dir.join("pyvenv.cfg")) else { return Ok(None) };
    check_version(dir, origin, &settings)?;
    // Python takes paths relative to the current directory as they are, and an application may change that.
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let executable =
        ["bin/python", "bin/python3"].map(|name| dir.join(name)).into_iter().find(|path| path.exists());
    Ok(executable.map(|executable| Interpreter { executable, venv: Some(dir), origin }))
}

/// The interpreter LS_PYTHONBIN names, in a virtual environment or out of it.
fn named(executable: PathBuf) -> Result<Interpreter, Error> {
    const ORIGIN: &str = "LS_PYTHONBIN";
    let executable = std::path::absolute(&executable).unwrap_or(executable);
    let venv = executable.parent().and_then(Path::parent).filter(|dir| dir.join("pyvenv.cfg").exists());
    let venv = venv.map(Path::to_owned);
    if let Some(dir) = &venv
        && let Ok(settings) = std::fs::read_to_string(dir.join("pyvenv.cfg"))
    {
        check_version(dir, ORIGIN, &settings)?;
    } else if let Some(version) = version_of(&executable).filter(|version| version != EMBEDDED_VERSION) {
        let reason = format!(
            "is Python {version}, and this lswsgi embeds Python {EMBEDDED_VERSION}: name a python{EMBEDDED_VERSION}, or \
             use an lswsgi built for Python {version}"
        );
        return Err(Error::Interpreter { variable: ORIGIN, path: executable, reason });
    }
    Ok(Interpreter { executable, venv, origin: ORIGIN })
}

/// The version of an interpreter, from its real name or from where it is, if one of them says it. It is not run: it may be
/// anything.
fn version_of(executable: &Path) -> Option<String> {
    let real = executable.canonicalize().ok()?;
    let name = real.file_name()?.to_str()?.strip_prefix("python")?;
    let is_version =
        |text: &str| text.starts_with("3.") && text[2..].bytes().all(|byte| byte.is_ascii_digit());
    if is_version(name) { Some(name.to_owned()) } else { version_in(real.parent()?.parent()?) }
}

/// The version of which there is a library below `prefix`, unless one for the embedded version is there as well.
fn version_in(prefix: &Path) -> Option<String> {
    let library = |version: &str| prefix.join(format!("lib/python{version}"));
    if library(EMBEDDED_VERSION).exists() {
        return None;
    }
    (0..100).map(|minor| format!("3.{minor}")).find(|version| library(version).exists())
}

/// Refuses a PYTHONHOME without the standard library: Python would not get far enough to say more than a name of a module.
fn check_home(home: &Path) -> Result<(), Error> {
    // The part behind a colon is where compiled modules are.
    let prefix = home.to_str().map_or(home, |text| Path::new(text.split(':').next().unwrap_or(text)));
    let library = format!("python{EMBEDDED_VERSION}");
    let zip = format!("lib/{}.zip", library.replace('.', ""));
    let parts = [
        format!("lib/{library}/os.py"),
        format!("lib64/{library}/os.py"),
        format!("lib/{library}/os.pyc"),
        zip,
    ];
    if parts.iter().any(|part| prefix.join(part).exists()) {
        return Ok(());
    }
    let reason = format!(
        "has no standard library of Python {EMBEDDED_VERSION} ({}): unset it, or name a prefix that has",
        prefix.join("lib").join(library).display()
    );
    Err(Error::Interpreter { variable: "PYTHONHOME", path: home.to_owned(), reason })
}

fn check_version(dir: &Path, origin: &str, settings: &str) -> Result<(), Error> {
    match version(settings).or_else(|| version_in(dir)) {
        Some(version) if version != EMBEDDED_VERSION => Err(Error::Venv {
            path: dir.to_owned(),
            reason: format!(
                "({origin}) was made for Python {version}, and this lswsgi embeds Python {EMBEDDED_VERSION}: make it \
                 anew with 'python{EMBEDDED_VERSION} -m venv', or use an lswsgi built for Python {version}"
            ),
        }),
        _ => Ok(()),
    }
}

/// Major and minor version in the text of a pyvenv.cfg; its key depends on the tool that wrote it.
fn version(settings: &str) -> Option<String> {
    let mut pairs = settings.lines().filter_map(|line| line.split_once('='));
    let (_, version) = pairs.find(|(key, _)| matches!(key.trim(), "version" | "version_info"))?;
    let mut parts = version.trim().split('.');
    Some(format!("{}.{}", parts.next()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn venv(dir: &Path, settings: &str) -> PathBuf {
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        std::fs::write(dir.join("pyvenv.cfg"), settings).unwrap();
        std::fs::write(dir.join("bin/python"), "").unwrap();
        dir.join("bin/python")
    }

    fn good() -> String {
        format!("home = /usr/bin\nversion = {EMBEDDED_VERSION}.1\n")
    }

    #[test]
    fn the_first_that_names_one_wins() {
        let dir = TempDir::new().unwrap();
        let names = ["option", "bin", "active", "home", ".venv", "venv"];
        let paths = names.map(|name| venv(&dir.path().join(name), &good()));
        let variables = |name: &str| match name {
            "LS_PYTHONBIN" => Some(paths[1].clone().into_os_string()),
            "VIRTUAL_ENV" => Some(dir.path().join("active").into_os_string()),
            "PYTHONHOME" => Some(dir.path().join("home").into_os_string()),
            _ => None,
        };
        let option = dir.path().join("option");
        let without = |gone: usize| {
            let option = (gone == 0).then_some(&*option);
            let hidden = ["LS_PYTHONBIN", "VIRTUAL_ENV", "PYTHONHOME"];
            let env = |name: &str| {
                let at = hidden.iter().position(|hidden| *hidden == name);
                at.filter(|at| at + 1 >= gone).and_then(|_| variables(name))
            };
            find(option, Some(dir.path()), &env).unwrap().unwrap()
        };
        for (gone, path) in paths[..5].iter().enumerate() {
            assert_eq!(without(gone).executable, *path, "{gone}");
        }
        std::fs::remove_file(dir.path().join(".venv/pyvenv.cfg")).unwrap();
        assert_eq!(without(4).executable, paths[5]);
        assert_eq!(without(4).origin, BESIDE);
        // Where the startup file is in a folder of the project.
        let in_root = |name: &str| (name == "WSGI_ROOT").then(|| dir.path().to_owned().into_os_string());
        let found = find(None, Some(&dir.path().join("project")), &in_root).unwrap().unwrap();
        assert_eq!((found.executable, found.origin), (paths[5].clone(), IN_ROOT));
        assert_eq!(find(None, None, &in_root).unwrap(), None);
        assert_eq!(find(None, None, &|_| None).unwrap(), None);
    }

    #[test]
    fn another_version_is_refused_in_one_sentence_and_so_is_an_option_that_names_nothing() {
        let dir = TempDir::new().unwrap();
        for settings in ["version = 2.7.18\n", "home=/usr\nversion_info=2.7.18.final.0\n"] {
            let path = dir.path().join("old");
            venv(&path, settings);
            let refused = find(Some(&path), None, &|_| None).unwrap_err().to_string();
            assert!(refused.contains("was made for Python 2.7, and this lswsgi embeds"), "{refused}");
        }
        let refused = find(Some(Path::new("/nowhere")), None, &|_| None).unwrap_err().to_string();
        assert!(refused.contains("/nowhere is no virtual environment"), "{refused}");
    }

    #[test]
    fn a_virtual_environment_that_does_not_say_its_version_has_that_of_its_library() {
        let dir = TempDir::new().unwrap();
        venv(dir.path(), "home = /usr/bin\n");
        std::fs::create_dir_all(dir.path().join("lib/python3.2/site-packages")).unwrap();
        let refused = find(Some(dir.path()), None, &|_| None).unwrap_err().to_string();
        assert!(refused.contains("was made for Python 3.2"), "{refused}");
        std::fs::create_dir(dir.path().join(format!("lib/python{EMBEDDED_VERSION}"))).unwrap();
        assert!(find(Some(dir.path()), None, &|_| None).unwrap().is_some());
    }

    #[test]
    fn an_interpreter_of_another_version_is_refused_by_its_real_name_or_its_place() {
        let dir = TempDir::new().unwrap();
        let bin = dir.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        let named = bin.join("python3.2");
        std::fs::write(&named, "").unwrap();
        let link = bin.join("python3");
        std::os::unix::fs::symlink(&named, &link).unwrap();
        let plain = bin.join("python");
        std::fs::write(&plain, "").unwrap();
        let find = |path: &Path| {
            let path = path.to_owned().into_os_string();
            find(None, None, &|name| (name == "LS_PYTHONBIN").then(|| path.clone()))
        };
        let refused = find(&link).unwrap_err();
        assert_eq!(refused.exit_code(), crate::exit_code::PYTHON);
        assert!(
            refused.to_string().contains("bin/python3 is Python 3.2, and this lswsgi embeds"),
            "{refused}"
        );
        // Nobody can tell.
        assert!(find(&plain).unwrap().is_some());
        std::fs::create_dir_all(dir.path().join("lib/python3.2")).unwrap();
        assert!(find(&plain).unwrap_err().to_string().contains("is Python 3.2"));
    }

    #[test]
    fn a_home_without_the_standard_library_is_refused() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().to_owned().into_os_string();
        let find = || find(None, None, &|name| (name == "PYTHONHOME").then(|| path.clone()));
        let refused = find().unwrap_err().to_string();
        assert!(
            refused.contains("has no standard library of Python") && refused.contains("unset it"),
            "{refused}"
        );
        let library = dir.path().join(format!("lib/python{EMBEDDED_VERSION}"));
        std::fs::create_dir_all(&library).unwrap();
        std::fs::write(library.join("os.py"), "").unwrap();
        assert_eq!(find().unwrap(), None);
    }

    #[test]
    fn variables_that_name_nothing_usable_are_passed_over() {
        let env = |name: &str| (name != "PYTHONHOME").then(|| OsString::from("/nowhere"));
        assert_eq!(find(None, None, &env).unwrap(), None);
    }
}
