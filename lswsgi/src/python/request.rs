//! `start_response` and the `write` it returns.
//!
//! One pair serves request after request as long as the application does not keep it. One that was kept is left to it, and
//! refuses to act on any later request.

use std::sync::Arc;
use std::sync::MutexGuard;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::exceptions::{PyAssertionError, PyBrokenPipeError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::head;
use super::host::Gil;
use crate::worker::Exchange;
use crate::worker::outbound::{End, Outbound, Phase};
use crate::{log, sys};

/// What ties an object the application holds to one request.
#[derive(Debug)]
pub(super) struct Ticket {
    exchange: Arc<Exchange>,
    serial: AtomicU64,
}

impl Ticket {
    pub(super) fn new(exchange: &Arc<Exchange>) -> Self {
        Self { exchange: Arc::clone(exchange), serial: AtomicU64::new(0) }
    }

    /// Makes it valid for request `serial`.
    pub(super) fn renew(&self, serial: u64) {
        self.serial.store(serial, Ordering::Relaxed);
    }

    /// The exchange, if the request is still under way.
    pub(super) fn exchange(&self) -> Option<&Exchange> {
        (self.serial.load(Ordering::Relaxed) == self.exchange.serial()).then_some(&*self.exchange)
    }

    /// The sending side, when another thread's write has ended.
    fn outbound(&self, py: Python<'_>, what: &str) -> PyResult<MutexGuard<'_, Outbound>> {
        if sys::is_forked() {
            return Err(PyBrokenPipeError::new_err(format!(
                "{what} in a child: the connection is its parent's"
            )));
        }
        let outbound = self.exchange.outbound(&Gil(py));
        // Asked last: the request may have ended meanwhile.
        self.exchange()
            .map(|_| outbound)
            .ok_or_else(|| PyRuntimeError::new_err(format!("{what} of a request that is over")))
    }
}

/// The object behind `start_response`.
#[pyclass(frozen, module = "lswsgi")]
pub(super) struct Request {
    pub(super) ticket: Ticket,
    pub(super) write: Py<Write>,
}

#[pymethods]
impl Request {
    /// start_response(status, headers, exc_info=None): sets status and headers, returns write().
    #[pyo3(signature = (status, headers, exc_info=None))]
    fn start_response(
        &self,
        py: Python<'_>,
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        exc_info: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Write>> {
        let mut outbound = self.ticket.outbound(py, "start_response()")?;
        let mut head = match (outbound.phase(), exc_info) {
            (Phase::Nothing, _) | (Phase::Started, Some(_)) => outbound.restart(),
            (Phase::Started | Phase::HeadSent | Phase::Ended(_), None) => return Err(called_twice()),
            // Too late to change anything: the error the application wanted to report goes on its way.
            (Phase::HeadSent | Phase::Ended(_), Some(exc_info)) => {
                drop(outbound);
                return Err(raise(exc_info));
            }
            (Phase::Lost, _) => return Err(gone()),
        };
        drop(outbound);
        let code = head::status_code(status)?;
        let declared = head::put_headers(headers, &mut head)?;
        if !head::is_known_status(code) {
            log::warning(format_args!(
                "the application's status {code} is none LiteSpeed knows: it tells its clients 200 OK"
            ));
        }
        let mut outbound = self.ticket.outbound(py, "start_response()")?;
        match outbound.phase() {
            Phase::Nothing => outbound.start(code, head, declared),
            Phase::Lost => return Err(gone()),
            // By another thread, in the meantime.
            Phase::Started | Phase::HeadSent | Phase::Ended(_) => return Err(called_twice()),
        }
        drop(outbound);
        Ok(self.write.clone_ref(py))
    }
}

/// The callable `start_response` returns, for applications that push their body.
#[pyclass(frozen, module = "lswsgi", name = "write")]
pub(super) struct Write {
    pub(super) ticket: Ticket,
}

#[pymethods]
impl Write {
    /// write(data): sends data, and the headers before it if they have not been sent.
    fn __call__(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let bytes = data.cast::<PyBytes>().map_err(|_| not_bytes("write() takes", data))?;
        let mut outbound = self.ticket.outbound(py, "write()")?;
        match outbound.phase() {
            // The head it came with was to be replaced, and what should replace it was refused.
            Phase::Nothing => {
                return Err(PyAssertionError::new_err("write() called without a valid start_response()"));
            }
            // From close(), or from another thread.
            Phase::Ended(_) => {
                return Err(PyAssertionError::new_err("write() called after the end of the response"));
            }
            Phase::Started | Phase::HeadSent | Phase::Lost => {}
        }
        if bytes.as_bytes().is_empty() {
            return Ok(());
        }
        outbound.write(&Gil(py), bytes.as_bytes(), End::No).map_err(|_| gone())
    }
}

/// The error for a piece of a body that is something else.
pub(super) fn not_bytes(what: &str, got: &Bound<'_, PyAny>) -> PyErr {
    let kind = got.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("{what} bytes, not {kind}"))
}

fn called_twice() -> PyErr {
    PyAssertionError::new_err("start_response() called twice without exc_info")
}

fn gone() -> PyErr {
    PyBrokenPipeError::new_err("the client or the server is gone")
}

/// The exception in an `exc_info` tuple.
fn raise(exc_info: &Bound<'_, PyAny>) -> PyErr {
    let parts = exc_info.cast::<PyTuple>().ok().and_then(|tuple| tuple.get_item(1).ok());
    match parts {
        Some(value) if value.is_instance_of::<pyo3::exceptions::PyBaseException>() => {
            PyErr::from_value(value)
        }
        _ => PyTypeError::new_err("exc_info must be a tuple as sys.exc_info() returns it"),
    }
}
