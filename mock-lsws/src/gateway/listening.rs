//! The socket the processes of an application share: where it is, and where it goes when that place is taken.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folders::Folders;
use super::launcher::Launcher;
use super::pid_file;
use crate::config::{ExternalApp, RunOnStartUp};
use crate::hand_over::inode_of;
use crate::{Address, Listener};

/// Ports tried beyond one that is taken (lsapi 4.1.2).
const OTHER_PORTS: u16 = 9;

/// The listening socket of an application. Its file goes with it.
#[derive(Debug)]
pub(super) struct Listening {
    name: String,
    configured: Option<Address>,
    backlog: i32,
    /// Applications that stay when the server stops are found again: their path is always the same.
    is_detached: bool,
    /// Small writes of one that is told to be detached leave at once, over TCP too.
    is_no_delay: bool,
    /// Such an application outlives this.
    stays: bool,
    place: Place,
    /// Where sockets go for which no place is configured.
    folders: Arc<Folders>,
}

/// Where an application listens.
#[derive(Debug)]
enum Place {
    Nowhere,
    /// At a socket that was made here.
    Own(Listener),
    /// At one that another server made.
    Found {
        address: Address,
        /// The inode of the socket.
        inode: u64,
    },
}

impl Listening {
    /// Nothing listens yet.
    pub(super) fn new(config: &ExternalApp, stays: bool, folders: Arc<Folders>) -> Self {
        Self {
            name: config.name.clone(),
            configured: config.address.clone(),
            backlog: config.backlog,
            is_detached: config.is_detached(),
            is_no_delay: config.run_on_start_up == RunOnStartUp::Detached,
            stays: stays && config.is_detached(),
            place: Place::Nowhere,
            folders,
        }
    }

    /// The path of a detached application's socket, where there is one.
    ///
    /// # Errors
    /// When there is no folder for it.
    pub(super) async fn detached_path(&self, launcher: &Launcher) -> io::Result<Option<PathBuf>> {
        Ok(match &self.configured {
            _ if !self.is_detached => None,
            Some(Address::Tcp { .. }) => None,
            Some(Address::Unix(path)) => Some(path.clone()),
            None => Some(self.made_up(launcher).await?),
        })
    }

    async fn made_up(&self, launcher: &Launcher) -> io::Result<PathBuf> {
        Ok(self.folders.of(&self.name, launcher).await?.join("app.sock"))
    }

    /// Listens, in place of the socket there may have been. Returns where.
    ///
    /// # Errors
    /// When no place can be had.
    pub(super) async fn open(&mut self, launcher: &Launcher) -> io::Result<Address> {
        // Its file first: the new one shall not need another name.
        self.close();
        let listener = match &self.configured {
            Some(Address::Unix(path)) => self.listen_at(path)?,
            Some(Address::Tcp { host, port }) => {
                let mut found = tokio::net::lookup_host((host.as_str(), *port)).await?;
                let address = found.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
                let listener = listen_near(address, self.backlog)?;
                if self.is_no_delay {
                    listener.set_no_delay();
                }
                listener
            }
            None => self.listen_at(&self.made_up(launcher).await?)?,
        };
        let address = listener.address().clone();
        self.place = Place::Own(listener);
        Ok(address)
    }

    fn listen_at(&self, path: &Path) -> io::Result<Listener> {
        if self.is_detached && is_socket(path) {
            // Whoever has it was asked for before, by way of its pid file.
            fs::remove_file(path)?;
        }
        Listener::unix(path, self.backlog).map_err(io::Error::other)
    }

    /// It listens at `path` already, where the socket has this inode.
    pub(super) fn find(&mut self, path: PathBuf, inode: u64) {
        self.place = Place::Found { address: Address::Unix(path), inode };
    }

    /// What was found is not there any more. Who has the path now is not known.
    pub(super) fn lose(&mut self) {
        if matches!(self.place, Place::Found { .. }) {
            self.place = Place::Nowhere;
        }
    }

    /// Where it listens, if it does.
    pub(super) fn address(&self) -> Option<&Address> {
        match &self.place {
            Place::Nowhere => None,
            Place::Own(listener) => Some(listener.address()),
            Place::Found { address, .. } => Some(address),
        }
    }

    /// Whether processes can be started at it.
    pub(super) const fn is_own(&self) -> bool {
        matches!(self.place, Place::Own(_))
    }

