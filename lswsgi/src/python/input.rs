//! `wsgi.input`: the request body as a file (PEP 3333, "Input and Error Streams").
//!
//! Reads what came with the request packet without a system call and the rest from the socket when it is asked for, with
//! the GIL let go. The end of the body is the end of the file. A body that ends early or stalls raises once.

use std::sync::MutexGuard;

use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::request::Ticket;
use crate::worker::inbound::{BodyError, Inbound};

/// Why a read brought nothing.
enum Failed {
    Body(BodyError),
    /// The memory for it is not to be had. Servers limit it, and the application may have an answer to that.
    Memory,
}

/// How much memory a large read asks for at a time. A client may announce far more than it sends.
const READ_STEP: usize = 256 * 1024;

/// The object under `wsgi.input`.
#[pyclass(frozen, module = "lswsgi", name = "input")]
pub(super) struct Input {
    pub(super) ticket: Ticket,
}

impl Input {
    fn inbound(&self) -> PyResult<MutexGuard<'_, Inbound>> {
        let over = || PyValueError::new_err("wsgi.input of a request that is over");
        let busy = || PyRuntimeError::new_err("wsgi.input is being read by another thread");
        self.ticket.exchange().ok_or_else(over)?.try_inbound().ok_or_else(busy)
    }
}

#[pymethods]
impl Input {
    /// read(size=-1): size bytes, or all that is left; fewer only at the end of the body.
    #[pyo3(signature = (size=None))]
    fn read<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        let mut inbound = self.inbound()?;
        // A negative size is no size, as for any Python file.
        let limit = size.and_then(|size| u64::try_from(size).ok());
        let want = match (inbound.body_left(), limit) {
            (Some(left), limit) => left.min(limit.unwrap_or(u64::MAX)),
            // The length is not known, and the end may never be seen: what has come is all that can be promised.
            (None, Some(limit)) => {
                if limit > 0 && inbound.buffered_body().is_empty() {
                    fill(py, &mut inbound)?;
                }
                limit.min(inbound.buffered_body().len() as u64)
            }
            (None, None) => u64::MAX,
        };
        let want = usize::try_from(want).unwrap_or(usize::MAX);
        let buffered = inbound.buffered_body();
        if want <= buffered.len() {
            let bytes = to_bytes(py, &buffered[..want])?;
            inbound.consume_body(want);
            return Ok(bytes);
        }
        let inbound = &mut *inbound;
        if want <= READ_STEP && inbound.body_left().is_some() {
            return PyBytes::new_with(py, want, |target| Ok(py.detach(|| fill_exactly(inbound, target))?));
        }
        let collected = py.detach(|| collect(inbound, want))?;
        to_bytes(py, &collected)
    }

    /// readline(size=-1): up to and with the next newline, at most size bytes.
    #[pyo3(signature = (size=None))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<i64>) -> PyResult<Bound<'py, PyBytes>> {
        let mut inbound = self.inbound()?;
        let limit = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX);
        to_bytes(py, &line(py, &mut inbound, limit)?)
    }

    /// readlines(hint=-1): the lines that are left, until they have hint bytes together.
    #[pyo3(signature = (hint=None))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<i64>) -> PyResult<Bound<'py, PyList>> {
        let mut inbound = self.inbound()?;
        let hint =
            hint.and_then(|hint| usize::try_from(hint).ok()).filter(|&hint| hint > 0).unwrap_or(usize::MAX);
        let lines = PyList::empty(py);
        let mut total = 0;
        while total < hint {
            let line = line(py, &mut inbound, usize::MAX)?;
            if line.is_empty() {
                break;
            }
            total += line.len();
            lines.append(to_bytes(py, &line)?)?;
        }
        Ok(lines)
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = line(py, &mut *self.inbound()?, usize::MAX)?;
        (!line.is_empty()).then(|| to_bytes(py, &line)).transpose()
    }
}

/// Takes as many bytes as `target` has room for, which the body has.
fn fill_exactly(inbound: &mut Inbound, target: &mut [u8]) -> Result<(), Failed> {
    let buffered = inbound.buffered_body();
    let mut count = buffered.len();
    target[..count].copy_from_slice(buffered);
    inbound.consume_body(count);
    while count < target.len() {
        count += inbound.read_body_into(&mut target[count..]).map_err(Failed::Body)?;
    }
    Ok(())
}

/// Takes `want` bytes, waiting for what has not come; fewer where a body without a known length ends.
fn collect(inbound: &mut Inbound, want: usize) -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    let buffered = inbound.buffered_body();
    append(&mut bytes, buffered)?;
    let mut count = buffered.len();
    inbound.consume_body(count);
    while count < want {
        // Room is made when the last has been used up: a slow body comes in pieces far smaller than a step.
        if count == bytes.len() {
            let step = READ_STEP.min(want - count);
            bytes.try_reserve(step).map_err(|_| Failed::Memory)?;
            bytes.resize(count + step, 0);
        }
        match inbound.read_body_into(&mut bytes[count..]).map_err(Failed::Body)? {
            0 => break,
            more => count += more,
        }
    }
    bytes.truncate(count);
    Ok(bytes)
}

fn append(bytes: &mut Vec<u8>, more: &[u8]) -> Result<(), Failed> {
    bytes.try_reserve(more.len()).map_err(|_| Failed::Memory)?;
    bytes.extend_from_slice(more);
    Ok(())
}

/// As `PyBytes::new`, which panics where this raises MemoryError.
fn to_bytes<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    // SAFETY: the slice is as long as stated, never longer than isize::MAX, and is copied; the result is a new reference
    // to an exact bytes object, or null with an exception set.
    unsafe {
        let object = ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast(), bytes.len().cast_signed());
        Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
    }
}

/// Takes a line of at most `limit` bytes; an empty one is the end of the body.
fn line(py: Python<'_>, inbound: &mut Inbound, limit: usize) -> PyResult<Vec<u8>> {
    let mut line = Vec::new();
    while line.len() < limit && inbound.body_left() != Some(0) {
        if inbound.buffered_body().is_empty() {
            // Of a body without a known end, what has come of a line is better than waiting for the rest.
            if !line.is_empty() && inbound.body_left().is_none() {
                break;
            }
            fill(py, inbound)?;
        }
        let buffered = inbound.buffered_body();
        let buffered = &buffered[..buffered.len().min(limit - line.len())];
        let newline = buffered.iter().position(|&byte| byte == b'\n');
        let taken = newline.map_or(buffered.len(), |at| at + 1);
        append(&mut line, &buffered[..taken])?;
        inbound.consume_body(taken);
        if newline.is_some() {
            break;
        }
    }
    Ok(line)
}

fn fill(py: Python<'_>, inbound: &mut Inbound) -> PyResult<()> {
    py.detach(|| inbound.fill_body()).map_err(|error| Failed::Body(error).into())
}

impl From<Failed> for PyErr {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Body(error) => std::io::Error::from(error).into(),
            Failed::Memory => PyMemoryError::new_err("not enough memory for the request body"),
        }
    }
}
