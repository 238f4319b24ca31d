//! What all threads are doing, without their help: Python's own `faulthandler` on a signal of ours.
//!
//! It needs no interpreter lock, so it works while the application holds that for ever. It reads what the threads are
//! changing meanwhile, though, and so runs in a copy of the process, which may come to grief over it.

use std::os::fd::AsRawFd as _;
use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, SeekFrom, fstat, ftruncate, memfd_create, seek};
use rustix::io::{Errno, pread};

use crate::{log, sys};

/// Where the stacks are written to: a file without a name, and what tells it from another with its number.
struct Sheet {
    file: OwnedFd,
    inode: u64,
}

static SHEET: OnceLock<Sheet> = OnceLock::new();

/// Gets ready to collect stacks in this process. Where that does not work there will be none.
pub(crate) fn prepare(py: Python<'_>) {
    if let Err(error) = register(py) {
        log::warning(format_args!("the log will show no stacks of runaway requests: {error}"));
    }
    if let Err(error) = sys::install_handler_stack() {
        log::warning(format_args!("signal handlers have no stack of their own: {error}"));
    }
}

fn register(py: Python<'_>) -> PyResult<()> {
    let (file, inode) = make_sheet().map_err(std::io::Error::from)?;
    let options = PyDict::new(py);
    options.set_item("file", file.as_raw_fd())?;
    options.set_item("all_threads", true)?;
    options.set_item("chain", false)?;
    py.import("faulthandler")?.call_method("register", (sys::stacks_signal(),), Some(&options))?;
    SHEET.get_or_init(|| Sheet { file, inode });
    Ok(())
}

fn make_sheet() -> Result<(OwnedFd, u64), Errno> {
    let file = memfd_create("stacks", MemfdFlags::CLOEXEC)?;
    let inode = fstat(&file)?.st_ino;
    Ok((file, inode))
}

/// The stacks of all threads, up to `most` bytes of them; empty if there are none to be had.
pub(crate) fn collect(most: usize) -> String {
    SHEET.get().and_then(|sheet| sheet.collect(most).ok()).unwrap_or_default()
}

impl Sheet {
    fn collect(&self, most: usize) -> Result<String, Errno> {
        // An application may close descriptors it does not know, and open others in their place.
        if fstat(&self.file)?.st_ino != self.inode {
            return Err(Errno::BADF);
        }
        ftruncate(&self.file, 0)?;
        seek(&self.file, SeekFrom::Start(0))?;
        sys::raise_in_copy(sys::stacks_signal())
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let mut text = vec![0; most];
        let mut len = 0;
        while len < most {
            match pread(&self.file, &mut text[len..], len as u64)? {
                0 => break,
                count => len += count,
            }
        }
        text.truncate(len);
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
