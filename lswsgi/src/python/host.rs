//! One request: from its packet to a call of the application to RESP_END (PEP 3333, "Specification Details").

use std::cell::Cell;
use std::sync::Arc;

use lsapi::{BeginRequest, BodyLength};
use pyo3::exceptions::PyBrokenPipeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{ffi, intern};

use super::environ::Environ;
use super::errors;
use super::failure::{self, Failing, Failure};
use super::input::Input;
use super::leave;
use super::request::{Request, Ticket, Write};
use super::scripts::{Script, Scripts, Unusable};
use crate::options::{ErrorLog, Options, UnknownLength};
use crate::worker::outbound::Phase;
use crate::worker::serve::Verdict;
use crate::worker::{Detach, Exchange, Handler, Leave, page};
use crate::{log, sys};

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
    pub(super) gil: Gil<'py>,
    source: Source<'py>,
    pub(super) exchange: Arc<Exchange>,
    environ: Environ,
    options: Options,
    /// The stream to the server's log, if that is where errors of requests go.
    errors: Option<Bound<'py, PyAny>>,
    request: Bound<'py, Request>,
    /// `request.start_response`, bound once: making a bound method per request costs more than calling it.
    start_response: Bound<'py, PyAny>,
    input: Bound<'py, Input>,
    /// What files are sent through and small pieces gathered in, once any have been.
    pub(super) buffer: Cell<Vec<u8>>,
}

impl<'py> Host<'py> {
    /// Prepares to run what `source` says on `exchange`, with the operator's `options`. `multiprocess`: other processes may
    /// be running it as well.
    ///
    /// # Errors
    /// What Python reports, which nothing but a lack of memory causes.
    pub fn new(
        py: Python<'py>,
        source: Source<'py>,
        exchange: &Arc<Exchange>,
        options: Options,
        multiprocess: bool,
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
            environ: Environ::new(py, errors.as_ref(), options.underscore_headers, multiprocess)?,
            options,
            errors,
            request,
            start_response,
            input: new_input(py, exchange)?,
            buffer: Cell::default(),
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
            Ok(result) if sys::is_forked() => (Some(result), Ok(())),
            Ok(result) => {
                let sent = self.send(&result);
                (Some(result), sent)
            }
            Err(error) => (None, Err(error.into())),
        }
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
        self.answer_for(&error, "while it handled the request", environ)
    }

    /// Logs what the application raised, and when it did; answers, and says what that means for the process.
    fn answer_for(&self, error: &PyErr, when: &str, environ: Option<&Bound<'py, PyDict>>) -> Verdict {
        let verdict = self.verdict(error);
        let failing = self.failing(environ);
        failing.log(error, when);
        failing.answer(error);
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
        page::answer(&self.gil, &self.exchange, 411, b"411 Length Required\n");
        Verdict::Continue
    }

    /// Answers for an application that cannot be called, and leaves the rest to another process if that should `try_again`.
    fn refuse(&self, reason: &str, try_again: bool) -> Verdict {
        log::error(format_args!("500 for request {} of this process: {reason}", self.exchange.serial()));
        if try_again {
            self.exchange.end_after_this();
        }
        page::answer(&self.gil, &self.exchange, 500, page::INTERNAL_ERROR);
        if try_again { Verdict::Leave(Leave::TryAgain) } else { Verdict::Continue }
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
}

/// A request as the application is to be called for it.
pub struct Call<'py> {
    environ: Bound<'py, PyDict>,
    /// The script it names, if it does; with an application of the command line nobody asks.
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
            Source::Scripts(_) => Script::of(request),
        };
        Ok(Call { environ: self.build_environ(request).map_err(NotCalled::Failed)?, script })
    }

    fn run(&mut self, call: Self::Call) -> Verdict {
        let verdict = self.answer(call);
        // Everything the application made for the request is gone by now, and any of it may have forked as it went.
        if sys::is_forked() {
            leave::leave_child(self.gil.0, None);
        }
        verdict
    }
}

impl<'py> Host<'py> {
    fn answer(&mut self, call: <Self as Handler>::Call) -> Verdict {
        let Call { environ, script } = match call {
            Ok(call) => call,
            Err(NotCalled::Failed(error)) => return self.fail(error.into(), None),
            Err(NotCalled::LengthRequired) => return self.require_length(),
        };
        let found = match (&mut self.source, script) {
            (Source::Application(application), _) => Ok(application.clone()),
            (Source::Scripts(scripts), Some(script)) => scripts.find(&script),
            (Source::Scripts(_), None) => {
                let reason = "the request names no script, and no application was named with -m";
                return self.refuse(reason, false);
            }
        };
        let application = match found {
            Ok(application) => application,
            Err(Unusable::Raised(error)) => {
                return self.answer_for(&error, "while its script was imported", Some(&environ));
            }
            Err(Unusable::Told { reason, try_again }) => return self.refuse(&reason, try_again),
        };
        let (result, sent) = self.call(&application, &environ);
        if sys::is_forked() {
            leave::leave_child(self.gil.0, sent.err().as_ref().and_then(Failure::error));
        }
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
