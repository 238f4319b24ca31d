//! The life of the process, in order: settings, socket, limits, signals, Python, application, serving.

use std::ffi::OsString;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::cli::Arguments;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::options::ErrorLog;
use crate::python::host::Gil;
use crate::python::{embed, load};
use crate::settings::{self, Settings};
use crate::start::Start;
use crate::unavailable::NoPython;
use crate::watch::Stamp;
use crate::watchdog::Successor;
use crate::worker::connections;
use crate::worker::{Detach, Leave, answer, gate};
use crate::{access_log, group, log, parent, service, stderr_log, suexec, sys};

/// Runs a worker from start to end.
///
/// # Errors
/// Whatever kept it from serving its application; see [`Error::exit_code`]. A worker that a server has started answers
/// requests until then: a server takes a process that ends at once for one that is slow to start, and its clients wait.
pub fn run(arguments: &Arguments) -> Result<(), Error> {
    let mut settings = Settings::new(arguments, &|name| std::env::var_os(name));
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
    let by_server = arguments.address.is_none();
    if let Some(secret) = suexec::secret_file(&settings) {
        return suexec::run(&settings, endpoint, secret);
    }
    let endpoint = match endpoint {
        Endpoint::Listening(listener) if settings.group.children > 1 || settings.operation.watch_imports => {
            // Also of one worker only: somebody has to be there who starts the next.
            settings.group.children = settings.group.children.max(1);
            return group::run(&settings, listener, !by_server);
        }
        endpoint => endpoint,
    };
    if settings.operation.watch_imports {
        log::warning(format_args!(
            "--watch does nothing here: it takes a listening socket, and so a group of processes"
        ));
    }
    serve(settings, endpoint, by_server)
}

/// Serves `endpoint` in this process, which is ready for it, from the start of Python to the end.
///
/// # Errors
/// As [`run`].
pub(crate) fn serve(settings: Settings, endpoint: Endpoint, by_server: bool) -> Result<(), Error> {
    let mut worker = Worker { settings, endpoint: Some(endpoint), by_server };
    let result = worker.serve_application();
    match (result, worker.endpoint.take()) {
        (Ok(leave), _) => {
            log::info(format_args!("leaving: {leave}"));
            Ok(())
        }
        // Python has not come into it.
        (Err(error), Some(endpoint)) if by_server => {
            let file =
                worker.settings.application.as_ref().and_then(|application| Stamp::of(&application.path));
            let leave = worker.serve_errors(NoPython, endpoint, &error, file)?;
            log::info(format_args!("leaving: {leave}"));
            Err(error)
        }
        (Err(error), _) => Err(error),
    }
}

/// What it takes to serve.
struct Worker {
    settings: Settings,
    /// Until it is served.
    endpoint: Option<Endpoint>,
    /// A server has started this process; otherwise somebody did by hand, who would rather see an error than serve it.
    by_server: bool,
}

impl Worker {
    fn serve_application(&mut self) -> Result<Leave, Error> {
        let start = Start::prepare(&self.settings)?;
        embed::with_python(start.interpreter.as_ref(), self.settings.exit_timeout, |py| {
            let successor = if self.by_server { Successor::Server } else { Successor::Nobody };
            service::start_watchdog(py, &self.settings, successor);
            let file = start.location.as_ref().and_then(|location| Stamp::of(&location.path));
            let source = match load::source(py, start.location.as_ref(), &self.settings) {
                Ok(source) => source,
                Err(error) if self.by_server => {
                    let Some(endpoint) = self.endpoint.take() else { return Err(error) };
                    let leave = self.serve_errors(Gil(py), endpoint, &error, file)?;
                    log::info(format_args!("leaving: {leave}"));
                    return Err(error);
                }
                Err(error) => return Err(error),
            };
            let Some(endpoint) = self.endpoint.take() else { return Ok(Leave::ConnectionEnded) };
            // Before anybody is told: whoever reads the line may stop the process, and its socket must go with it.
            gate::start_serving();
            let what = start.location.as_ref().map_or_else(
                || "the script each request names".to_owned(),
                |location| location.path.display().to_string(),
            );
            log::info(format_args!(
                "serving {what} on {endpoint}: lswsgi {}, Python {}{}",
                env!("CARGO_PKG_VERSION"),
                embed::version(),
                start.interpreter.as_ref().map(ToString::to_string).unwrap_or_default(),
            ));
            let mut connections = connections::of_endpoint(endpoint, self.settings.max_idle)?;
            // A server starts more processes of an application when it has to; started by hand, there is this one.
            service::serve(py, source, &mut *connections, &self.settings, self.by_server)
        })
    }

    /// Answers for an application that cannot be served for `reason`, whose file was in the state `file` when that came up.
    fn serve_errors<D: Detach>(
        &self,
        gil: D,
        endpoint: Endpoint,
        reason: &Error,
        file: Option<Stamp>,
    ) -> Result<Leave, Error> {
        // Before it says what it does: see above.
        gate::start_serving();
        let mut connections = connections::of_endpoint(endpoint, self.settings.max_idle)?;
        service::serve_errors(gil, reason, file, &mut *connections, &self.settings)
    }
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
    access_log::prepare(settings);
    sys::title::prepare();
    sys::title::set_role(sys::title::STARTING, settings.file());
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
pub(crate) fn limit_core_files(allow: bool) -> Result<(), Error> {
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
