//! Why lswsgi ends other than of its own accord, and with which exit code.

use std::io;
use std::path::PathBuf;

use crate::exit_code;
use crate::suexec::Unfit;

/// A reason not to start, or not to go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Descriptor 0 is not a stream socket and no address was given.
    #[error(
        "descriptor 0 is not a socket ({source}); lswsgi is started by LiteSpeed Web Server with a socket on \
         descriptor 0, or by hand with --address ADDR"
    )]
    NoSocket {
        /// What the operating system said of descriptor 0.
        source: io::Error,
    },

    /// The address cannot be bound.
    #[error("cannot listen on {address}: {reason}")]
    Bind {
        /// The address as it was given.
        address: String,
        /// What is in the way.
        reason: String,
    },

    /// The application's file cannot be read.
    #[error("cannot read the application {}: {source}", path.display())]
    NoFile {
        /// The path looked at.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },

    /// The application has no such callable.
    #[error("{} has no callable '{name}'; name another one with -m FILE:CALLABLE", path.display())]
    NoCallable {
        /// The application's file.
        path: PathBuf,
        /// The name looked for.
        name: String,
    },

    /// Importing the application raised an exception. Its traceback has been printed.
    #[error("importing the application {} failed: {summary}", path.display())]
    Import {
        /// The application's file.
        path: PathBuf,
        /// The last line of the traceback.
        summary: String,
    },

    /// The virtual environment cannot be used.
    #[error("the virtual environment {} {reason}", path.display())]
    Venv {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// The Python a variable names cannot be used.
    #[error("{variable}={} {reason}", path.display())]
    Interpreter {
        /// The variable.
        variable: &'static str,
        /// What it names.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },

    /// Threads run after the import. Found by `lswsgi check`; nothing that keeps the application from being served.
    #[error(
        "threads are alive after the import ({}), and a fork would not take them along: such an application is imported \
         by each process for itself", names.join(", ")
    )]
    ThreadsAlive {
        /// Their names, quoted.
        names: Vec<String>,
    },

    /// The interpreter did not start.
    #[error("cannot initialise Python: {0}")]
    Python(String),

    /// The template of a group could not be made ready.
    #[error("{reason}")]
    Template {
        /// The exit code a worker without a group would leave with.
        code: u8,
        /// What the template said of it.
        reason: String,
    },

    /// The file of the suEXEC secret is not fit to be one.
    #[error("the suEXEC secret {} {source}; nothing is served", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Unfit,
    },

    /// There is nobody whom requests could run as that are not signed.
    #[error(
        "the default user of suEXEC cannot be used: {reason}; name another with LSAPI_DEFAULT_UID and LSAPI_DEFAULT_GID"
    )]
    NoDefaultUser {
        /// What is wrong with it.
        reason: String,
    },

    /// One application for everybody, where each request is to run as somebody else.
    #[error(
        "-m is refused with LSAPI_SECRET: the file would be the same for all users, and each of them would run it; with \
         suEXEC, requests name their scripts"
    )]
    SuexecApplication,

    /// One connection, where there is to be a daemon.
    #[error(
        "LSAPI_SECRET is set, and descriptor 0 is a connection; suEXEC takes a listening socket. Nothing is served as root"
    )]
    SuexecConnection,

    /// A system call the worker needs failed.
    #[error("{action}: {source}")]
    System {
        /// What was attempted.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    /// A failed system call; for `map_err`.
    pub(crate) fn system<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System { action, source: source.into() }
    }

    /// The exit code that tells this error from the others.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::NoSocket { .. } => exit_code::USAGE,
            Self::Bind { .. } => exit_code::BIND,
            Self::NoFile { .. } => exit_code::NO_FILE,
            Self::NoCallable { .. } => exit_code::NO_CALLABLE,
            Self::Import { .. } => exit_code::IMPORT,
            Self::Python(_) | Self::Venv { .. } | Self::Interpreter { .. } => exit_code::PYTHON,
            Self::ThreadsAlive { .. } => exit_code::THREADS,
            Self::SuexecApplication => exit_code::USAGE,
            Self::Secret { .. } | Self::NoDefaultUser { .. } | Self::SuexecConnection => exit_code::SUEXEC,
            Self::System { .. } => exit_code::SYSTEM,
            Self::Template { code, .. } => *code,
        }
    }
}
