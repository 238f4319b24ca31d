//! `wsgi.file_wrapper` (PEP 3333, "Optional Platform-Specific File Handling").
//!
//! A real file, opened by Python itself and not wrapped in anything, is sent past Python: `pread` into a buffer of several
//! packets, and from there to the socket. (Measured against `sendfile`, which needs two system calls a packet here and would
//! have promised bytes that a file may lose in the meantime: 190 instead of 220 µs of CPU a megabyte.) Of anything else
//! with `read()`, also where a descriptor hides below a decompressor, the pieces are iterated like any body.

use std::os::fd::RawFd;

use pyo3::exceptions::{PyAttributeError, PyOSError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::sys;

/// Bytes read of a file at a time: eight packets. More is no faster, and half of it is slower.
pub(super) const BUFFER: usize = 8 * lsapi::limits::MAX_STREAM_PAYLOAD;

/// The object an application returns for a file.
#[pyclass(frozen, module = "lswsgi", name = "file_wrapper")]
pub(super) struct FileWrapper {
    filelike: Py<PyAny>,
    block_size: i64,
}

#[pymethods]
impl FileWrapper {
    #[new]
    #[pyo3(signature = (filelike, block_size=8192, /))]
    const fn new(filelike: Py<PyAny>, block_size: i64) -> Self {
        Self { filelike, block_size }
    }

    /// The file, for middleware that wants to look at it.
    #[getter]
    fn filelike(&self, py: Python<'_>) -> Py<PyAny> {
        self.filelike.clone_ref(py)
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let piece = self.filelike.bind(py).call_method1(intern!(py, "read"), (self.block_size,))?;
        Ok(piece.is_truthy()?.then_some(piece))
    }

    /// close(): closes the file, if it can be closed.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        match self.filelike.bind(py).getattr_opt(intern!(py, "close"))? {
            Some(close) => close.call0().map(|_| ()),
            None => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.filelike)
    }
}

/// A regular file from where it stands.
#[derive(Debug)]
pub(super) struct RealFile<'py> {
    /// What keeps the descriptor open.
    filelike: Bound<'py, PyAny>,
    fd: RawFd,
    offset: u64,
    /// Bytes from there to its end, as it was when it was asked.
    pub(super) len: u64,
}

impl<'py> RealFile<'py> {
    /// The file in `wrapper`, if it is one whose bytes are those its `read()` gives.
    pub(super) fn of(wrapper: &Bound<'py, FileWrapper>) -> PyResult<Option<Self>> {
        let py = wrapper.py();
        let filelike = wrapper.get().filelike.bind(py);
        if !is_plain(filelike)? {
            return Ok(None);
        }
        let fd: RawFd = filelike.call_method0(intern!(py, "fileno"))?.extract()?;
        // What has been written and not left Python's buffer belongs to the file; a read would see it as well.
        filelike.call_method0(intern!(py, "flush"))?;
        let Some(size) = sys::regular_file_size(fd) else { return Ok(None) };
        let offset: u64 = filelike.call_method0(intern!(py, "tell"))?.extract()?;
        if size <= offset {
            // Files of the kernel, such as those of /proc, say that they are empty and are not. One that is reads as such.
            return Ok(None);
        }
        Ok(Some(Self { filelike: filelike.clone(), fd, offset, len: size - offset }))
    }

    /// Reads up to `want` bytes into `buffer`; none where the file ends.
    ///
    /// # Errors
    /// As reading in Python: OSError, and ValueError for a file that has been closed.
    pub(super) fn read<'b>(&mut self, buffer: &'b mut Vec<u8>, want: u64) -> PyResult<&'b [u8]> {
        let want = usize::try_from(want).unwrap_or(usize::MAX).min(BUFFER);
        if buffer.len() < want {
            buffer.resize(want, 0);
        }
        let py = self.filelike.py();
        if self.filelike.getattr(intern!(py, "closed"))?.is_truthy()? {
            // By another thread; the number may be that of any other file by now.
            return Err(PyValueError::new_err("I/O operation on closed file"));
        }
        let (fd, offset) = (self.fd, self.offset);
        let count = py.detach(|| sys::read_at(fd, &mut buffer[..want], offset));
        let count = count.map_err(os_error)?;
        self.offset += count as u64;
        Ok(&buffer[..count])
    }
}

/// The error Python's own read would have raised, with its number.
fn os_error(error: std::io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(number) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            PyOSError::new_err((number, text))
        }
        None => error.into(),
    }
}

/// Whether this is a file as `open()` returns it, for bytes.
fn is_plain(filelike: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = filelike.py();
    let io = py.import(intern!(py, "io"))?;
    let is = |object: &Bound<'_, PyAny>, class: &Bound<'_, pyo3::types::PyString>| {
        Ok::<_, PyErr>(object.get_type().is(&io.getattr(class)?))
    };
    let file_io = intern!(py, "FileIO");
    if is(filelike, file_io)? {
        return Ok(true);
    }
    if !is(filelike, intern!(py, "BufferedReader"))? && !is(filelike, intern!(py, "BufferedRandom"))? {
        return Ok(false);
    }
    // A buffer may sit on anything, and lose what it sits on.
    match filelike.getattr(intern!(py, "raw")) {
        Ok(raw) => is(&raw, file_io),
        Err(error) if error.is_instance_of::<PyAttributeError>(py) => Ok(false),
        Err(error) => Err(error),
    }
}
