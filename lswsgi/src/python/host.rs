//! One request: from its packet to a call of the application to RESP_END (PEP 3333, "Specification Details").

use std::sync::{Arc, MutexGuard};

use lsapi::BeginRequest;
use pyo3::exceptions::{PyAssertionError, PyBrokenPipeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use pyo3::{ffi, intern};

use super::environ::Environ;
use super::errors;
use super::failure::{self, Failure};
use super::input::Input;
use super::request::{Request, Ticket, Write, not_bytes};
use crate::log;
use crate::settings::ErrorLog;
use crate::worker::outbound::{End, Outbound, Phase};
use crate::worker::serve::Verdict;
use crate::worker::{Detach, Exchange, Handler};

/// The interpreter lock as the worker sees it: something to let go of while it waits.
#[derive(Clone, Copy)]
pub(crate) struct Gil<'py>(pub(crate) Python<'py>);

impl Detach for Gil<'_> {
    fn detach<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        self.0.detach(body)
    }
}

/// The application and what its requests share.
pub struct Host<'py> {
    gil: Gil<'py>,
    application: Bound<'py, PyAny>,
    exchange: Arc<Exchange>,
    environ: Environ,
    /// The stream to the server's log, if that is where errors of requests go.
    errors: Option<Bound<'py, PyAny>>,
    request: Bound<'py, Request>,
    /// `request.start_response`, bound once: making a bound method per request costs more than calling it.
    start_response: Bound<'py, PyAny>,
    input: Bound<'py, Input>,
}

impl<'py> Host<'py> {
    /// Prepares to run `application` on `exchange`, with `errors` as the place for what its requests log.
    ///
    /// # Errors
    /// What Python reports, which nothing but a lack of memory causes.
    pub fn new(application: Bound<'py, PyAny>, exchange: &Arc<Exchange>, errors: ErrorLog) -> PyResult<Self> {
        let py = application.py();
        let errors = match errors {
            ErrorLog::Stderr => None,
            ErrorLog::Lsapi => Some(errors::stream(py, exchange)?),
        };
        let (request, start_response) = new_request(py, exchange)?;
        Ok(Self {
            gil: Gil(py),
            application,
            exchange: Arc::clone(exchange),
            environ: Environ::new(py, errors.as_ref())?,
            errors,
            request,
            start_response,
            input: new_input(py, exchange)?,
        })
    }

    /// Makes `start_response`, `write` and `wsgi.input` valid for the request under way. What an application has kept from
    /// an earlier request is left to it.
    fn renew(&mut self) -> PyResult<()> {
        let (py, serial) = (self.gil.0, self.exchange.serial());
        let write_kept = references(self.request.get().write.bind(py)) > 1;
        // The request is held here and by the bound method.
        if write_kept || references(&self.start_response) > 1 || references(&self.request) > 2 {
            (self.request, self.start_response) = new_request(py, &self.exchange)?;
        }
        if references(&self.input) > 1 {
            self.input = new_input(py, &self.exchange)?;
        }
        let request = self.request.get();
        request.ticket.renew(serial);
        request.write.get().ticket.renew(serial);
        self.input.get().ticket.renew(serial);
        Ok(())
    }

    fn build_environ(&mut self, request: &BeginRequest<'_>) -> PyResult<Bound<'py, PyDict>> {
        self.renew()?;
        self.environ.build(self.gil.0, request, self.input.as_any())
    }

    /// Calls the application and sends what it returns. The returned object comes back in any case: it may have to be
    /// closed.
    fn call(&self, environ: &Bound<'py, PyDict>) -> (Option<Bound<'py, PyAny>>, Result<(), Failure>) {
        match self.application.call1((environ, &self.start_response)) {
            Ok(result) => {
                let sent = self.send(&result);
                (Some(result), sent)
            }
            Err(error) => (None, Err(error.into())),
        }
    }

    fn send(&self, result: &Bound<'py, PyAny>) -> Result<(), Failure> {
        if let Some(body) = only_chunk(result) {
            return self.finish(body.as_bytes());
        }
        // Both can be iterated, and neither gives bytes: say what is wrong, not what follows from it.
        if result.is_instance_of::<PyBytes>() || result.is_instance_of::<PyString>() {
            let kind = result.get_type().name()?;
            let message = format!(
                "the application must return an iterable of bytes, not {kind}; did you mean [{kind}]?"
            );
            return Err(PyTypeError::new_err(message).into());
        }
        for chunk in result.try_iter()? {
            let chunk = chunk?;
            let bytes =
                chunk.cast::<PyBytes>().map_err(|_| not_bytes("the application must yield", &chunk))?;
            if !bytes.as_bytes().is_empty() {
                let mut outbound = self.outbound()?;
                outbound.write(&self.gil, bytes.as_bytes(), End::No)?;
                // What follows would not be sent, however much it is: an endless stream asked for with HEAD is one case.
                if outbound.is_full() {
                    break;
                }
            }
        }
        self.finish(b"")
    }

    /// Sends the last piece of the body and the end. If it is the only piece, the length is known, and everything leaves in
    /// one write.
    fn finish(&self, last: &[u8]) -> Result<(), Failure> {
        let end = self.exchange.end();
        let mut outbound = self.outbound()?;
        outbound.declare_length(last.len() as u64);
        outbound.write(&self.gil, last, end)?;
        if let Some(declared) = outbound.declared()
            && outbound.written() < declared
            && !outbound.is_bodyless()
        {
            log::warning(format_args!(
                "the application declared a Content-Length of {declared} and produced {} bytes",
                outbound.written()
            ));
        }
        Ok(())
    }

    /// The response, which the application must have started.
    fn outbound(&self) -> PyResult<MutexGuard<'_, Outbound>> {
        let outbound = self.exchange.outbound(&self.gil);
        if outbound.phase() == Phase::Nothing {
            return Err(PyAssertionError::new_err("the application did not call start_response()"));
        }
        Ok(outbound)
    }

