//! A scenario as a whole: what it is about, how the application is started, what happens then.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::capability::Capability;
use super::log_expectation::LogExpectation;
use super::matcher::Matcher;
use super::pairs::Pairs;
use super::program::Program;
use super::step::Step;
use super::template::Template;
use super::time::Time;

/// One case.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The ID of its file, and `[k=v]` behind it where the file makes several cases. Never changes: people quote it.
    pub id: String,
    /// The path of the file below the folder of all scenarios, without `.toml`.
    pub file_id: String,
    /// The file.
    pub path: PathBuf,
    /// What has to be true, in one sentence.
    pub title: String,
    /// How much it matters.
    pub class: Class,
    /// The clauses and checks it tests.
    pub spec: Vec<String>,
    /// Why anybody should care; shown when the case fails.
    pub why: String,
    /// Words to select cases by.
    pub tags: Vec<String>,
    /// What the application has to provide; the case is skipped for one that does not.
    pub needs: Vec<Capability>,
    /// Lines of the application's stderr that are no sign of a mistake, whatever they look like.
    pub may_log: Vec<Matcher>,
    /// Lines that its stderr has, or has not, when everything has ended.
    pub logs: Vec<LogExpectation>,
    /// How long the whole case may take, if not the runner's default.
    pub timeout: Option<Time>,
    /// How the application is started.
    pub start: Start,
    /// What happens then.
    pub steps: Vec<Step>,
}

/// The folder of the scenarios that try the roles. They are no cases: they say whether a subject can be tested at all.
pub const ROLES: &str = "roles";

impl Scenario {
    /// Whether it tries a role. Then only answers count: the protocol they come in is for the cases.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.id.split_once('/').is_some_and(|(area, _)| area == ROLES)
    }
}

/// How much a case matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A real server depends on it.
    Must,
    /// Robustness that every application owes.
    Should,
    /// Behaviour of the reference library.
    Detail,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Detail => "detail",
        })
    }
}

/// How the application is started.
#[derive(Clone, Debug)]
pub struct Start {
    /// What it finds on descriptor 0.
    pub mode: Mode,
    /// What kind of socket that is, if it listens.
    pub socket: SocketKind,
    /// Where the application listens, as it is told, if it makes its socket itself.
    pub address: Option<Template>,
    /// What runs.
    pub program: Program,
    /// Words behind those of its command.
    pub args: Vec<Template>,
    /// Environment of the process, after what every process gets.
    pub env: Pairs<Template>,
    /// The limit on core files that the server hands down, soft and hard. Left alone by default.
    pub core_limit: Option<HandedLimit>,
    /// The permissions of the file of its suEXEC secret, if it has one. It is root's process then.
    pub secret_mode: Option<u32>,
}

impl Start {
    /// Just this: `program`, with `mode` on descriptor 0.
    #[must_use]
    pub fn new(mode: Mode, program: Program) -> Self {
        let env = Pairs::default();
        let (socket, address, args) = (SocketKind::Unix, None, Vec::new());
        Self { mode, socket, address, program, args, env, core_limit: None, secret_mode: None }
    }
}

/// What kind of socket an application is given to listen on; without a word a Unix one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketKind {
    /// A Unix socket.
    Unix,
    /// A TCP socket on the loopback address, with a port that is free.
    Tcp,
}

/// A resource limit handed down to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandedLimit {
    /// The soft limit is as high as the hard one.
    Highest,
    /// The soft limit is 0, the hard one stays.
    SoftZero,
}

/// What the application finds on descriptor 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One end of a connected socket pair: the connection `main`.
    Worker,
    /// A listening socket: connections are made by the steps, `main` at its first use.
    Listen,
    /// Nothing of use, `/dev/null`: the application makes its listening socket itself, at the address it is told.
    Bind,
    /// `/dev/null`, and nobody tells it an address.
    Null,
    /// A pipe that stays open and in which nothing comes.
    Pipe,
    /// Nothing: the descriptor is closed.
    Closed,
    /// A stream socket that neither listens nor is connected.
    Unconnected,
}

impl Mode {
    /// Whether there is a connection, or a way to make one.
    #[must_use]
    pub const fn is_served(self) -> bool {
        matches!(self, Self::Worker | Self::Listen | Self::Bind)
    }

    /// What descriptor 0 is, in words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Worker => "descriptor 0 is a connection",
            Self::Listen => "descriptor 0 is a listening socket",
            Self::Bind => "it listens at an address it is told",
            Self::Null => "descriptor 0 is /dev/null",
            Self::Pipe => "descriptor 0 is a pipe in which nothing comes",
            Self::Closed => "descriptor 0 is closed",
            Self::Unconnected => "descriptor 0 is a socket without a connection",
        }
    }
}
