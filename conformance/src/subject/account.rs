//! The user a subject runs as.
//!
//! A runner that is root does not test as root: the reference library itself behaves differently then (it gives up its
//! listening socket), and permissions would hide mistakes. Without root there is nothing to choose.

use mock_lsws::User;
use nix::unistd::{Uid, geteuid, getgrouplist};

use super::SubjectError;

/// Keeps the runner's own user.
pub(super) const SELF: &str = "self";

/// A user of this system, with everything a process of it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// Its numbers.
    pub user: User,
}

impl Account {
    /// The user to switch to, if any: the one `asked` for on the command line, or else, for a runner that is root, the
    /// one the subject file has `declared`.
    ///
    /// # Errors
    /// When there is no such user, or this program may not become it.
    pub fn choose(asked: Option<&str>, declared: &str) -> Result<Option<Self>, SubjectError> {
        let is_root = geteuid().is_root();
        let name = match asked {
            Some(name) => name,
            None if is_root => declared,
            None => SELF,
        };
        if name == SELF {
            return Ok(None);
        }
        let account = Self::named(name)?;
        if is_root {
            return Ok(Some(account));
        }
        // Its own user is one anybody can be.
        if Uid::from_raw(account.user.uid) == geteuid() {
            return Ok(None);
        }
        Err(SubjectError::NotRoot { user: name.to_owned() })
    }

    fn named(name: &str) -> Result<Self, SubjectError> {
        let no_user = |reason: Option<nix::Error>| SubjectError::NoUser {
            user: name.to_owned(),
            reason: reason.map(Into::into),
        };
        let found = nix::unistd::User::from_name(name).map_err(|error| no_user(Some(error)))?;
        let found = found.ok_or_else(|| no_user(None))?;
        let login = std::ffi::CString::new(name).map_err(|_| no_user(None))?;
        let groups = getgrouplist(&login, found.gid).map_err(|error| no_user(Some(error)))?;
        let groups = groups.into_iter().map(nix::unistd::Gid::as_raw).collect();
        Ok(Self {
            name: name.to_owned(),
            user: User { uid: found.uid.as_raw(), gid: found.gid.as_raw(), groups },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn self_changes_nothing_and_an_unknown_user_is_named() {
        assert_eq!(Account::choose(Some("self"), "nobody").unwrap(), None);
        let error = Account::choose(Some("no-such-user"), "nobody").unwrap_err().to_string();
        assert!(error.contains("no user `no-such-user`"), "{error}");
    }

    #[test]
    fn only_root_switches() {
        let chosen = Account::choose(None, "nobody").unwrap();
        if geteuid().is_root() {
            let account = chosen.expect("root does not test as root");
            assert_eq!(account.name, "nobody");
            assert!(account.user.uid != 0 && account.user.groups.contains(&account.user.gid));
        } else {
            assert_eq!(chosen, None);
            let error = Account::choose(Some("root"), "nobody").unwrap_err().to_string();
            assert!(error.contains("only root"), "{error}");
        }
    }
}
