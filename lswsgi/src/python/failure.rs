//! What is said and done when the application fails.

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

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

/// Logs an exception of the application: one line of ours, then Python's traceback, which goes to `errors` if there is a
/// stream of its own for what requests have to say.
pub(super) fn log_exception(
    py: Python<'_>,
    error: &PyErr,
    errors: Option<&Bound<'_, PyAny>>,
    environ: Option<&Bound<'_, PyDict>>,
    what: &str,
    serial: u64,
) {
    let request = environ.map_or_else(|| "a request".to_owned(), |environ| describe(environ));
    let kind = error.get_type(py).name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
    log::error(format_args!(
        "the application raised {kind} {what}: {request}, request {serial} of this process"
    ));
    let told = errors.map(|errors| errors.call_method1("write", (traceback(py, error)?,)));
    // To standard error, also where memory or stack do not suffice for the other way.
    if !matches!(told, Some(Ok(_))) {
        error.display(py);
    }
}

/// What Python would print.
fn traceback<'py>(py: Python<'py>, error: &PyErr) -> PyResult<Bound<'py, PyAny>> {
    let parts = (error.get_type(py), error.value(py), error.traceback(py));
    let lines = py.import("traceback")?.call_method1("format_exception", parts)?;
    PyString::new(py, "").call_method1("join", (lines,))
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
    let mut head = outbound.restart();
    let pushed = head.push(b"Content-Type", b"text/plain; charset=utf-8");
    debug_assert!(pushed.is_ok(), "a single short header fits");
    outbound.start(500, head, None);
    outbound.declare_length(PAGE.len() as u64);
    outbound.write(gil, PAGE, end)
}
