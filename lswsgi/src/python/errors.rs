//! `wsgi.errors` as a stream into the server's log (PEP 3333, "Input and Error Streams"; lsapi 1.6, STDERR_STREAM).
//!
//! Python's own text layer does the encoding, so no text can make it fail; what is below it hands the bytes to the
//! exchange, which knows whether a request is under way. One stream serves the whole process: logging handlers keep it.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::host::Gil;
use crate::worker::Exchange;

/// Makes the stream.
pub(super) fn stream<'py>(py: Python<'py>, exchange: &Arc<Exchange>) -> PyResult<Bound<'py, PyAny>> {
    let raw = Bound::new(py, RawErrors { exchange: Arc::clone(exchange) })?;
    let options = PyDict::new(py);
    options.set_item("encoding", "utf-8")?;
    options.set_item("errors", "backslashreplace")?;
    options.set_item("newline", "\n")?;
    // The exchange keeps what is not a line yet, together with the order of text and body.
    options.set_item("write_through", true)?;
    py.import("io")?.getattr("TextIOWrapper")?.call((raw,), Some(&options))
}

/// The bytes below the text: what `io.TextIOWrapper` asks of a buffer.
#[pyclass(frozen, module = "lswsgi", name = "errors")]
struct RawErrors {
    exchange: Arc<Exchange>,
}

#[pymethods]
impl RawErrors {
    /// write(data): logs data. Never fails; with the client gone it goes to standard error.
    fn write(&self, py: Python<'_>, data: &[u8]) -> usize {
        self.exchange.write_errors(&Gil(py), data);
        data.len()
    }

    /// flush(): sends what is not a whole line yet.
    fn flush(&self, py: Python<'_>) {
        self.exchange.flush_errors(&Gil(py));
    }

    /// close(): does nothing. An application must not close this stream, and cannot.
    #[expect(clippy::unused_self, reason = "a method in Python")]
    fn close(&self) {}

    #[getter]
    const fn closed(&self) -> bool {
        false
    }

    const fn writable(&self) -> bool {
        true
    }

    const fn readable(&self) -> bool {
        false
    }

    const fn seekable(&self) -> bool {
        false
    }

    const fn isatty(&self) -> bool {
        false
    }

    /// fileno(): there is none, and the error says so in the way Python's own streams do.
    #[expect(clippy::unused_self, reason = "a method in Python")]
    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        let unsupported = py.import("io")?.getattr("UnsupportedOperation")?;
        Err(PyErr::from_value(unsupported.call1(("wsgi.errors has no file descriptor",))?))
    }
}
