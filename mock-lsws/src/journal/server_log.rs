//! Where the lines of the server's log go.

use std::fmt;
use std::sync::Arc;

use super::Note;

/// Takes each line as it is made, also those that belong to no exchange. Cheap to clone.
#[derive(Clone)]
pub struct ServerLog(Arc<dyn Fn(&Note) + Send + Sync>);

impl ServerLog {
    /// Hands each line to `take`.
    pub fn new(take: impl Fn(&Note) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Drops every line.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Writes a line.
    pub fn note(&self, note: &Note) {
        (self.0)(note);
    }
}

impl fmt::Debug for ServerLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerLog")
    }
}
