//! Who a process runs as: user, group and supplementary groups; and becoming that for good.

use std::ffi::CString;
use std::fmt;
use std::io;

use nix::unistd::{
    Gid, Uid, User, getresgid, getresuid, initgroups, setgid, setgroups, setresgid, setresuid, setuid,
};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use crate::error::Error;
use crate::settings::SuexecSettings;

/// The default user, unless LSAPI_DEFAULT_UID names another (lsapi 2.3).
const NOBODY: &str = "nobody";

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    uid: Uid,
    gid: Gid,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {}, gid {}", self.uid, self.gid)
    }
}

impl Identity {
    pub(super) fn new(uid: u32, gid: u32) -> Self {
        Self { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid) }
    }

    /// Who requests run as that name nobody they may run as.
    ///
    /// # Errors
    /// [`Error::NoDefaultUser`] if the system knows too little of it, or it is root.
    pub(super) fn fallback(settings: &SuexecSettings) -> Result<Self, Error> {
        let unusable = |reason: String| Error::NoDefaultUser { reason };
        let user = match settings.default_uid {
            Some(uid) => User::from_uid(Uid::from_raw(uid)),
            None => User::from_name(NOBODY),
        };
        let user = user.map_err(|errno| unusable(format!("it cannot be looked up ({errno})")))?;
        let uid = settings.default_uid.map(Uid::from_raw).or(user.as_ref().map(|user| user.uid));
        let gid = settings.default_gid.map(Gid::from_raw).or(user.as_ref().map(|user| user.gid));
        let (Some(uid), Some(gid)) = (uid, gid) else {
            let missing = if uid.is_some() { "its group is not known" } else { "there is no user nobody" };
            return Err(unusable(missing.to_owned()));
        };
        if uid.is_root() || gid.as_raw() == 0 {
            return Err(unusable(format!("uid {uid}, gid {gid} is root's")));
        }
        Ok(Self { uid, gid })
    }

    /// Makes this process, which is root's, run as this user, with its groups, and sees to it that there is no way back.
    ///
    /// # Errors
    /// [`Error::System`]. The process must not go on then.
    pub(super) fn assume(self) -> Result<(), Error> {
        self.assume_groups().map_err(Error::system("cannot take the user's groups"))?;
        setresgid(self.gid, self.gid, self.gid).map_err(Error::system("cannot take the user's group"))?;
        setresuid(self.uid, self.uid, self.uid).map_err(Error::system("cannot become the user"))?;
        // The change leaves inheritable ones, and all of a process that was started with NO_SETUID_FIXUP.
        let none = CapabilitySet::empty();
        set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
            .map_err(Error::system("cannot give up root's capabilities"))?;
        self.verify().map_err(Error::system("cannot give up being root"))
    }

    /// The user's groups; of one nobody knows by name, only the one it was named with.
    fn assume_groups(self) -> nix::Result<()> {
        let name = User::from_uid(self.uid)?.and_then(|user| CString::new(user.name).ok());
        match name {
            Some(name) => initgroups(&name, self.gid),
            None => setgroups(&[self.gid]),
        }
    }

    fn verify(self) -> io::Result<()> {
        let (users, groups) = (getresuid()?, getresgid()?);
        let is_user = [users.real, users.effective, users.saved].iter().all(|uid| *uid == self.uid);
        let is_group = [groups.real, groups.effective, groups.saved].iter().all(|gid| *gid == self.gid);
        // The proof: a process may keep its rights in spite of the change.
        let is_final = setuid(Uid::from_raw(0)).is_err() && setgid(Gid::from_raw(0)).is_err();
        if is_user && is_group && is_final {
            Ok(())
        } else {
            Err(io::Error::other("the process still has root's rights"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fallback(default_uid: Option<u32>, default_gid: Option<u32>) -> Result<Identity, Error> {
        Identity::fallback(&SuexecSettings { secret: None, default_uid, default_gid })
    }

    #[test]
    fn the_default_user_is_nobody_and_its_group_goes_with_it() {
        let nobody = User::from_name(NOBODY).unwrap().expect("a system has a user nobody");
        let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
        assert_eq!(fallback(None, None).unwrap(), Identity::new(uid, gid));
        assert_eq!(fallback(Some(uid), None).unwrap(), Identity::new(uid, gid));
        assert_eq!(fallback(None, Some(4242)).unwrap(), Identity::new(uid, 4242));
    }

    #[test]
    fn a_user_without_a_name_needs_a_group() {
        assert_eq!(fallback(Some(3_999_999), Some(4242)).unwrap(), Identity::new(3_999_999, 4242));
        let told = fallback(Some(3_999_999), None).unwrap_err().to_string();
        assert!(told.contains("its group is not known"), "{told}");
    }
}
