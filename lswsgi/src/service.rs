//! Serving what has been imported, or answering for what could not be: what every worker ends in, with or without a group.

use pyo3::Python;

use crate::error::Error;
use crate::python::host::{Host, Source};
use crate::python::stacks;
use crate::settings::Settings;
use crate::unavailable::Unavailable;
use crate::watch::{Stamp, Watch};
use crate::watchdog::{self, Successor};
use crate::worker::connections::Connections;
use crate::worker::inbound::Limits;
use crate::worker::{self, Detach, Exchange, Leave};

/// Starts the watchdog of a worker, before it imports anything that could hang. `successor`: who would start another.
pub(crate) fn start_watchdog(py: Python<'_>, settings: &Settings, successor: Successor) {
    stacks::prepare(py);
    watchdog::start(settings, successor);
}

/// Runs requests from `connections` until there is a reason to leave. `multiprocess`: other processes may run the same
/// application.
///
/// # Errors
/// What serving reports, and [`Error::Python`] when there is no memory.
pub(crate) fn serve<'py>(
    py: Python<'py>,
    source: Source<'py>,
    connections: &mut dyn Connections,
    settings: &Settings,
    multiprocess: bool,
) -> Result<Leave, Error> {
    let exchange = Exchange::new(Limits::from(settings));
    let mut host = Host::new(py, source, &exchange, settings.options, multiprocess)
        .map_err(|error| Error::Python(error.to_string()))?;
    worker::serve(&mut host, &exchange, connections, settings)
}

/// Answers 500 for an application that cannot be served for `reason`, whose file was in the state `file` when that came up,
/// until another process should try it again.
///
/// # Errors
/// What serving reports.
pub(crate) fn serve_errors<D: Detach>(
    gil: D,
    reason: &Error,
    file: Option<Stamp>,
    connections: &mut dyn Connections,
    settings: &Settings,
) -> Result<Leave, Error> {
    let exchange = Exchange::new(Limits::from(settings));
    let path = settings.application.as_ref().map(|application| application.path.clone());
    let watch = Watch::new(&path.unwrap_or_default(), file, settings.import_retry);
    let mut unavailable = Unavailable::new(gil, &exchange, reason, watch);
    worker::serve(&mut unavailable, &exchange, connections, settings)
}
