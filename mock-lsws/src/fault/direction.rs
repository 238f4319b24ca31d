//! Which way bytes go.

use std::fmt;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the server to the application: requests.
    App,
    /// From the application to the server: responses.
    Server,
}

impl Direction {
    pub(super) const ALL: [Self; 2] = [Self::App, Self::Server];

    const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Server => "server",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.name() == name)
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
