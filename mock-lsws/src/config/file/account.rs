//! Users and groups by name or number (`extUser`, `extGroup`).

use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User as Account, getgrouplist};

use crate::User;

/// A name or number that leads to nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct AccountError {
    /// The setting that is wrong: `extUser` or `extGroup`.
    pub key: &'static str,
    /// Why.
    pub message: String,
}

const fn of_user(message: String) -> AccountError {
    AccountError { key: "extUser", message }
}

/// The user an application runs as, with the groups the real server gives it (lsapi 4.1.3): all of the user's if its group is
/// the user's own, and that group alone otherwise.
///
/// # Errors
/// The key that names nobody, and why.
pub fn find_account(user: &str, group: Option<&str>) -> Result<User, AccountError> {
    let account = account(user).map_err(of_user)?;
    let uid = match &account {
        Some(account) => account.uid,
        None => Uid::from_raw(user.parse().map_err(|_| of_user(format!("there is no user `{user}`")))?),
    };
    let gid = match group {
        Some(group) => gid(group).map_err(|message| AccountError { key: "extGroup", message })?,
        None => account.as_ref().map(|account| account.gid).ok_or_else(|| {
            of_user(format!("user {user} has no account, so that its group is not known: write `extGroup`"))
        })?,
    };
    let groups = match account {
        Some(account) if account.gid == gid => CString::new(account.name)
            .ok()
            .and_then(|name| getgrouplist(&name, gid).ok())
            .map_or_else(|| vec![gid.as_raw()], |groups| groups.into_iter().map(Gid::as_raw).collect()),
        _ => vec![gid.as_raw()],
    };
    Ok(User { uid: uid.as_raw(), gid: gid.as_raw(), groups })
}

fn account(user: &str) -> Result<Option<Account>, String> {
    let found = match user.parse() {
        Ok(uid) => Account::from_uid(Uid::from_raw(uid)),
        Err(_) => Account::from_name(user),
    };
    found.map_err(|error| format!("user `{user}` cannot be looked up: {error}"))
}

fn gid(group: &str) -> Result<Gid, String> {
    if let Ok(number) = group.parse() {
        return Ok(Gid::from_raw(number));
    }
    let found =
        Group::from_name(group).map_err(|error| format!("group `{group}` cannot be looked up: {error}"))?;
    found.map(|group| group.gid).ok_or_else(|| format!("there is no group `{group}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let root = find_account("root", None).unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
        assert_eq!(find_account("0", None), Ok(root));
        assert_eq!(find_account("0", Some("4242")), Ok(User { uid: 0, gid: 4242, groups: vec![4242] }));
    }

    #[test]
    fn nobody_by_that_name_is_an_error_that_names_the_key() {
        assert_eq!(find_account("no-such-user", None).unwrap_err().key, "extUser");
        assert_eq!(find_account("root", Some("no-such-group")).unwrap_err().key, "extGroup");
        let AccountError { key, message } = find_account("3999999999", None).unwrap_err();
        assert!(key == "extUser" && message.contains("write `extGroup`"), "{message}");
    }
}
