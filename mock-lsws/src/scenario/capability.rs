//! What an application may be able to do beyond what all have to: scenarios `need` it, subjects `provide` it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An ability that not every application has. A case that needs a missing one is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// `group`
    Group,
    /// `accept-notify`
    AcceptNotify,
    /// `busy-limit`
    BusyLimit,
    /// `early-end`
    EarlyEnd,
    /// `threads`
    Threads,
    /// `wsgi`
    Wsgi,
    /// `lswsgi-options`
    LswsgiOptions,
    /// `scripts`
    Scripts,
    /// `preload`
    Preload,
    /// `suexec`
    Suexec,
}

impl Capability {
    /// All there are.
    pub const ALL: [Self; 10] = [
        Self::Group,
        Self::AcceptNotify,
        Self::BusyLimit,
        Self::EarlyEnd,
        Self::Threads,
        Self::Wsgi,
        Self::LswsgiOptions,
        Self::Scripts,
        Self::Preload,
        Self::Suexec,
    ];

    /// The name in scenario and subject files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::AcceptNotify => "accept-notify",
            Self::BusyLimit => "busy-limit",
            Self::EarlyEnd => "early-end",
            Self::Threads => "threads",
            Self::Wsgi => "wsgi",
            Self::LswsgiOptions => "lswsgi-options",
            Self::Scripts => "scripts",
            Self::Preload => "preload",
            Self::Suexec => "suexec",
        }
    }

    /// What an application that has it does, in one line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Group => "LSAPI_CHILDREN makes a process group that serves in parallel",
            Self::AcceptNotify => "LSAPI_ACCEPT_NOTIFY is obeyed: REQ_RECEIVED comes at accept",
            Self::BusyLimit => "LSAPI_MAX_BUSY_WORKER is obeyed: busy workers close their connections",
            Self::EarlyEnd => "an application can end the response early and go on working",
            Self::Threads => "a thread of the application runs between requests",
            Self::Wsgi => "{script} may be any WSGI application in Python: cases bring theirs with them",
            Self::LswsgiOptions => "the options and variables of lswsgi are understood",
            Self::Scripts => "each request says in SCRIPT_FILENAME which script answers it",
            Self::Preload => "{script} is loaded when the process starts, before any request",
            Self::Suexec => {
                "as root and with LSAPI_SECRET, each connection is served as the user its first request is signed for"
            }
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_files_say() {
        for capability in Capability::ALL {
            let json = serde_json::to_value(capability).unwrap();
            assert_eq!(json, capability.name());
        }
    }
}
