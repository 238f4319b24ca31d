//! The file beside the socket of a detached application, by which a later server finds it again (lsapi 4.4).
//!
//! Owns its 32 bytes and the lock that is held while an application is started. What is done with an application that is
//! found is decided by [`Processes`](super::processes::Processes).

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use rustix::process::Pid;
use tokio::time::{Instant, sleep};

/// Its length in bytes.
const LEN: usize = 32;

/// How long another server may take to start the application.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// How soon it is tried again: nothing tells when a lock is free.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The file of the application at one socket. Its lock is held as long as this is there.
#[derive(Debug)]
pub(super) struct PidFile {
    file: File,
    socket: PathBuf,
}

/// What is in it, all integers in the machine's byte order:
///
/// | offset | bytes | |
/// |---|---|---|
/// | 0 | 8 | inode of the socket |
/// | 8 | 8 | time of its last change, seconds |
/// | 16 | 4 | process id |
/// | 20 | 4 | 0 |
/// | 24 | 4 | time of the last change of the program, seconds; 0 if the command is not a file's name alone |
/// | 28 | 4 | 0 |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PidRecord {
    /// That of the socket.
    pub(super) inode: u64,
    modified: i64,
    /// The process.
    pub(super) pid: i32,
    program_modified: u32,
}

/// Where the file of the application at `socket` is.
pub(super) fn path_of(socket: &Path) -> PathBuf {
    let mut name = socket.as_os_str().to_os_string();
    name.push(".pid");
    name.into()
}

impl PidFile {
    /// Opens the file beside `socket`, makes it if it is missing, and waits for its lock.
    ///
    /// # Errors
    /// When it cannot be opened, or another server does not give the lock back.
    pub(super) async fn lock(socket: &Path) -> io::Result<Self> {
        let path = path_of(socket);
        let about = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o644);
        let file = options.open(&path).map_err(about)?;
        let deadline = Instant::now() + LOCK_LIMIT;
        loop {
            match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { file, socket: socket.to_path_buf() }),
                Err(Errno::AGAIN | Errno::ACCESS) if Instant::now() < deadline => sleep(LOCK_PAUSE).await,
                Err(errno) => return Err(about(errno.into())),
            }
        }
    }

    /// The application that is there: its process runs, and the socket is still the one it was given.
    pub(super) fn running(&self) -> Option<PidRecord> {
        let mut bytes = Vec::new();
        (&self.file).take(LEN as u64 + 1).read_to_end(&mut bytes).ok()?;
        let record = PidRecord::decode(&bytes)?;
        let socket = self.socket.symlink_metadata().ok().filter(|found| found.file_type().is_socket())?;
        let is_same = record.inode == socket.ino() && record.modified == socket.mtime();
        let pid = if record.pid > 0 { Pid::from_raw(record.pid) } else { None };
        // One of another user is alive too.
        let is_alive = |pid| rustix::process::test_kill_process(pid) != Err(Errno::SRCH);
        (is_same && pid.is_some_and(is_alive)).then_some(record)
    }

    /// Writes down that `pid` serves the socket.
    ///
    /// # Errors
    /// When the socket is gone or the file cannot be written.
    pub(super) fn write(&self, pid: i32, command: &[OsString]) -> io::Result<()> {
        let record = PidRecord::of(&self.socket.symlink_metadata()?, pid, command);
        self.file.set_len(0)?;
        self.file.write_all_at(&record.encode(), 0)
    }
}

