//! Bringing a subject to where its user can run it.
//!
//! Owns the order of what is tried: the files where they are, copies of them, a build against the system's Python. What
//! cannot be helped is named, with the way out.

use std::path::{Path, PathBuf};

use super::account::Account;
use super::place::Place;
use super::staging::Staging;
use super::{BinarySource, Subject, SubjectError, interpreter, libraries, reach};
use crate::binary;

/// What the command line says about it.
#[derive(Clone, Copy, Debug)]
pub struct Wishes<'a> {
    /// The binary, in place of the subject file's.
    pub binary: Option<&'a Path>,
    /// The user, in place of the subject file's; `self` for the runner's own.
    pub user: Option<&'a str>,
    /// The checkout, for packages that are built.
    pub checkout: &'a Path,
    /// This program, which has to be able to become a spawner.
    pub spawner: &'a Path,
}

impl Subject {
    /// Finds or builds the binary, and makes all files of the subject readable for the user it runs as. `say` is told
    /// what happens. The copies live as long as what comes second.
    ///
    /// Must be called inside a tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// [`SubjectError`] names what is missing or in the way.
    pub async fn deploy(
        &self,
        wishes: &Wishes<'_>,
        say: &dyn Fn(&str),
    ) -> Result<(Place, Option<Staging>), SubjectError> {
        let account = Account::choose(wishes.user, &self.user)?;
        let binary = binary::find(self, wishes.binary, wishes.checkout, say)?;
        let Some(account) = account else { return Ok((Place::here(binary), None)) };
        let binary = self.loadable(binary, &account, wishes, say)?;
        let mut place = Place { binary, account: Some(account.clone()), ..Place::default() };
        let files = self.files(&place.binary);
        let Some(obstacle) = files.iter().find_map(|file| reach::obstacle(file, &account.user)) else {
            return Ok((place, None));
        };
        let staging = Staging::copy(&files, &account.user, wishes.spawner).await?;
        let (user, folder) = (&account.name, staging.folder.display());
        say(&format!(
            "{} is closed to {user}, whom {} runs as: using copies in {folder}",
            obstacle.display(),
            self.name
        ));
        for copy in staging.copies.values() {
            if let Some(obstacle) = reach::obstacle(copy, &account.user) {
                return Err(SubjectError::OutOfReach { file: copy.clone(), obstacle, user: user.clone() });
            }
        }
        place.copies = staging.copies.clone();
        Ok((place, Some(staging)))
    }

    /// A binary whose libraries `account` can read: `binary`, or for a package of the checkout a build of it against the
    /// system's Python.
    fn loadable(
        &self,
        binary: PathBuf,
        account: &Account,
        wishes: &Wishes<'_>,
        say: &dyn Fn(&str),
    ) -> Result<PathBuf, SubjectError> {
        let Some(library) = libraries::out_of_reach(&binary, &account.user) else { return Ok(binary) };
        let closed =
            |binary, library| SubjectError::LibraryOutOfReach { binary, library, user: account.name.clone() };
        let package = match (&self.source, wishes.binary) {
            (BinarySource::CargoPackage(package), None) => package,
            _ => return Err(closed(binary, library)),
        };
        let Some(python) = interpreter::find(account) else { return Err(closed(binary, library)) };
        say(&format!(
            "{} is closed to {}, whom {} runs as: building against {}",
            library.display(),
            account.name,
            self.name,
            python.display()
        ));
        let again = binary::build(package, wishes.checkout, Some(&python), say)?;
        match libraries::out_of_reach(&again, &account.user) {
            None => Ok(again),
            Some(library) => Err(closed(again, library)),
        }
    }
}
