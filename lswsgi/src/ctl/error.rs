//! Why `lswsgi ctl` has nothing good to tell, and with which exit code it ends.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::control::LONGEST;
use crate::exit_code;

/// A reason.
#[derive(Debug, thiserror::Error)]
pub(super) enum CtlError {
    /// Control sockets are off.
    #[error("LSWSGI_CONTROL=off: there is no control socket; name one with --control")]
    Off,
    /// No address has room for it.
    #[error("{} is longer than the {LONGEST} bytes the path of a socket may have", .0.display())]
    TooLong(PathBuf),
    /// There is no such file.
    #[error(
        "there is no control socket {}: a group (LSAPI_CHILDREN above 1, or --watch) makes one when there is a folder tmp beside the \
         application that belongs to its user; its log says where, or why not. Name the application's folder or the socket \
         with --control", .0.display()
    )]
    NoSocket(PathBuf),
    /// Nobody listens.
    #[error("no group is running at {}: nobody listens on the socket", .0.display())]
    NotRunning(PathBuf),
    /// The operating system refused.
    #[error("cannot use {}: {source}", path.display())]
    Unusable { path: PathBuf, source: io::Error },
    /// The group refused.
    #[error("refused: {0}")]
    Refused(String),
    /// The old code serves on.
    #[error("not reloaded, the old code serves on: {0}")]
    NotReloaded(String),
    /// Nothing came.
    #[error("{what} after {} s", .after.as_secs_f64())]
    Timeout { what: &'static str, after: Duration },
    /// The group has ended.
    #[error("the group has ended without an answer")]
    Ended,
    /// Something else answers there, or a version with another language.
    #[error("the answer cannot be understood: {0}; is it a group of this version of lswsgi?")]
    Strange(String),
    /// The answer cannot be shown.
    #[error("cannot write the answer: {0}")]
    Output(io::Error),
}

impl CtlError {
    /// The exit code that tells it from others.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Off | Self::TooLong(_) => exit_code::USAGE,
            Self::NoSocket(_) | Self::NotRunning(_) | Self::Ended => exit_code::NO_GROUP,
            Self::Unusable { .. } | Self::Refused(_) | Self::Strange(_) => exit_code::REFUSED,
            Self::Timeout { .. } => exit_code::TIMEOUT,
            Self::NotReloaded(_) => exit_code::NOT_RELOADED,
            Self::Output(_) => exit_code::SYSTEM,
        }
    }
}
