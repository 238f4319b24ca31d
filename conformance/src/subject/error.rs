//! Why a subject cannot be tested.

use std::path::PathBuf;

/// A subject that cannot be built or started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// cargo could not be run.
    #[error(
        "cannot run {cargo} to build the subject: {source}; build it yourself and name it with --binary FILE"
    )]
    NoCargo {
        /// The program tried.
        cargo: String,
        /// Why.
        source: std::io::Error,
    },
    /// cargo failed.
    #[error("cargo could not build `{package}` ({status}); its messages are above")]
    BuildFailed {
        /// The package.
        package: String,
        /// How cargo ended.
        status: std::process::ExitStatus,
    },
    /// cargo succeeded without making the binary.
    #[error("cargo built `{package}` but named no executable for it")]
    NoExecutable {
        /// The package.
        package: String,
    },
    /// The binary is not there.
    #[error("{}: no such file; the subject's binary is named with --binary FILE or in the subject file{}", .path.display(), build_text(.build))]
    NoBinary {
        /// Where it should be.
        path: PathBuf,
        /// The command that makes it, from the subject file.
        build: Option<String>,
    },
    /// The program is not on PATH.
    #[error("`{0}` is not on PATH; give the whole path with --binary FILE or in the subject file")]
    NotOnPath(String),
    /// There is no such user.
    #[error("there is no user `{user}` on this system{}; name another with --user NAME, or keep your own with --user self", reason_text(.reason))]
    NoUser {
        /// The name.
        user: String,
        /// What went wrong when it was looked up, if that is why.
        reason: Option<std::io::Error>,
    },
    /// The runner may not become another user.
    #[error("only root can run a subject as `{user}`: run this as root, or without --user")]
    NotRoot {
        /// The user asked for.
        user: String,
    },
    /// A copy cannot be read by the user it was made for.
    #[error(
        "{}: `{user}` cannot reach it: {} is closed to that user; make it accessible, or keep your own user with --user \
         self", .file.display(), .obstacle.display()
    )]
    OutOfReach {
        /// The file.
        file: PathBuf,
        /// What is in the way.
        obstacle: PathBuf,
        /// The user.
        user: String,
    },
    /// A library of the binary cannot be read by the user.
    #[error(
        "{}: `{user}` cannot read its library {}; build it against libraries anybody can read (for a Python runtime: \
         PYO3_PYTHON=/usr/bin/python3, which takes Debian's libpython3-dev), or keep your own user with --user self",
        .binary.display(), .library.display()
    )]
    LibraryOutOfReach {
        /// The binary.
        binary: PathBuf,
        /// Its library.
        library: PathBuf,
        /// The user.
        user: String,
    },
    /// A file could not be copied to where the user can reach it.
    #[error("{}: cannot be copied to a folder the subject's user can enter: {source}", .path.display())]
    NotCopied {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A running application has one role, and nobody said which.
    #[error(
        "{name}: nothing in its requests says which role is meant: name the one that the running application plays with \
         --role NAME, or give it a subject file whose `request_env` has {{script}} or {{role}} in it"
    )]
    WhichRole {
        /// The subject's name.
        name: String,
    },
    /// It answers for a script that does not exist.
    #[error(
        "{name} cannot be trusted: asked for `{script}`, which does not exist, it answered with status {status}; what it \
         answers for a role means nothing. Is {{script}} or {{role}} handed to what runs?"
    )]
    AnswersAnything {
        /// The subject's name.
        name: String,
        /// What it was asked for.
        script: String,
        /// What it said.
        status: i32,
    },
    /// It does not do what the role is about.
    #[error("{name} does not play the role `{role}`:\n{report}")]
    WrongRole {
        /// The subject's name.
        name: String,
        /// The role.
        role: String,
        /// What was wrong, as a report has it.
        report: String,
    },
    /// The process could not be started, or ended before it said anything.
    #[error("{name} did not start as `{role}`: {reason}{}", stderr_text(.stderr))]
    NotStarted {
        /// The subject's name.
        name: String,
        /// The role it was tried in.
        role: String,
        /// What happened instead.
        reason: String,
        /// The end of its stderr.
        stderr: Vec<String>,
    },
}

impl SubjectError {
    /// Adds the command that makes a missing binary.
    pub(crate) fn with_build(self, command: Option<String>) -> Self {
        match self {
            Self::NoBinary { path, .. } => Self::NoBinary { path, build: command },
            other => other,
        }
    }
}

fn build_text(build: &Option<String>) -> String {
    build.as_ref().map(|command| format!("; this builds it: {command}")).unwrap_or_default()
}

fn reason_text(reason: &Option<std::io::Error>) -> String {
    reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default()
}

fn stderr_text(lines: &[String]) -> String {
    if lines.is_empty() {
        return "; it wrote nothing to its stderr".into();
    }
    format!("; the end of its stderr:\n    {}", lines.join("\n    "))
}
