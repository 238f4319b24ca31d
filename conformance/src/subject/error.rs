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

fn build_text(build: &Option<String>) -> String {
    build.as_ref().map(|command| format!("; this builds it: {command}")).unwrap_or_default()
}

fn stderr_text(lines: &[String]) -> String {
    if lines.is_empty() {
        return "; it wrote nothing to its stderr".into();
    }
    format!("; the end of its stderr:\n    {}", lines.join("\n    "))
}
