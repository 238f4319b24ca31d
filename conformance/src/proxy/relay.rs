//! Carrying bytes between the server and the application.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use super::damage::{Damage, Damager};

/// Why the proxy did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// Descriptor 0 is not a connected stream socket.
    #[error(
        "descriptor 0 is not a connected socket ({0}): the proxy is started in worker mode, as the application would be"
    )]
    NotConnected(io::Error),
    /// The application could not be started.
    #[error("{program:?} cannot be started: {source}")]
    Start {
        /// The program.
        program: OsString,
        /// Why not.
        source: io::Error,
    },
    /// Bytes could not be carried.
    #[error("the proxy cannot go on: {0}")]
    Io(#[from] io::Error),
}

/// Runs `command` behind the proxy until it ends, and returns its exit code; 128 and the signal's number if one ended it.
///
/// # Errors
/// [`ProxyError`] says what was missing.
pub fn run(command: &[OsString], damage: Damage) -> Result<u8, ProxyError> {
    let server = server_end()?;
    let (ours, theirs) = UnixStream::pair()?;
    let mut application = start(command, theirs)?;
    let to_application = {
        let (server, ours) = (server.try_clone()?, ours.try_clone()?);
        thread::spawn(move || {
            carry(&server, &ours, |bytes| bytes.to_vec());
            ours.shutdown(Shutdown::Write)
        })
    };
    let mut damager = Damager::new(damage);
    carry(&ours, &server, |bytes| damager.pass(bytes));
    // The server may be gone; then nobody misses the rest.
    let _ = (&server).write_all(&damager.finish());
    let _ = server.shutdown(Shutdown::Write);
    let status = application.wait()?;
    // The application has ended, so nothing the server still sends can reach it.
    let _ = server.shutdown(Shutdown::Both);
    let _ = to_application.join();
    Ok(code(status))
}

/// Descriptor 0 as a stream. What kind of socket it is does not matter for reading and writing.
fn server_end() -> Result<UnixStream, ProxyError> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::net::getpeername(&input).map_err(|errno| ProxyError::NotConnected(errno.into()))?;
    Ok(UnixStream::from(input))
}

fn start(command: &[OsString], input: UnixStream) -> Result<Child, ProxyError> {
    let (program, args) =
        command.split_first().map_or((OsString::new(), &[][..]), |(p, args)| (p.clone(), args));
    let input = Stdio::from(OwnedFd::from(input));
    // Parent death is not passed on: the application's parent is this process, which goes when the server goes.
    let child = Command::new(&program).args(args).stdin(input).spawn();
    child.map_err(|source| ProxyError::Start { program, source })
}

/// Copies until `from` ends or `to` is gone.
fn carry(mut from: &UnixStream, mut to: &UnixStream, mut pass: impl FnMut(&[u8]) -> Vec<u8>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(len) => {
                let bytes = pass(buffer.get(..len).unwrap_or_default());
                if to.write_all(&bytes).is_err() {
                    break;
                }
            }
        }
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}
