//! What is said and done when the application fails.

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::host::Gil;
use crate::log;
use crate::worker::Exchange;
use crate::worker::outbound::{End, Lost, Outbound, Phase};

/// Why a request could not be answered by the application.
#[derive(Debug)]
pub(super) enum Failure {
    /// It raised, or broke a rule for which an exception has been made.
    Raised(PyErr),
    /// The client or the server is gone.
    Lost,
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl From<Lost> for Failure {
    fn from(_: Lost) -> Self {
        Self::Lost
    }
}

/// Whether the application asked the process to end.
pub(super) fn is_exit(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PySystemExit>(py) || error.is_instance_of::<PyKeyboardInterrupt>(py)
}

/// Logs an exception of the application: one line of ours, then Python's traceback.
pub(super) fn log_exception(
    py: Python<'_>,
    error: &PyErr,
    environ: Option<&Bound<'_, PyDict>>,
    what: &str,
    serial: u64,
) {
    let request = environ.map_or_else(|| "a request".to_owned(), |environ| describe(environ));
    let kind = error.get_type(py).name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
    log::error(format_args!(
        "the application raised {kind} {what}: {request}, request {serial} of this process"
    ));
    error.display(py);
}

/// Method and path for a log line.
fn describe(environ: &Bound<'_, PyDict>) -> String {
    let text = |key: &str| {
        let value = environ.get_item(key).ok().flatten();
        value.and_then(|value| value.extract::<String>().ok()).unwrap_or_default()
    };
    format!("{} {}{}", text("REQUEST_METHOD"), text("SCRIPT_NAME"), text("PATH_INFO"))
}

/// Ends the response of a request whose application failed. Every path that can still answer must, because the server sends
/// a request that was not answered again.
pub(super) fn answer(gil: &Gil<'_>, exchange: &Exchange) {
    let end = exchange.end();
    let mut outbound = exchange.outbound(gil);
    let sent = match outbound.phase() {
        Phase::Nothing | Phase::Started => internal_error(gil, &mut outbound, end),
        Phase::HeadSent => {
            log::error(format_args!(
                "the response ends early, after {} bytes of its body",
                outbound.written()
            ));
            outbound.write(gil, b"", end)
        }
        Phase::Ended(_) | Phase::Lost => Ok(()),
    };
    if sent.is_err() {
        log::debug(format_args!("the client or the server is gone; nobody will read the error response"));
    }
}

const PAGE: &[u8] = b"500 Internal Server Error\n";

fn internal_error(gil: &Gil<'_>, outbound: &mut Outbound, end: End) -> Result<(), Lost> {
    // One short line cannot pass a limit.
    let started: Result<(), lsapi::HeadError> = outbound.start(500, |head| {
        head.push(b"Content-Type", b"text/plain; charset=utf-8")?;
        Ok(None)
    });
    debug_assert!(started.is_ok(), "a single short header fits");
    outbound.declare_length(PAGE.len() as u64);
    outbound.write(gil, PAGE, end)
}
