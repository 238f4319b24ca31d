//! The body of a request as far as it has come in.

use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// Bytes kept in memory; a longer body goes to a file.
const IN_MEMORY: usize = 1 << 20;

/// Keeps a body from its start, because the request may be sent more than once. Its size is limited by whoever reads it
/// from the client.
#[derive(Debug)]
pub(super) struct KeptBody {
    file: SpooledTempFile,
    len: u64,
}

impl KeptBody {
    pub(super) fn new() -> Self {
        Self { file: SpooledTempFile::new(IN_MEMORY), len: 0 }
    }

    /// Bytes there are.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Adds bytes to its end.
    ///
    /// # Errors
    /// When there is no space for temporary files.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.len))?;
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Reads from `offset` on what fits into `block`; less only at the end.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub(super) fn read_at(&mut self, offset: u64, block: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(offset))?;
        let mut read = 0;
        while let Some(rest) = block.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.file.read(rest)? {
                0 => break,
                len => read += len,
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_read_again_from_any_place() {
        let mut body = KeptBody::new();
        let bytes: Vec<u8> = (0..IN_MEMORY + 100).map(|at| (at % 251) as u8).collect();
        let mut block = [0; 64];
        for part in bytes.chunks(40_000) {
            body.append(part).unwrap();
            // Reading must not change where the next bytes go.
            assert_eq!(body.read_at(3, &mut block).unwrap(), 64);
            assert_eq!(block[..], bytes[3..67]);
        }
        assert_eq!(body.len(), bytes.len() as u64);
        let near_end = bytes.len() - 10;
        assert_eq!(body.read_at(near_end as u64, &mut block).unwrap(), 10);
        assert_eq!(block[..10], bytes[near_end..]);
    }
}
