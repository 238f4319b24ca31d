//! Basic authentication by the server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::config::Realm;
use crate::http::RequestHead;

/// The user who came with a right password.
pub(super) fn user(head: &RequestHead, realm: &Realm) -> Option<Vec<u8>> {
    let value = head.field("authorization")?;
    let at = value.iter().position(|&byte| byte == b' ')?;
    let (scheme, token) = value.split_at_checked(at)?;
    if !scheme.eq_ignore_ascii_case(b"Basic") {
        return None;
    }
    let pair = STANDARD.decode(token.trim_ascii()).ok()?;
    let colon = pair.iter().position(|&byte| byte == b':')?;
    let (user, password) = (pair.get(..colon)?, pair.get(colon + 1..)?);
    let is_right =
        |(name, secret): &(String, String)| name.as_bytes() == user && secret.as_bytes() == password;
    realm.users.iter().any(is_right).then(|| user.to_vec())
}