    /// Logs what went wrong and answers, if there is still something to answer.
    fn fail(&self, failure: Failure, environ: Option<&Bound<'py, PyDict>>) -> Verdict {
        let Failure::Raised(error) = failure else { return Verdict::Continue };
        let (py, serial) = (self.gil.0, self.exchange.serial());
        if error.is_instance_of::<PyBrokenPipeError>(py)
            && self.exchange.outbound(&self.gil).phase() == Phase::Lost
        {
            // What write() told the application has come back; it has been logged as what it is.
            return Verdict::Continue;
        }
        let verdict = if failure::is_exit(py, &error) {
            self.exchange.end_after_this();
            Verdict::Recycle
        } else {
            Verdict::Continue
        };
        let errors = self.errors.as_ref();
        failure::log_exception(py, &error, errors, environ, "while it handled the request", serial);
        failure::answer(&self.gil, &self.exchange);
        verdict
    }

    /// Calls the result's `close()`, if it has one.
    fn close(&self, result: &Bound<'py, PyAny>, environ: &Bound<'py, PyDict>) {
        if result.cast_exact::<PyList>().is_ok() || result.cast_exact::<PyTuple>().is_ok() {
            return;
        }
        let py = self.gil.0;
        let closed = match result.getattr_opt(intern!(py, "close")) {
            Ok(Some(close)) => close.call0().map(|_| ()),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = closed {
            let serial = self.exchange.serial();
            let errors = self.errors.as_ref();
            failure::log_exception(
                py,
                &error,
                errors,
                Some(environ),
                "in close(), after its response",
                serial,
            );
        }
    }
}

impl Detach for Host<'_> {
    fn detach<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        self.gil.detach(body)
    }
}

impl<'py> Handler for Host<'py> {
    type Call = PyResult<Bound<'py, PyDict>>;

    fn prepare(&mut self, request: &BeginRequest<'_>) -> Self::Call {
        self.build_environ(request)
    }

    fn run(&mut self, call: Self::Call) -> Verdict {
        let environ = match call {
            Ok(environ) => environ,
            Err(error) => return self.fail(error.into(), None),
        };
        let (result, sent) = self.call(&environ);
        let verdict = sent.map_or_else(|failure| self.fail(failure, Some(&environ)), |()| Verdict::Continue);
        if let Some(result) = result {
            self.close(&result, &environ);
        }
        verdict
    }
}

fn new_request<'py>(
    py: Python<'py>,
    exchange: &Arc<Exchange>,
) -> PyResult<(Bound<'py, Request>, Bound<'py, PyAny>)> {
    let write = Py::new(py, Write { ticket: Ticket::new(exchange) })?;
    let request = Bound::new(py, Request { ticket: Ticket::new(exchange), write })?;
    let start_response = request.getattr(intern!(py, "start_response"))?;
    Ok((request, start_response))
}

/// How many references to an object there are; one that only we hold is not used by anybody else.
fn references<T>(object: &Bound<'_, T>) -> isize {
    // SAFETY: a live object, and the GIL is held.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

fn new_input<'py>(py: Python<'py>, exchange: &Arc<Exchange>) -> PyResult<Bound<'py, Input>> {
    Bound::new(py, Input { ticket: Ticket::new(exchange) })
}

/// The one element of a list or tuple that has just one, and it is bytes: by far the most common result.
///
/// It is given a reference of its own: another thread may empty the list while the bytes are on their way.
fn only_chunk<'py>(result: &Bound<'py, PyAny>) -> Option<Bound<'py, PyBytes>> {
    let py = result.py();
    let object = result.as_ptr();
    // SAFETY: the exact type is checked before each access, the size before the item is taken, and nothing runs Python code
    // or lets go of the GIL before the item, borrowed from the container, has got its reference.
    unsafe {
        let item = if ffi::PyList_CheckExact(object) != 0 && ffi::PyList_GET_SIZE(object) == 1 {
            ffi::PyList_GET_ITEM(object, 0)
        } else if ffi::PyTuple_CheckExact(object) != 0 && ffi::PyTuple_GET_SIZE(object) == 1 {
            ffi::PyTuple_GET_ITEM(object, 0)
        } else {
            return None;
        };
        (ffi::PyBytes_CheckExact(item) != 0).then(|| Bound::from_borrowed_ptr(py, item).cast_into_unchecked())
    }
}
