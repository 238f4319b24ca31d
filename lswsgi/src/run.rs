//! The life of the process, in order: settings, socket, limits, signals, Python, application, serving.

use std::ffi::OsString;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::cli::Arguments;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::options::ErrorLog;
use crate::python::host::Host;
use crate::python::{embed, load};
use crate::settings::{self, Settings};
use crate::worker::inbound::Limits;
use crate::worker::{self, Exchange, answer, gate};
use crate::{log, parent, stderr_log, sys};

/// Runs a worker from start to end.
///
/// # Errors
/// Whatever kept it from starting; see [`Error::exit_code`].
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    log::set_level(arguments.log_level);
    let mut settings = Settings::new(arguments, &|name| std::env::var_os(name))?;
    // The first thing, so that a parent that dies while Python starts is noticed.
    if settings.parent_check {
        parent::watch();
    }
    let endpoint = match &arguments.address {
        Some(address) => Endpoint::bind(address)?,
        None => Endpoint::from_fd0()?,
    };
    divert_stderr(&mut settings);
    prepare_process(&settings)?;
    let location = load::enter(&settings.application)?;

    let leave = embed::with_python(settings.exit_timeout, |py| {
        let application = load::load(py, &location, &settings.application.callable)?;
        // Before anybody is told: whoever reads the line may stop the process, and its socket must go with it.
        gate::start_serving();
        log::info(format_args!(
            "serving {} on {endpoint}: lswsgi {}, Python {}",
            location.path.display(),
            env!("CARGO_PKG_VERSION"),
            embed::version(),
        ));
        let exchange = Exchange::new(Limits::from(&settings));
        let mut host = Host::new(application, &exchange, settings.options)
            .map_err(|error| Error::Python(error.to_string()))?;
        worker::serve(&mut host, &exchange, endpoint, &settings)
    })?;
    log::info(format_args!("leaving: {leave}"));
    Ok(())
}

/// Goes on in a log file if there is to be one. Then that is where everything goes.
fn divert_stderr(settings: &mut Settings) {
    let Some(path) = &settings.stderr_log else { return };
    match stderr_log::divert(path) {
        Ok(()) => settings.options.errors = ErrorLog::Stderr,
        Err(error) => log::warning(format_args!("{error}")),
    }
}

/// Everything about the process that must be right before Python and the application exist.
fn prepare_process(settings: &Settings) -> Result<(), Error> {
    // What an application prints belongs into the log: descriptor 1 is a socket nobody reads.
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())
        .map_err(Error::system("cannot send standard output to standard error"))?;
    let own: Vec<OsString> = settings::own_variables();
    sys::remove_variables(&own);
    limit_core_files(settings.allow_core_dump)?;
    gate::prepare().map_err(Error::system("cannot create an eventfd"))?;
    answer::prepare();
    sys::install_signal_handlers().map_err(Error::system("cannot install signal handlers"))?;
    if settings.parent_check {
        sys::ask_for_parent_death_signal()
            .map_err(Error::system("cannot ask for the parent's death signal"))?;
    }
    Ok(())
}

/// No core files unless the operator allows them, and then as large as the limits let them be.
fn limit_core_files(allow: bool) -> Result<(), Error> {
    let limit = if allow {
        // A process that changed its user is not dumpable whatever its limit.
        set_dumpable_behavior(DumpableBehavior::Dumpable)
            .map_err(Error::system("cannot allow core files"))?;
        let hard = getrlimit(Resource::Core).maximum;
        Rlimit { current: hard, maximum: hard }
    } else {
        Rlimit { current: Some(0), maximum: Some(0) }
    };
    setrlimit(Resource::Core, limit).map_err(Error::system("cannot set the core file limit"))
}