    /// A copy of the socket for a process.
    ///
    /// # Errors
    /// When there are no more descriptors, or the socket is not of this server.
    pub(super) fn share(&self) -> io::Result<OwnedFd> {
        match &self.place {
            Place::Own(listener) => listener.share(),
            Place::Nowhere | Place::Found { .. } => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Closes the socket and removes its file and the one beside it, unless somebody else has the path now.
    pub(super) fn close(&mut self) {
        let place = std::mem::replace(&mut self.place, Place::Nowhere);
        let (path, inode) = match &place {
            Place::Own(listener) => (listener.address().path(), listener.inode()),
            Place::Found { address, inode } => (address.path(), *inode),
            Place::Nowhere => (None, 0),
        };
        let Some(path) = path.filter(|_| self.is_detached) else { return };
        let there = inode_of(path);
        if there.is_none_or(|there| there == inode) {
            pid_file::remove(path);
        }
        if there == Some(inode) {
            // Where it is its own, this is what it would do itself.
            let _ = fs::remove_file(path);
        }
    }

    /// Leaves everything where it is, for the application and the server that finds it.
    pub(super) fn leave(&mut self) {
        if let Place::Own(listener) = std::mem::replace(&mut self.place, Place::Nowhere) {
            listener.leave();
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if self.stays {
            self.leave();
        } else {
            self.close();
        }
    }
}

fn is_socket(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket())
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
    use crate::config::RunOnStartUp;

    fn listening(address: Option<Address>, run: RunOnStartUp) -> Listening {
        let mut app = ExternalApp::new("app").command(["/bin/app"]).env("LSAPI_CHILDREN", "1");
        app.address = address;
        Listening::new(&app.run_on_start_up(run), false, Arc::default())
    }

    async fn listen(address: Address, run: RunOnStartUp) -> (Listening, Address) {
        let mut listening = listening(Some(address), run);
        let address = listening.open(&Launcher::Here).await.unwrap();
        (listening, address)
    }

    #[tokio::test]
    async fn a_detached_application_gets_its_path_again_and_others_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        let _other = UnixListener::bind(&path).unwrap();
        let (_alternate, address) = listen(Address::Unix(path.clone()), RunOnStartUp::Yes).await;
        assert_ne!(address.path(), Some(&*path));
        let (mut detached, address) = listen(Address::Unix(path.clone()), RunOnStartUp::Detached).await;
        assert_eq!(address.path(), Some(&*path));
        let found = detached.detached_path(&Launcher::Here).await.unwrap();
        assert_eq!(found.as_deref(), Some(&*path));
        detached.close();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_never_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        fs::write(&path, "something else").unwrap();
        let (mut detached, address) = listen(Address::Unix(path.clone()), RunOnStartUp::Detached).await;
        assert_ne!(address.path(), Some(&*path));
        // Nobody else's path either.
        detached.find(path.clone(), 1);
        detached.close();
        assert_eq!(fs::read(&path).unwrap(), b"something else");
    }

    #[tokio::test]
    async fn what_was_found_goes_unless_another_has_taken_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        let beside = pid_file::path_of(&path);
        for is_taken in [true, false] {
            let other = UnixListener::bind(&path).unwrap();
            fs::write(&beside, "").unwrap();
            let mut detached = listening(Some(Address::Unix(path.clone())), RunOnStartUp::Detached);
            let inode = inode_of(&path).unwrap();
            detached.find(path.clone(), if is_taken { inode + 1 } else { inode });
            detached.close();
            assert_eq!((path.exists(), beside.exists()), (is_taken, is_taken));
            let _ = fs::remove_file(&path);
            drop(other);
        }
    }

    #[tokio::test]
    async fn what_is_left_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.sock");
        let (mut detached, _) = listen(Address::Unix(path.clone()), RunOnStartUp::Detached).await;
        detached.leave();
        drop(detached);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_passed_over() {
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = other.local_addr().unwrap().port();
        let wanted = Address::Tcp { host: "127.0.0.1".into(), port: taken };
        let (listening, address) = listen(wanted, RunOnStartUp::No).await;
        let Address::Tcp { port, .. } = address else { panic!("{address}") };
        assert!(
            (taken + 1..=taken.saturating_add(OTHER_PORTS)).contains(&port),
            "{port} is not near {taken}"
        );
        assert!(listening.detached_path(&Launcher::Here).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn without_an_address_it_listens_in_a_folder_that_stays_until_all_goes() {
        let mut first = listening(None, RunOnStartUp::No);
        let address = first.open(&Launcher::Here).await.unwrap();
        let folder = address.path().unwrap().parent().unwrap().to_owned();
        assert_eq!(first.open(&Launcher::Here).await.unwrap(), address, "the same again");
        let mut next = listening(None, RunOnStartUp::No);
        next.folders = Arc::clone(&first.folders);
        let alternate = next.open(&Launcher::Here).await.unwrap();
        assert_eq!(alternate.path().unwrap().parent().unwrap(), folder, "for another server too");
        assert_ne!(alternate, address);
        first.close();
        assert!(folder.exists());
        next.folders.remove().await;
        assert!(!folder.exists());
    }
}
