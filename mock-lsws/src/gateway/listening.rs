//! The socket the processes of an application share: where it is, and where it goes when that place is taken.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::launcher::Launcher;
use crate::config::{ExternalApp, RunOnStartUp};
use crate::connection::Socket;
use crate::{Address, Listener};

/// Ports tried beyond one that is taken (lsapi 4.1.2).
const OTHER_PORTS: u16 = 9;

/// The listening socket of an application. Its file goes with it.
#[derive(Debug)]
pub(super) struct Listening {
    configured: Option<Address>,
    backlog: i32,
    /// Applications that stay when the server stops are found again: their path is always the same.
    is_detached: bool,
    listener: Option<Listener>,
    /// Where the socket is, if nothing is configured.
    folder: Option<Folder>,
}

#[derive(Debug)]
enum Folder {
    Own(TempDir),
    /// The spawner removes it.
    Spawners(PathBuf),
}

impl Listening {
    /// Nothing listens yet.
    pub(super) fn new(config: &ExternalApp) -> Self {
        Self {
            configured: config.address.clone(),
            backlog: config.backlog,
            is_detached: config.run_on_start_up == RunOnStartUp::Detached,
            listener: None,
            folder: None,
        }
    }

    /// Listens, in place of the socket there may have been. Returns where.
    ///
    /// # Errors
    /// When no place can be had.
    pub(super) async fn open(&mut self, launcher: &Launcher) -> io::Result<Address> {
        // Its file first: the new one shall not need another name.
        self.listener = None;
        let path = match &self.configured {
            Some(Address::Unix(path)) => path.clone(),
            Some(Address::Tcp { host, port }) => {
                let mut found = tokio::net::lookup_host((host.as_str(), *port)).await?;
                let address = found.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
                let listener = listen_near(address, self.backlog)?;
                return Ok(self.listener.insert(listener).address().clone());
            }
            None => self.folder(launcher).await?.join("app.sock"),
        };
        if self.is_detached && is_stale(&path).await {
            std::fs::remove_file(&path)?;
        }
        let listener = Listener::unix(&path, self.backlog).map_err(io::Error::other)?;
        Ok(self.listener.insert(listener).address().clone())
    }

    async fn folder(&mut self, launcher: &Launcher) -> io::Result<PathBuf> {
        let path = |folder: &Folder| match folder {
            Folder::Own(folder) => folder.path().to_owned(),
            Folder::Spawners(path) => path.clone(),
        };
        if let Some(folder) = &self.folder {
            return Ok(path(folder));
        }
        let parent = std::env::temp_dir();
        let folder = match launcher {
            Launcher::Here => Folder::Own(tempfile::Builder::new().prefix("mock-lsws-").tempdir_in(parent)?),
            Launcher::Spawner(spawner) => {
                Folder::Spawners(spawner.make_folder(&parent).await.map_err(io::Error::other)?)
            }
        };
        Ok(path(self.folder.insert(folder)))
    }

    /// Where it listens, if it does.
    pub(super) fn address(&self) -> Option<&Address> {
        self.listener.as_ref().map(Listener::address)
    }

    /// A copy of the socket for a process.
    ///
    /// # Errors
    /// When there are no more descriptors, or nothing listens.
    pub(super) fn share(&self) -> io::Result<std::os::fd::OwnedFd> {
        self.listener.as_ref().ok_or(io::ErrorKind::NotConnected)?.share()
    }

    /// Closes the socket and removes what belongs to it.
    pub(super) fn close(&mut self) {
        self.listener = None;
        self.folder = None;
    }
}

/// Whether there is a socket nobody listens at. One with a full backlog is not: to connect must not wait.
async fn is_stale(path: &Path) -> bool {
    let is_socket = path.symlink_metadata().is_ok_and(|meta| meta.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    is_socket && Socket::connect(&Address::Unix(path.to_owned())).await.is_err_and(refused)
}

/// Listens at `address`, or at one of the next ports if it is taken.
fn listen_near(address: SocketAddr, backlog: i32) -> io::Result<Listener> {
    let mut tries = 0;
    loop {
        let port = address.port().saturating_add(tries);
        match Listener::tcp(SocketAddr::new(address.ip(), port), backlog) {
            Err(error) if error.source.kind() == io::ErrorKind::AddrInUse && tries < OTHER_PORTS => {
                tries += 1;
            }
            result => return result.map_err(io::Error::other),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    async fn listen(address: Address, run: RunOnStartUp) -> (Listening, Address) {
        let mut listening = Listening::new(&ExternalApp::new("app").address(address).run_on_start_up(run));
        let address = listening.open(&Launcher::Here).await.unwrap();
        (listening, address)
    }

    #[tokio::test]
    async fn a_detached_application_gets_its_path_again_unless_somebody_listens_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        let other = UnixListener::bind(&path).unwrap();
        let (_alternate, address) = listen(Address::Unix(path.clone()), RunOnStartUp::Detached).await;
        assert_ne!(address.path(), Some(&*path));
        drop(other);
        let (_kept, address) = listen(Address::Unix(path.clone()), RunOnStartUp::Yes).await;
        assert_ne!(address.path(), Some(&*path), "others leave the file alone");
        let (listening, address) = listen(Address::Unix(path.clone()), RunOnStartUp::Detached).await;
        assert_eq!(address.path(), Some(&*path));
        drop(listening);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn somebody_who_listens_and_takes_no_more_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        let listener = Listener::unix(&path, 1).unwrap();
        let mut waiting = Vec::new();
        while let Ok(socket) = Socket::connect(listener.address()).await {
            waiting.push(socket);
        }
        let (_alternate, address) = listen(Address::Unix(path.clone()), RunOnStartUp::Detached).await;
        assert_ne!(address.path(), Some(&*path));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_passed_over() {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = other.local_addr().unwrap().port();
        let wanted = Address::Tcp { host: "127.0.0.1".into(), port: taken };
        let (_listening, address) = listen(wanted, RunOnStartUp::No).await;
        let Address::Tcp { port, .. } = address else { panic!("{address}") };
        assert!(
            (taken + 1..=taken.saturating_add(OTHER_PORTS)).contains(&port),
            "{port} is not near {taken}"
        );
    }

    #[tokio::test]
    async fn without_an_address_it_listens_in_a_folder_that_goes_with_it() {
        let mut listening = Listening::new(&ExternalApp::new("app"));
        let address = listening.open(&Launcher::Here).await.unwrap();
        let folder = address.path().unwrap().parent().unwrap().to_owned();
        assert_eq!(listening.open(&Launcher::Here).await.unwrap(), address, "the same again");
        listening.close();
        assert!(!folder.exists());
    }
}
