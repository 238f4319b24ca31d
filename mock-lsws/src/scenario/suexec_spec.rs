//! Whom a request of a scenario asks to run as, and how it is signed.

use lsapi::RawEnv;
use serde::Deserialize;

use crate::SuexecSecret;

/// The secret of the scenarios: the application gets it in a file, requests are signed with it.
pub const SUEXEC_SECRET: SuexecSecret = SuexecSecret::new(*b"scenario secret!");

/// Another one, with which nothing should be reached.
const OTHER_SECRET: SuexecSecret = SuexecSecret::new(*b"another secret !");

/// Whom a request asks to run as.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SuexecSpec {
    uid: u32,
    gid: u32,
    #[serde(default)]
    signature: Signature,
}

/// How it says that it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signature {
    /// Signed with the secret.
    #[default]
    Good,
    /// Signed with another one.
    Wrong,
    /// Not signed.
    Missing,
}

impl SuexecSpec {
    /// The entries of the special environment. They are its last.
    pub(crate) fn entries(&self) -> Vec<RawEnv> {
        let secret = if self.signature == Signature::Wrong { OTHER_SECRET } else { SUEXEC_SECRET };
        let entries = secret.sign(self.uid, self.gid);
        let count = if self.signature == Signature::Missing { 1 } else { entries.len() };
        entries.iter().take(count).map(|(name, value)| RawEnv::new(name, value)).collect()
    }
}
