//! Folders for the sockets of applications whose place nobody has chosen.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use tempfile::TempDir;
use tokio::sync::Mutex;

use super::launcher::Launcher;

/// A folder for each application, by its name. They outlive a graceful restart, so that an application that stays is found
/// again, and go with this.
#[derive(Debug, Default)]
pub(crate) struct Folders(Mutex<HashMap<String, Folder>>);

#[derive(Debug)]
enum Folder {
    Own(TempDir),
    /// The spawner removes it.
    Spawners(PathBuf),
}

impl Folders {
    /// The folder of the application `name`, made when it is asked for first.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) async fn of(&self, name: &str, launcher: &Launcher) -> io::Result<PathBuf> {
        let mut folders = self.0.lock().await;
        let folder = match folders.get(name) {
            Some(folder) => folder,
            None => folders.entry(name.to_owned()).or_insert(Folder::make(launcher).await?),
        };
        Ok(folder.path())
    }

    /// Removes them.
    pub(crate) async fn remove(&self) {
        self.0.lock().await.clear();
    }
}

impl Folder {
    async fn make(launcher: &Launcher) -> io::Result<Self> {
        let parent = std::env::temp_dir();
        Ok(match launcher {
            Launcher::Here => Self::Own(tempfile::Builder::new().prefix("mock-lsws-").tempdir_in(parent)?),
            Launcher::Spawner(spawner) => {
                Self::Spawners(spawner.make_folder(&parent).await.map_err(io::Error::other)?)
            }
        })
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Own(folder) => folder.path().to_owned(),
            Self::Spawners(path) => path.clone(),
        }
    }
}
