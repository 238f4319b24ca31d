//! What is said and done when the application fails.

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use super::host::Gil;
use super::text::as_latin1;
use super::traceback;
use crate::log;
use crate::options::{LateError, Options};
use crate::worker::outbound::{End, Lost, Outbound, Phase};
use crate::worker::{Exchange, page};

/// Why a request could not be answered by the application.
#[derive(Debug)]
pub(super) enum Failure {
    /// It raised, or broke a rule for which an exception has been made.
    Raised(PyErr),
    /// The client or the server is gone, or it is the parent's.
    Lost,
}

impl Failure {
    /// The exception, if there is one.
    pub(super) const fn error(&self) -> Option<&PyErr> {
        match self {
            Self::Raised(error) => Some(error),
            Self::Lost => None,
        }
    }
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

/// A request as the application's failure concerns it.
pub(super) struct Failing<'a, 'py> {
    pub(super) py: Python<'py>,
    pub(super) exchange: &'a Exchange,
    pub(super) options: Options,
    /// The stream for what requests have to say, if there is one of its own.
    pub(super) errors: Option<&'a Bound<'py, PyAny>>,
    pub(super) environ: Option<&'a Bound<'py, PyDict>>,
}

impl Failing<'_, '_> {
    /// Logs an exception of the application: one line of ours, then Python's traceback.
    pub(super) fn log(&self, error: &PyErr, what: &str) {
        let py = self.py;
        let request = self.environ.map_or_else(|| "a request".to_owned(), |environ| describe(environ));
        let kind =
            error.get_type(py).name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
        let serial = self.exchange.serial();
        log::error(format_args!(
            "the application raised {kind} {what}: {request}, request {serial} of this process"
        ));
        let told = self.errors.map(|errors| errors.call_method1("write", (traceback::text(py, error)?,)));
        // To standard error, also where memory or stack do not suffice for the other way.
        if !matches!(told, Some(Ok(_))) {
            traceback::print(py, error);
        }
    }

    /// Ends the response after `error`. Every path that can still answer must, because the server sends a request that was
    /// not answered again.
    pub(super) fn answer(&self, error: &PyErr) {
        let gil = Gil(self.py);
        let page = self.page(error);
        let end = self.exchange.end();
        let mut outbound = self.exchange.outbound(&gil);
        let sent = match outbound.phase() {
            Phase::Nothing | Phase::Started => page::send(&gil, &mut outbound, 500, &page, end),
            Phase::HeadSent => self.end_early(&mut outbound, end),
            Phase::Ended(_) | Phase::Lost => Ok(()),
        };
        if sent.is_err() {
            log::debug(format_args!("the client or the server is gone; nobody will read the error response"));
        }
    }

    fn end_early(&self, outbound: &mut Outbound, end: End) -> Result<(), Lost> {
        let written = outbound.written();
        if let Some(declared) = outbound.declared() {
            log::error(format_args!(
                "the response ends early, after {written} of the {declared} bytes it declared"
            ));
        } else if self.options.late_error == LateError::Abort && outbound.is_repeatable() {
            log::error(format_args!(
                "the response is broken off after {written} bytes of its body: the connection is closed without its end"
            ));
            outbound.abandon();
            return Ok(());
        } else {
            log::error(format_args!(
                "the response ends early, after {written} bytes of its body, and looks complete"
            ));
        }
        outbound.ends_early();
        outbound.write(&Gil(self.py), b"", end)
    }

    /// The page for a response that has not been begun.
    fn page(&self, error: &PyErr) -> Vec<u8> {
        let mut page = page::INTERNAL_ERROR.to_vec();
        if self.options.debug
            && let Ok(text) = traceback::text(self.py, error).and_then(|text| encode(&text))
        {
            page.push(b'\n');
            page.extend(text);
        }
        page
    }
}

/// Text as UTF-8, whatever is in it.
fn encode(text: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    Ok(text.call_method1("encode", ("utf-8", "backslashreplace"))?.cast::<PyBytes>()?.as_bytes().to_vec())
}

/// Method and path for a log line.
fn describe(environ: &Bound<'_, PyDict>) -> String {
    let [method, root, path] = ["REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO"].map(|key| {
        let value = environ.get_item(key).ok().flatten();
        let text = value.as_ref().and_then(|value| value.cast::<PyString>().ok());
        // Each character of a path is a byte of what is mostly UTF-8.
        let bytes = text.and_then(|text| as_latin1(text).ok().flatten());
        String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
    });
    format!("{method} {root}{path}")
}
