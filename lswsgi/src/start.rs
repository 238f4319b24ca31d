//! What has to be found before Python starts.

use crate::error::Error;
use crate::python::load::Location;
use crate::settings::Settings;
use crate::venv::{self, Interpreter};
use crate::{log, sys};

/// Everything found.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// The application; `None` if each request names its own.
    pub(crate) location: Option<Location>,
    /// The Python installation to use; `None` for the one this program was built with.
    pub(crate) interpreter: Option<Interpreter>,
}

impl Start {
    /// Finds the application and the interpreter, and goes to the application's directory. Called before any thread exists.
    ///
    /// # Errors
    /// [`Error::NoFile`], [`Error::Venv`] and [`Error::Interpreter`].
    pub(crate) fn prepare(settings: &Settings) -> Result<Self, Error> {
        let location = settings.application.as_ref().map(Location::of).transpose()?;
        let directory = location.as_ref().map(|location| &*location.directory);
        let interpreter = venv::find(settings.venv.as_deref(), directory, &|name| std::env::var_os(name))?;
        if let Some(named) = &interpreter {
            if [venv::BESIDE, venv::IN_ROOT].contains(&named.origin) {
                log::info(format_args!(
                    "found a virtual environment {}: {}",
                    named.origin,
                    named.executable.display()
                ));
            }
            // It would keep Python from finding its standard library through the interpreter.
            sys::remove_variables(&["PYTHONHOME".into()]);
        }
        if let Some(location) = &location {
            location.enter()?;
        }
        Ok(Self { location, interpreter })
    }
}
