//! One request: from its packet to a call of the application to RESP_END (PEP 3333, "Specification Details").

use std::cell::Cell;
use std::sync::{Arc, MutexGuard};

use lsapi::{BeginRequest, BodyLength};
use pyo3::exceptions::{PyAssertionError, PyBrokenPipeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use pyo3::{ffi, intern};

use super::environ::Environ;
use super::errors;
use super::failure::{self, Failing, Failure};
use super::file_wrapper::{FileWrapper, RealFile};
use super::input::Input;
use super::request::{Request, Ticket, Write, not_bytes};
use super::scripts::{Script, Scripts, Unusable};
use crate::log;
use crate::options::{ErrorLog, Options, UnknownLength};
use crate::worker::outbound::{End, Outbound, Phase};
use crate::worker::serve::{Leave, Verdict};
use crate::worker::{Detach, Exchange, Handler, page};

/// The interpreter lock as the worker sees it: something to let go of while it waits.
#[derive(Clone, Copy)]
pub(crate) struct Gil<'py>(pub(crate) Python<'py>);

impl Detach for Gil<'_> {
    fn detach<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        self.0.detach(body)
    }
}

/// What is called for requests.
pub enum Source<'py> {
    /// One application, imported at start.
    Application(Bound<'py, PyAny>),
    /// The script each request names.
    Scripts(Scripts<'py>),
}

/// The application and what its requests share.
pub struct Host<'py> {
    gil: Gil<'py>,
    source: Source<'py>,
    exchange: Arc<Exchange>,
    environ: Environ,
    options: Options,
    /// The stream to the server's log, if that is where errors of requests go.
    errors: Option<Bound<'py, PyAny>>,
    request: Bound<'py, Request>,
    /// `request.start_response`, bound once: making a bound method per request costs more than calling it.
    start_response: Bound<'py, PyAny>,
    input: Bound<'py, Input>,
    /// What a file is sent through, once one has been.
    file_buffer: Cell<Vec<u8>>,
}

