//! Between bytes on the wire and `str`: PEP 3333 wants latin-1 both ways.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::types::string::PyStringData;

/// The `str` whose code points are `bytes`.
pub(super) fn latin1<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let len = bytes.len().cast_signed();
    // SAFETY: PyUnicode_New(len, 127) makes a compact ASCII string with room for `len` bytes (or returns the shared empty
    // string, to which nothing is copied); nobody else has seen it while it is filled. A slice is never longer than
    // isize::MAX. Both functions return a new reference to an exact str, or null with an exception set.
    unsafe {
        let object = if bytes.is_ascii() {
            let object = ffi::PyUnicode_New(len, 127);
            if !object.is_null() {
                let data = ffi::PyUnicode_1BYTE_DATA(object);
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), data, bytes.len());
            }
            object
        } else {
            ffi::PyUnicode_DecodeLatin1(bytes.as_ptr().cast(), len, std::ptr::null())
        };
        Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
    }
}

/// The bytes of a `str` that has only code points up to 255; `None` if it has others.
pub(super) fn as_latin1<'a>(text: &'a Bound<'_, PyString>) -> PyResult<Option<&'a [u8]>> {
    // SAFETY: nothing is done with the data but reading it while `text` is borrowed.
    match unsafe { text.data()? } {
        PyStringData::Ucs1(bytes) => Ok(Some(bytes)),
        _ => Ok(None),
    }
}
