//! The body of a response: what the application returned, sent piece by piece, each at once (PEP 3333, "Buffering and
//! Streaming").

use std::sync::MutexGuard;

use pyo3::exceptions::{PyAssertionError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use super::failure::Failure;
use super::file_wrapper::{BUFFER, FileWrapper, RealFile};
use super::host::Host;
use super::request::not_bytes;
use crate::worker::outbound::{End, Outbound, Phase};
use crate::{log, sys};

impl<'py> Host<'py> {
    /// Sends what the application returned, and the end of the response.
    pub(super) fn send(&self, result: &Bound<'py, PyAny>) -> Result<(), Failure> {
        if let Some(body) = only_chunk(result) {
            return self.finish(body.as_bytes());
        }
        if let Some(pieces) = all_pieces(result)? {
            return self.send_pieces(&pieces);
        }
        let wrapper = result.cast_exact::<FileWrapper>().ok();
        if let Some(wrapper) = wrapper
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
                let mut bytes = bytes.as_bytes();
                if wrapper.is_some() {
                    // "until the end is reached, or until Content-Length bytes have been written": no surplus to warn of.
                    bytes = &bytes[..bytes.len().min(outbound.room())];
                }
                outbound.write(&self.gil, bytes, End::No)?;
                // What follows would not be sent, however much it is: an endless stream asked for with HEAD is one case.
                if outbound.is_full() || (wrapper.is_some() && outbound.room() == 0) {
                    break;
                }
            }
        }
        self.finish(b"")
    }

    /// Sends a body of which all pieces are there, so that its length is known, in as few writes as it takes: small pieces
    /// are gathered, and large ones leave from where they are.
    fn send_pieces(&self, pieces: &[Bound<'py, PyBytes>]) -> Result<(), Failure> {
        let total = pieces.iter().map(|piece| piece.as_bytes().len() as u64).sum();
        self.outbound()?.declare_length(total);
        let mut gathered = self.buffer.take();
        gathered.clear();
        let sent = self.gather(pieces, &mut gathered);
        self.buffer.set(gathered);
        sent
    }

    /// Sends `pieces` through `gathered`, which is empty.
    fn gather(&self, pieces: &[Bound<'py, PyBytes>], gathered: &mut Vec<u8>) -> Result<(), Failure> {
        let mut left = pieces.iter().map(|piece| piece.as_bytes()).peekable();
        while let Some(piece) = left.next() {
            if gathered.len() + piece.len() > BUFFER {
                if !gathered.is_empty() {
                    self.write(gathered)?;
                    gathered.clear();
                }
                if piece.len() > BUFFER {
                    if left.peek().is_none() {
                        return self.finish(piece);
                    }
                    self.write(piece)?;
                    continue;
                }
            }
            gathered.extend_from_slice(piece);
        }
        self.finish(gathered)
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
        let mut buffer = self.buffer.take();
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
        self.buffer.set(buffer);
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
                "the application declared a Content-Length of {declared} and produced {} bytes: request {} of this process",
                outbound.written(),
                self.exchange.serial()
            ));
        }
        Ok(())
    }

    /// The response, which the application must have started.
    fn outbound(&self) -> Result<MutexGuard<'_, Outbound>, Failure> {
        // In a child nobody may be left who would give the lock back.
        if sys::is_forked() {
            return Err(Failure::Lost);
        }
        let outbound = self.exchange.outbound(&self.gil);
        if outbound.phase() == Phase::Nothing {
            return Err(PyAssertionError::new_err("the application did not call start_response()").into());
        }
        Ok(outbound)
    }
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

/// The elements of a list or tuple, which must all be bytes; each with a reference of its own, as another thread may change
/// the list while they are sent.
fn all_pieces<'py>(result: &Bound<'py, PyAny>) -> PyResult<Option<Vec<Bound<'py, PyBytes>>>> {
    let pieces: Vec<_> = if let Ok(list) = result.cast_exact::<PyList>() {
        list.iter().collect()
    } else if let Ok(tuple) = result.cast_exact::<PyTuple>() {
        tuple.iter().collect()
    } else {
        return Ok(None);
    };
    let bytes = |piece: Bound<'py, PyAny>| {
        piece.cast_into().map_err(|error| not_bytes("the application must yield", &error.into_inner()))
    };
    pieces.into_iter().map(bytes).collect::<PyResult<_>>().map(Some)
}
