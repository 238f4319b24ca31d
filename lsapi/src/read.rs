//! Bounds-checked reads; the only place that turns bytes at an offset into integers.

use crate::ByteOrder;

/// The `N` bytes at `at`, if they are all there.
pub(crate) fn array<const N: usize>(buf: &[u8], at: usize) -> Option<[u8; N]> {
    buf.get(at..)?.first_chunk::<N>().copied()
}

/// The 32-bit integer at `at`.
pub(crate) fn i32_at(buf: &[u8], at: usize, order: ByteOrder) -> Option<i32> {
    array(buf, at).map(|bytes| order.i32_from(bytes))
}

/// The 16-bit integer at `at`.
pub(crate) fn u16_at(buf: &[u8], at: usize, order: ByteOrder) -> Option<u16> {
    array(buf, at).map(|bytes| order.u16_from(bytes))
}

/// `bytes` up to, and without, the first NUL; all of it if there is none.
pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    // The search behind `CStr` looks at a word at a time; a byte-wise loop is slow on a query string of 20 kB.
    match std::ffi::CStr::from_bytes_until_nul(bytes) {
        Ok(cut) => cut.to_bytes(),
        Err(_) => bytes,
    }
}
