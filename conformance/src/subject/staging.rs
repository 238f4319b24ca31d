//! Copies of a subject's files in a folder its user can enter.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mock_lsws::{Spawner, User};

use super::{SubjectError, reach};

/// Where temporary files are kept when the runner's own place for them is closed to the subject's user.
const FALLBACKS: [&str; 2] = ["/tmp", "/var/tmp"];

/// The copies of a run. The process that keeps the folder removes it, however the run ends.
#[derive(Debug)]
pub struct Staging {
    /// Removes the folder when it goes.
    _keeper: Spawner,
    /// The folder.
    pub(super) folder: PathBuf,
    /// Copies by the files and folders they stand in for.
    pub(super) copies: BTreeMap<PathBuf, PathBuf>,
}

impl Staging {
    /// Copies `files` to where `user` can read them, and execute those that can be executed. `spawner` is the program
    /// that can become the keeper. Files that share a folder share one there, which stands in for theirs.
    ///
    /// Must be called inside a tokio runtime with I/O and time enabled.
    pub(super) async fn copy(files: &[PathBuf], user: &User, spawner: &Path) -> Result<Self, SubjectError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| SubjectError::NotCopied { path, source }
        };
        let parent = parent(user);
        let keeper = Spawner::start(spawner, ["spawner"]).await;
        let keeper = keeper.map_err(io::Error::other).map_err(failed(&parent))?;
        let folder = keeper.make_folder(&parent).await.map_err(io::Error::other).map_err(failed(&parent))?;
        let open = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o755));
        open(&folder).map_err(failed(&folder))?;
        let mut places: BTreeMap<&Path, PathBuf> = BTreeMap::new();
        let mut copies = BTreeMap::new();
        for file in files {
            let (Some(from), Some(name)) = (file.parent(), file.file_name()) else { continue };
            let number = places.len();
            let place = places.entry(from).or_insert_with(|| folder.join(number.to_string()));
            if !place.is_dir() {
                fs::create_dir(&*place).and_then(|()| open(place)).map_err(failed(place))?;
            }
            let copy = place.join(name);
            let mode = if reach::is_executable(file) { 0o755 } else { 0o644 };
            fs::copy(file, &copy)
                .and_then(|_| fs::set_permissions(&copy, Permissions::from_mode(mode)))
                .map_err(failed(file))?;
            copies.insert(file.clone(), copy);
        }
        copies.extend(places.into_iter().map(|(from, place)| (from.to_owned(), place)));
        Ok(Self { _keeper: keeper, folder, copies })
    }
}

/// The first place for temporary files that `user` can enter.
fn parent(user: &User) -> PathBuf {
    let own = std::env::temp_dir();
    let places = [own.clone()].into_iter().chain(FALLBACKS.map(PathBuf::from));
    let mut places = places.filter(|place| place.is_dir() && reach::obstacle(place, user).is_none());
    places.next().unwrap_or(own)
}
