//! One line of the server's log.

use std::fmt;

/// How much a line matters, in the server's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the curious.
    Info,
    /// Worth a look.
    Notice,
    /// Something is wrong, and the server coped.
    Warn,
    /// Something is wrong, and a client felt it.
    Error,
}

/// Something the real server would have written to its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How much it matters.
    pub level: Level,
    /// What happened, in words.
    pub text: String,
}

impl Note {
    /// A line.
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, text: text.into() }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Info => "INFO",
            Level::Notice => "NOTICE",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
        };
        write!(f, "[{level}] {}", self.text)
    }
}
