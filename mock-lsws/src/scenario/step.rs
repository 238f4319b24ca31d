//! One step: something is sent, expected or done.

use std::collections::{BTreeMap, BTreeSet};

use crate::Signal;

use super::bytes_spec::BytesSpec;
use super::damage::Damage;
use super::expectation::ResponseExpectation;
use super::files::Files;
use super::generate::Generate;
use super::matcher::Matcher;
use super::number_range::NumberRange;
use super::outcome::ExpectOutcome;
use super::packet_pattern::PacketPattern;
use super::process_expectation::{ExpectExit, ExpectProcess};
use super::request_spec::RequestSpec;
use super::template::Template;
use super::time::Time;

/// The connection steps use when they name none; in worker mode the only one.
pub const MAIN: &str = "main";

/// A step with its place in the file.
#[derive(Clone, Debug)]
pub struct Step {
    /// The line it begins on, counted from 1.
    pub line: usize,
    /// The column, counted from 1.
    pub column: usize,
    /// What this step shows, in the author's words.
    pub note: Option<String>,
    /// How many times it is done.
    pub repeat: u32,
    /// The connection it is about.
    pub on: String,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Sends, and then expects if that is said in the same step.
    Send(Sending, Option<Expect>),
    /// Sends and expects again and again, each time a little differently.
    Generate(Generate, Sending, Expect),
    /// Expects an answer to what an earlier step has sent.
    Expect(Expect),
    /// The application closes the connection.
    ExpectEof {
        /// How long that may take.
        within: Option<Time>,
        /// Whether a reset is as good.
        or_reset: bool,
    },
    /// Nothing arrives for this long, not even the end.
    ExpectNoBytes(Time),
    /// The process ends.
    ExpectExit(ExpectExit),
    /// The process is as described.
    ExpectProcess(Box<ExpectProcess>),
    /// Opens the connection.
    Connect,
    /// Closes the connection.
    Close,
    /// Closes the direction towards the application.
    HalfClose,
    /// Closes the connection with a reset.
    Reset,
    /// Several clients at the same time do the same, each on a connection of its own.
    Clients(Clients),
    /// From here on, these faults are between server and application: on connections that are opened, and on the one it is
    /// about if that is open.
    Faults(Vec<Template>),
    /// Several clients send requests for a time, one after the other.
    Traffic(Traffic),
    /// Sends a signal.
    Signal(Signal, SignalTarget),
    /// A line on the application's stderr.
    WaitLog {
        /// What the line is.
        line: Box<Matcher>,
        /// How long to wait for it.
        within: Option<Time>,
    },
    /// Writes files of the application's folder, in place of what was there.
    WriteFiles(Files),
    /// The application, which has ended, is started once more, as a server does that finds it gone.
    StartAgain,
    /// Lets this much time pass.
    Pause(Time),
    /// Does several rows of steps at the same time, each on connections of its own.
    Parallel(Vec<Vec<Step>>),
}

/// What several clients do at the same time.
#[derive(Clone, Debug)]
pub struct Clients {
    /// How many there are.
    pub count: u32,
    /// What each sends.
    pub sending: Sending,
    /// What each gets; without it each leaves as soon as it has sent.
    pub expect: Option<Expect>,
    /// How many different values they capture by a name. Without one, it is the same value for all.
    pub distinct: BTreeMap<String, NumberRange>,
}

/// Clients that send one request after the other for a time, each on a connection of its own, and on a new one when that
/// has ended.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// How many there are.
    pub count: u32,
    /// For how long.
    pub time: Time,
    /// What each sends.
    pub sending: Sending,
    /// What a whole answer is; without it anything will do.
    pub expect: Option<Expect>,
    /// How long a client waits for an answer, and goes on with a new connection if it is not whole by then or the
    /// connection ends before. Without it every request has to be answered.
    pub give_up: Option<Time>,
}

/// Something that is sent, and how.
#[derive(Clone, Debug)]
pub struct Sending {
    /// What is sent.
    pub what: Outgoing,
    /// What happens to it before.
    pub damage: Vec<Damage>,
    /// In which pieces it goes.
    pub pace: Pace,
}

impl Action {
    /// Whether it is about a connection.
    #[must_use]
    pub const fn is_on_a_connection(&self) -> bool {
        match self {
            Self::Send(..)
            | Self::Generate(..)
            | Self::Expect(_)
            | Self::ExpectEof { .. }
            | Self::ExpectNoBytes(_)
            | Self::Connect
            | Self::Close
            | Self::HalfClose
            | Self::Reset => true,
            Self::ExpectExit(_)
            | Self::ExpectProcess(_)
            | Self::Signal(..)
            | Self::Clients(_)
            | Self::Faults(_)
            | Self::Traffic(_)
            | Self::WaitLog { .. }
            | Self::WriteFiles(_)
            | Self::StartAgain
            | Self::Pause(_)
            | Self::Parallel(_) => false,
        }
    }
}

impl Step {
    /// The connections that it is about, those of all steps in it included.
    #[must_use]
    pub fn connections(&self) -> BTreeSet<&str> {
        match &self.action {
            Action::Parallel(branches) => branches.iter().flatten().flat_map(Self::connections).collect(),
            action if action.is_on_a_connection() => BTreeSet::from([self.on.as_str()]),
            _ => BTreeSet::new(),
        }
    }
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// A request.
    Request(Box<RequestSpec>),
    /// Bytes as they are.
    Bytes(BytesSpec),
}

/// In which pieces it is sent. Without any of these it goes out in one write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Offsets at which a new write begins.
    pub split: Vec<usize>,
    /// Bytes a write.
    pub drip: Option<usize>,
    /// Time between two writes.
    pub gap: Option<Time>,
}

/// What is expected back.
#[derive(Clone, Debug)]
pub enum Expect {
    /// A whole response that is one of these.
    Response(Vec<ResponseExpectation>),
    /// Packets one by one.
    Packets(Vec<PacketPattern>),
    /// An end of one kind or another, whatever is in it.
    Outcome(ExpectOutcome),
}

/// Who gets a signal.
#[derive(Clone, Debug)]
pub enum SignalTarget {
    /// The process that was started.
    Subject,
    /// The process that started it: "the web server".
    Parent,
    /// That one and every process below it, as `killall` does.
    All,
    /// A process by its number.
    Pid(Template),
}
