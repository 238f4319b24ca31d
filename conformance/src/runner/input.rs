//! What an application finds on descriptor 0, and where it listens if that is its own affair.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;

use mock_lsws::scenario::Mode;
use mock_lsws::{Address, Connection, Listener, Transcript, socketpair};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;

use super::peer::Peer;

/// Descriptor 0 and what belongs to it.
pub(super) struct Input {
    pub(super) descriptor: OwnedFd,
    /// What has to stay open for it to remain as it is.
    pub(super) other_end: Option<OwnedFd>,
    /// The connection it is one end of.
    pub(super) main: Option<Peer>,
}

impl Input {
    /// What `mode` says; `listener` is the socket of [`Mode::Listen`]. A closed descriptor has something here too, because
    /// something always travels to the process that starts the application.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub(super) fn make(mode: Mode, listener: Option<&Listener>, transcript: &Transcript) -> io::Result<Self> {
        let plain = |descriptor| Self { descriptor, other_end: None, main: None };
        Ok(match (mode, listener) {
            (Mode::Worker, _) => {
                let (descriptor, ours) = socketpair()?;
                let main =
                    Some(Peer::new(Connection::from_socket(ours, transcript).map_err(io::Error::other)?));
                Self { descriptor, other_end: None, main }
            }
            (Mode::Pipe, _) => {
                let (descriptor, other_end) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
                Self { descriptor, other_end: Some(other_end), main: None }
            }
            (Mode::Unconnected, _) => plain(rustix::net::socket_with(
                AddressFamily::UNIX,
                SocketType::STREAM,
                SocketFlags::CLOEXEC,
                None,
            )?),
            (Mode::Listen, Some(listener)) => plain(listener.share()?),
            (Mode::Listen | Mode::Bind | Mode::Null | Mode::Closed, _) => {
                plain(File::options().read(true).write(true).open("/dev/null")?.into())
            }
        })
    }
}

/// A port nobody listens on. Somebody else can take it; the system does not give it away again at once.
///
/// # Errors
/// When there is none.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Where to reach an application that was told to listen at `address`: `*` is every address of this machine.
///
/// # Errors
/// Why that is no address.
pub(super) fn reachable(address: &str) -> Result<Address, String> {
    let address = match address.trim_start() {
        text if text.starts_with("[*]") => text.replacen("[*]", "[::1]", 1),
        text if text.starts_with('*') => text.replacen('*', "127.0.0.1", 1),
        text => text.to_owned(),
    };
    // The colon behind an IPv6 address may be missing.
    let address = match address.split_once(']') {
        Some((host, port)) if !port.starts_with(':') => format!("{host}]:{port}"),
        _ => address,
    };
    address.parse().map_err(|error: mock_lsws::AddressError| error.to_string())
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec};

    use super::*;

    #[test]
    fn a_pipe_stays_open_and_silent_and_the_null_device_is_at_its_end() {
        let is_ready = |mode| {
            let input = Input::make(mode, None, &Transcript::new()).unwrap();
            let mut polled = [PollFd::new(&input.descriptor, PollFlags::IN)];
            rustix::event::poll(&mut polled, Some(&Timespec::default())).unwrap() > 0
        };
        assert!(!is_ready(Mode::Pipe));
        assert!(is_ready(Mode::Null) && is_ready(Mode::Unconnected));
    }

    #[test]
    fn every_way_to_name_an_address_leads_to_it() {
        for (told, reached) in [
            ("/run/app.sock", "unix:/run/app.sock"),
            ("*:90", "127.0.0.1:90"),
            ("localhost:90", "localhost:90"),
            (" 127.0.0.1:90", "127.0.0.1:90"),
            ("[*]:90", "[::1]:90"),
            ("[::1]90", "[::1]:90"),
        ] {
            assert_eq!(reachable(told).unwrap().to_string(), reached, "{told}");
        }
        assert!(reachable("90").unwrap_err().contains("host:port"));
    }
}