impl<'py> Host<'py> {
    /// Prepares to run what `source` says on `exchange`, with the operator's `options`.
    ///
    /// # Errors
    /// What Python reports, which nothing but a lack of memory causes.
    pub fn new(
        py: Python<'py>,
        source: Source<'py>,
        exchange: &Arc<Exchange>,
        options: Options,
    ) -> PyResult<Self> {
        let errors = match options.errors {
            ErrorLog::Stderr => None,
            ErrorLog::Lsapi => Some(errors::stream(py, exchange)?),
        };
        let (request, start_response) = new_request(py, exchange)?;
        Ok(Self {
            gil: Gil(py),
            source,
            exchange: Arc::clone(exchange),
            environ: Environ::new(py, errors.as_ref(), options.underscore_headers)?,
            options,
            errors,
            request,
            start_response,
            input: new_input(py, exchange)?,
            file_buffer: Cell::default(),
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
    fn call(
        &self,
        application: &Bound<'py, PyAny>,
        environ: &Bound<'py, PyDict>,
    ) -> (Option<Bound<'py, PyAny>>, Result<(), Failure>) {
        match application.call1((environ, &self.start_response)) {
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
        if let Ok(wrapper) = result.cast_exact::<FileWrapper>()
            && let Some(file) = RealFile::of(wrapper)?
        {
            return self.send_file(file);
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

    /// Sends a file up to its end, or to the length the application declared. One that has become shorter meanwhile is a
    /// body that ends early.
    fn send_file(&self, mut file: RealFile<'py>) -> Result<(), Failure> {
        let mut left = {
            let mut outbound = self.outbound()?;
            outbound.declare_length(file.len);
            let declared = outbound.declared().unwrap_or(file.len);
            if outbound.is_bodyless() { 0 } else { declared.saturating_sub(outbound.written()).min(file.len) }
        };
        let mut buffer = self.file_buffer.take();
        let sent = loop {
            match file.read(&mut buffer, left) {
                Err(error) => break Err(error.into()),
                Ok(piece) => {
                    left -= piece.len() as u64;
                    if left == 0 || piece.is_empty() {
                        break self.finish(piece);
                    }
                    if let Err(failure) = self.write(piece) {
                        break Err(failure);
                    }
                }
            }
        };
        self.file_buffer.set(buffer);
        sent
    }

    fn write(&self, piece: &[u8]) -> Result<(), Failure> {
        Ok(self.outbound()?.write(&self.gil, piece, End::No)?)
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
        if error.is_instance_of::<PyBrokenPipeError>(self.gil.0)
            && self.exchange.outbound(&self.gil).phase() == Phase::Lost
        {
            // What write() told the application has come back; it has been logged as what it is.
            return Verdict::Continue;
        }
        let verdict = self.verdict(&error);
        let failing = self.failing(environ);
        failing.log(&error, "while it handled the request");
        failing.answer(&error);
        verdict
    }

    /// What an exception of the application means for the process, and so for the connection.
    fn verdict(&self, error: &PyErr) -> Verdict {
        if failure::is_exit(self.gil.0, error) {
            self.exchange.end_after_this();
            return Verdict::Leave(Leave::ApplicationExit);
        }
        Verdict::Continue
    }

    fn failing<'a>(&'a self, environ: Option<&'a Bound<'py, PyDict>>) -> Failing<'a, 'py> {
        Failing {
            py: self.gil.0,
            exchange: &self.exchange,
            options: self.options,
            errors: self.errors.as_ref(),
            environ,
        }
    }

    /// Refuses a request of which nobody can say how much body it has.
    fn require_length(&self) -> Verdict {
        log::info(format_args!(
            "answering 411: a request body without a length, and --unknown-length is 411"
        ));
        self.answer(411, b"411 Length Required\n");
        Verdict::Continue
    }

    /// Answers for an application that cannot be called, and leaves the rest to another process if that should `try_again`.
    fn refuse(&self, reason: &str, try_again: bool) -> Verdict {
        log::error(format_args!("500 for request {} of this process: {reason}", self.exchange.serial()));
        if try_again {
            self.exchange.end_after_this();
        }
        self.answer(500, page::INTERNAL_ERROR);
        if try_again { Verdict::Leave(Leave::TryAgain) } else { Verdict::Continue }
    }

    fn answer(&self, status: u16, text: &[u8]) {
        let end = self.exchange.end();
        let mut outbound = self.exchange.outbound(&self.gil);
        if page::send(&self.gil, &mut outbound, status, text, end).is_err() {
            log::debug(format_args!("the client or the server is gone; nobody will read that"));
        }
    }

    /// Calls the result's `close()`, if it has one.
    fn close(&self, result: &Bound<'py, PyAny>, environ: &Bound<'py, PyDict>) -> Verdict {
        if result.cast_exact::<PyList>().is_ok() || result.cast_exact::<PyTuple>().is_ok() {
            return Verdict::Continue;
        }
        let closed = match result.getattr_opt(intern!(self.gil.0, "close")) {
            Ok(Some(close)) => close.call0().map(|_| ()),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        closed.map_or_else(
            |error| {
                self.failing(Some(environ)).log(&error, "in close(), after its response");
                self.verdict(&error)
            },
            |()| Verdict::Continue,
        )
    }
}

impl Detach for Host<'_> {
    fn detach<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        self.gil.detach(body)
    }
}

/// Why the application is not called for a request.
pub enum NotCalled {
    /// There is no memory for its environ, or nothing else that worked.
    Failed(PyErr),
    /// The length of its body is not known, and has to be.
    LengthRequired,
    /// It names no script.
    NoScript,
}

/// A request as the application is to be called for it.
pub struct Call<'py> {
    environ: Bound<'py, PyDict>,
    /// The script it names; with an application of the command line nobody asks.
    script: Option<Script>,
}

impl<'py> Handler for Host<'py> {
    type Call = Result<Call<'py>, NotCalled>;

    fn prepare(&mut self, request: &BeginRequest<'_>) -> Self::Call {
        if request.body_length() == BodyLength::Streaming
            && self.options.unknown_length == UnknownLength::Refuse
        {
            return Err(NotCalled::LengthRequired);
        }
        let script = match self.source {
            Source::Application(_) => None,
            Source::Scripts(_) => Some(Script::of(request).ok_or(NotCalled::NoScript)?),
        };
        Ok(Call { environ: self.build_environ(request).map_err(NotCalled::Failed)?, script })
    }

    fn run(&mut self, call: Self::Call) -> Verdict {
        let Call { environ, script } = match call {
            Ok(call) => call,
            Err(NotCalled::Failed(error)) => return self.fail(error.into(), None),
            Err(NotCalled::LengthRequired) => return self.require_length(),
            Err(NotCalled::NoScript) => {
                return self
                    .refuse("the request names no script, and no application was named with -m", false);
            }
        };
        let found = match (&mut self.source, script) {
            (Source::Scripts(scripts), Some(script)) => scripts.find(&script),
            (Source::Application(application), _) => Ok(application.clone()),
            (Source::Scripts(_), None) => return Verdict::Continue,
        };
        let application = match found {
            Ok(application) => application,
            Err(Unusable::Raised(error)) => return self.fail(error.into(), Some(&environ)),
            Err(Unusable::Told { reason, try_again }) => return self.refuse(&reason, try_again),
        };
        let (result, sent) = self.call(&application, &environ);
        let verdict = sent.map_or_else(|failure| self.fail(failure, Some(&environ)), |()| Verdict::Continue);
        let closed = result.map_or(Verdict::Continue, |result| self.close(&result, &environ));
        if closed == Verdict::Continue { verdict } else { closed }
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
