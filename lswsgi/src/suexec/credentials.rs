//! What a request says of whom it is to run as, and whether the server has said so.
//!
//! The last two entries of the special environment (lsapi 3): `SUEXEC_UGID`, uid and gid, and `SUEXEC_AUTH`, a nonce and the
//! MD5 digest of nonce, secret and ids. Both names begin with a zero byte.

use lsapi::{BeginRequest, EnvEntry};
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;

use super::identity::Identity;
use super::secret::Secret;

const UGID: &[u8] = b"\0SUEXEC_UGID";
const AUTH: &[u8] = b"\0SUEXEC_AUTH";

/// Bytes of a nonce, and of a digest.
const HALF: usize = 16;

/// Why a request does not run as whom it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the request is not signed")]
    Missing,
    #[error("the signature of the request is of another secret, or for other ids")]
    Wrong,
    #[error("the request asks for root: uid {uid}, gid {gid}")]
    Root { uid: u32, gid: u32 },
    #[error("the request asks for an id that stands for none: uid {uid}, gid {gid}")]
    NoId { uid: u32, gid: u32 },
}

/// Whom `request` is to run as, if whoever has sent it knows `secret`.
///
/// # Errors
/// Why it is to run as the default user instead. Root's group is refused as root is: what is its is not for web applications.
pub(super) fn check(request: &BeginRequest<'_>, secret: &Secret) -> Result<Identity, Refusal> {
    let [mut before, mut last] = [None; 2];
    for entry in request.special_env() {
        before = last.replace(entry);
    }
    let ugid = value(before, UGID).and_then(|ugid| <[u8; 8]>::try_from(ugid).ok()).ok_or(Refusal::Missing)?;
    let auth = value(last, AUTH).ok_or(Refusal::Missing)?;
    let (nonce, rest) = auth.split_at_checked(HALF).ok_or(Refusal::Missing)?;
    let (digest, _) = rest.split_at_checked(HALF).ok_or(Refusal::Missing)?;
    let expected = Md5::new().chain_update(nonce).chain_update(secret.bytes()).chain_update(ugid).finalize();
    // How far a wrong one is right must not show.
    if !bool::from(expected.as_slice().ct_eq(digest)) {
        return Err(Refusal::Wrong);
    }
    let [u0, u1, u2, u3, g0, g1, g2, g3] = ugid;
    let (uid, gid) = (u32::from_ne_bytes([u0, u1, u2, u3]), u32::from_ne_bytes([g0, g1, g2, g3]));
    match (uid, gid) {
        (0, _) | (_, 0) => Err(Refusal::Root { uid, gid }),
        // To setuid it means: leave as it is.
        (u32::MAX, _) | (_, u32::MAX) => Err(Refusal::NoId { uid, gid }),
        _ => Ok(Identity::new(uid, gid)),
    }
}

/// All of the value of `entry`, which may hold any bytes before its final one, if it has this name.
fn value<'a>(entry: Option<EnvEntry<'a>>, name: &[u8]) -> Option<&'a [u8]> {
    let entry = entry.filter(|entry| entry.key() == name)?;
    entry.raw_value.split_last().map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use lsapi::{RequestBuilder, limits};

    use super::*;

    const SECRET: [u8; 16] = *b"0123456789abcdef";

    /// Digest of 16 bytes of `n`, the secret above, and uid 1000 and gid 1001 in little-endian order, by another program
    /// (`md5sum`).
    #[cfg(target_endian = "little")]
    const KNOWN: [u8; 16] = *b"\xba\x51\x6d\x8c\x24\xe5\x71\x6b\xfc\xfb\x9c\x29\x0f\x3d\x0c\xf2";

    fn ids(uid: u32, gid: u32) -> Vec<u8> {
        [uid.to_ne_bytes(), gid.to_ne_bytes()].concat()
    }

    fn signature(secret: &[u8], ugid: &[u8]) -> Vec<u8> {
        let digest = Md5::digest([&[b'n'; HALF], secret, ugid].concat());
        [&[b'n'; HALF], digest.as_slice()].concat()
    }

    fn checked(entries: &[(&[u8], &[u8])]) -> Result<Identity, Refusal> {
        let empty = RequestBuilder::get("/");
        let bytes =
            entries.iter().fold(empty, |builder, (key, value)| builder.special_env(key, value)).encode();
        let request = BeginRequest::decode(&bytes, limits::MAX_REQUEST_PACKET).unwrap();
        check(&request, &Secret::of(SECRET))
    }

    fn signed(uid: u32, gid: u32) -> Result<Identity, Refusal> {
        let ugid = ids(uid, gid);
        checked(&[(UGID, &ugid), (AUTH, &signature(&SECRET, &ugid))])
    }

    #[test]
    fn a_signed_request_runs_as_whom_it_names() {
        assert_eq!(signed(1000, 1001), Ok(Identity::new(1000, 1001)));
        let ugid = ids(1000, 1001);
        let (php, longer) = ((&b"\x01\x01memory_limit"[..], &b"77M"[..]), signature(&SECRET, &ugid));
        let longer = [&longer[..], b"more"].concat();
        assert_eq!(checked(&[php, (UGID, &ugid), (AUTH, &longer)]), Ok(Identity::new(1000, 1001)));
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_signature_made_elsewhere_is_known() {
        let auth = [&[b'n'; HALF][..], &KNOWN].concat();
        assert_eq!(checked(&[(UGID, &ids(1000, 1001)), (AUTH, &auth)]), Ok(Identity::new(1000, 1001)));
    }

    #[test]
    fn a_signature_with_another_secret_or_for_others_is_wrong() {
        let ugid = ids(1000, 1001);
        assert_eq!(
            checked(&[(UGID, &ugid), (AUTH, &signature(b"0123456789abcdeX", &ugid))]),
            Err(Refusal::Wrong)
        );
        let stolen = signature(&SECRET, &ids(1002, 1001));
        assert_eq!(checked(&[(UGID, &ugid), (AUTH, &stolen)]), Err(Refusal::Wrong));
        assert_eq!(checked(&[(UGID, &ugid), (AUTH, &[0; 32])]), Err(Refusal::Wrong));
    }

    #[test]
    fn what_is_missing_elsewhere_or_too_short_is_no_signature() {
        let ugid = ids(1000, 1001);
        let auth = signature(&SECRET, &ugid);
        let (ids, sign) = ((UGID, &ugid[..]), (AUTH, &auth[..]));
        let after = (&b"\x01\x01memory_limit"[..], &b"77M"[..]);
        for entries in [
            &[][..],
            &[ids],
            &[sign],
            &[sign, ids],
            &[ids, sign, after],
            &[ids, after, sign],
            &[ids, (AUTH, &auth[..31])],
            &[(UGID, &ugid[..7]), sign],
            &[(b"SUEXEC_UGID", &ugid), (b"SUEXEC_AUTH", &auth)],
        ] {
            assert_eq!(checked(entries), Err(Refusal::Missing), "{entries:?}");
        }
    }

    #[test]
    fn root_its_group_and_ids_that_change_nothing_are_refused_whoever_has_signed() {
        assert_eq!(signed(0, 1001), Err(Refusal::Root { uid: 0, gid: 1001 }));
        assert_eq!(signed(1000, 0), Err(Refusal::Root { uid: 1000, gid: 0 }));
        assert_eq!(signed(u32::MAX, 1001), Err(Refusal::NoId { uid: u32::MAX, gid: 1001 }));
        assert_eq!(signed(1000, u32::MAX), Err(Refusal::NoId { uid: 1000, gid: u32::MAX }));
    }
}
