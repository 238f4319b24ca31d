//! Memory that manager, template and workers have in common.

use std::io;
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use crate::board::{Group, Slot};

/// What may be laid over zeroed memory that other processes write to as well.
///
/// # Safety
/// All bits zero must be a valid value, and every field an atomic.
pub(crate) unsafe trait Shareable: Sized + Sync + 'static {}

// SAFETY: atomics only, and atomics of integers are valid when zero.
unsafe impl Shareable for Slot {}
// SAFETY: as above.
unsafe impl Shareable for Group {}

/// Memory for `count` values, zeroed, shared with every process forked from here on, and never given back. Pages nobody
/// touches cost nothing.
pub(crate) fn map<T: Shareable>(count: usize) -> io::Result<&'static [T]> {
    let size =
        size_of::<T>().checked_mul(count).filter(|&size| size > 0 && size <= isize::MAX.cast_unsigned());
    let size = size.ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: the kernel chooses the place, so nothing that exists is mapped over.
    let memory = unsafe {
        mmap_anonymous(ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED)
    }?;
    // SAFETY: page-aligned, zeroed, large enough, never unmapped, and valid for `T` by its trait.
    Ok(unsafe { std::slice::from_raw_parts(memory.cast::<T>(), count) })
}
