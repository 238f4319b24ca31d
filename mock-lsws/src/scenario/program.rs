//! What runs in a case: an application of the subject, or one that the scenario brings with it.

use super::files::Files;

/// The file in the folder of a scenario's own application that it begins in.
pub const APP: &str = "app.py";

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// The subject's application for this role.
    Role(String),
    /// A WSGI application: the files of a folder made for the case, the first of them [`APP`].
    Wsgi(Files),
}

impl Program {
    /// The role, if it is one.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        match self {
            Self::Role(role) => Some(role),
            Self::Wsgi(_) => None,
        }
    }

    /// What it is called in messages: the role, or `wsgi`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.role().unwrap_or("wsgi")
    }
}