impl PidRecord {
    /// When the application was started, to the second.
    pub(super) fn since(&self) -> SystemTime {
        let seconds = Duration::from_secs(u64::try_from(self.modified).unwrap_or_default());
        SystemTime::UNIX_EPOCH.checked_add(seconds).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    fn of(socket: &Metadata, pid: i32, command: &[OsString]) -> Self {
        let program = Path::new(&command.join(OsStr::new(" "))).metadata();
        let program_modified = program.map_or(0, |found| u32::try_from(found.mtime()).unwrap_or_default());
        Self { inode: socket.ino(), modified: socket.mtime(), pid, program_modified }
    }

    fn encode(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        let fields = [
            &self.inode.to_ne_bytes()[..],
            &self.modified.to_ne_bytes(),
            &self.pid.to_ne_bytes(),
            &[0; 4],
            &self.program_modified.to_ne_bytes(),
            &[0; 4],
        ];
        for (to, from) in bytes.iter_mut().zip(fields.concat()) {
            *to = from;
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (inode, rest) = bytes.split_first_chunk()?;
        let (modified, rest) = rest.split_first_chunk()?;
        let (pid, rest) = rest.split_first_chunk()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let (program_modified, rest) = rest.split_first_chunk()?;
        (rest.len() == 4).then_some(Self {
            inode: u64::from_ne_bytes(*inode),
            modified: i64::from_ne_bytes(*modified),
            pid: i32::from_ne_bytes(*pid),
            program_modified: u32::from_ne_bytes(*program_modified),
        })
    }
}

/// Removes the file beside `socket`.
pub(super) fn remove(socket: &Path) {
    // Somebody may have done so.
    let _ = std::fs::remove_file(path_of(socket));
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn own_pid() -> i32 {
        std::process::id().cast_signed()
    }

    /// A socket, and the bytes of the file beside it once this process is written down.
    async fn written(command: &[OsString]) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("app.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        PidFile::lock(&socket).await.unwrap().write(own_pid(), command).unwrap();
        let bytes = std::fs::read(path_of(&socket)).unwrap();
        (folder, socket, bytes)
    }

    #[tokio::test]
    async fn the_file_has_the_fields_of_the_real_servers() {
        let program = std::env::current_exe().unwrap();
        let (_folder, socket, bytes) = written(&[program.clone().into()]).await;
        let found = socket.metadata().unwrap();
        let changed = u32::try_from(program.metadata().unwrap().mtime()).unwrap();
        let expected = [
            &found.ino().to_le_bytes()[..],
            &found.mtime().to_le_bytes(),
            &own_pid().to_le_bytes(),
            &[0; 4],
            &changed.to_le_bytes(),
            &[0; 4],
        ];
        assert_eq!(bytes, expected.concat());
        assert_eq!(path_of(&socket).metadata().unwrap().permissions().mode() & 0o7777, 0o644);
        let (.., bytes) = written(&[program.into(), "-x".into()]).await;
        assert_eq!(bytes[24..28], [0; 4], "no file is called by the whole command");
    }

    #[tokio::test]
    async fn an_application_is_found_while_it_runs_and_the_socket_is_its_own() {
        let (_folder, socket, bytes) = written(&[]).await;
        let running = async || PidFile::lock(&socket).await.unwrap().running().map(|record| record.pid);
        assert_eq!(running().await, Some(own_pid()));
        let with = |at: usize, value: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[at..at + value.len()].copy_from_slice(value);
            bytes
        };
        // No process has this number: it is beyond the largest.
        let nobody = with(16, &(1_i32 << 30).to_ne_bytes());
        let wrong = [
            nobody,
            with(16, &0_i32.to_ne_bytes()),
            with(16, &(-1_i32).to_ne_bytes()),
            with(0, &[!bytes[0]]),
            with(8, &[!bytes[8]]),
            bytes[..31].to_vec(),
            [&bytes[..], b"x"].concat(),
            Vec::new(),
        ];
        for wrong in wrong {
            std::fs::write(path_of(&socket), &wrong).unwrap();
            assert_eq!(running().await, None, "{wrong:?}");
        }
        std::fs::write(path_of(&socket), &bytes).unwrap();
        assert_eq!(running().await, Some(own_pid()));
        std::fs::remove_file(&socket).unwrap();
        assert_eq!(running().await, None, "without a socket");
        std::fs::write(&socket, "no socket").unwrap();
        assert_eq!(running().await, None, "with something else in its place");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_made_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = PidFile::lock(&folder.path().join("no/app.sock")).await.unwrap_err().to_string();
        assert!(error.contains("no/app.sock.pid"), "{error}");
    }
}
