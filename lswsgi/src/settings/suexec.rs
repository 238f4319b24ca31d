//! What concerns processes that run as whom the server names.

use std::path::PathBuf;

use super::reader::Reader;
use super::table;

/// What concerns processes that run as whom the server names.
#[derive(Clone, Debug)]
pub struct SuexecSettings {
    /// The file of the secret that is shared with the server: LSAPI_SECRET.
    pub secret: Option<PathBuf>,
    /// Whom requests without a valid signature run as: LSAPI_DEFAULT_UID; `None` is nobody. Never root.
    pub default_uid: Option<u32>,
    /// Their group: LSAPI_DEFAULT_GID; `None` is that user's. Never root's.
    pub default_gid: Option<u32>,
}

impl SuexecSettings {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            secret: reader.read(&table::SECRET).value,
            default_uid: reader.read(&table::DEFAULT_UID).value,
            default_gid: reader.read(&table::DEFAULT_GID).value,
        }
    }
}
