//! What concerns whoever operates the process: reload, control socket, access log.

use std::path::PathBuf;

use super::reader::Reader;
use super::table;
use super::word::ControlSocket;
use crate::access_log::AccessFormat;

/// What concerns whoever operates the process.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Where the control socket is; `None`: beside the application, if that is ours to write. `--control`.
    pub control: Option<ControlSocket>,
    /// Whether a change of `tmp/restart.txt` is a request to reload: not with `--no-watch`.
    pub watch_restart_file: bool,
    /// Whether a change of what the application has imported is one: `--watch`.
    pub watch_imports: bool,
    /// The URL path that is answered without the application: `--ping`. Begins with a slash.
    pub ping: Option<String>,
    /// The file of the access log; `-` is standard error. `--access-log`.
    pub access_log: Option<PathBuf>,
    /// What its lines look like: `--access-format`.
    pub access_format: AccessFormat,
}

impl Operation {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            control: reader.read(&table::CONTROL).value,
            watch_restart_file: !reader.read(&table::NO_WATCH).value,
            watch_imports: reader.read(&table::WATCH).value,
            ping: reader.read(&table::PING).value,
            access_log: reader.read(&table::ACCESS_LOG).value,
            access_format: reader.read(&table::ACCESS_FORMAT).value,
        }
    }
}
