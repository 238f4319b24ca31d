//! One step: something is sent, expected or done.

use serde::Deserialize;

use crate::Signal;

use super::bytes_spec::BytesSpec;
use super::damage::Damage;
use super::expectation::ResponseExpectation;
use super::matcher::Matcher;
use super::one_or_many::OneOrMany;
use super::packet_pattern::{PacketPattern, Repeat};
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
    ExpectProcess(ExpectProcess),
    /// Opens the connection.
    Connect,
    /// Closes the connection.
    Close,
    /// Closes the direction towards the application.
    HalfClose,
    /// Closes the connection with a reset.
    Reset,
    /// Sends a signal.
    Signal(Signal, SignalTarget),
    /// A line on the application's stderr.
    WaitLog {
        /// What the line is.
        line: Box<Matcher>,
        /// How long to wait for it.
        within: Option<Time>,
    },
    /// Lets this much time pass.
    Pause(Time),
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
}

/// Who gets a signal.
#[derive(Clone, Debug)]
pub enum SignalTarget {
    /// The process that was started.
    Subject,
    /// The process that started it: "the web server".
    Parent,
    /// A process by its number.
    Pid(Template),
}

/// A step as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepTable {
    note: Option<String>,
    repeat: Option<u32>,
    on: Option<String>,
    request: Option<Box<RequestSpec>>,
    send: Option<BytesSpec>,
    split: Option<OneOrMany<usize>>,
    drip: Option<usize>,
    gap: Option<Time>,
    #[serde(default)]
    damage: OneOrMany<Damage>,
    expect: Option<OneOrMany<ResponseExpectation>>,
    expect_packets: Option<Vec<PacketPattern>>,
    expect_eof: Option<EofTable>,
    expect_no_bytes: Option<NoBytesTable>,
    expect_exit: Option<ExpectExit>,
    expect_process: Option<ExpectProcess>,
    connect: Option<String>,
    close: Option<String>,
    half_close: Option<String>,
    reset: Option<String>,
    signal: Option<SignalTable>,
    wait_log: Option<LogTable>,
    pause: Option<Time>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EofTable {
    within: Option<Time>,
    or_reset: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoBytesTable {
    r#for: Time,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignalTable {
    name: String,
    to: Option<Template>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    line: Box<Matcher>,
    within: Option<Time>,
}

impl StepTable {
    /// The step this is, at `line` and `column`.
    pub(crate) fn resolve(mut self, line: usize, column: usize) -> Result<Step, String> {
        let pace = self.pace()?;
        let mut actions: Vec<(&'static str, Action)> = Vec::new();
        let mut on = None;
        if let Some((name, action)) = self.exchange(pace)? {
            actions.push((name, action));
        }
        if let Some(eof) = self.expect_eof.take() {
            actions.push(("expect_eof", Action::ExpectEof { within: eof.within, or_reset: eof.or_reset }));
        }
        if let Some(quiet) = self.expect_no_bytes.take() {
            actions.push(("expect_no_bytes", Action::ExpectNoBytes(quiet.r#for)));
        }
        if let Some(exit) = self.expect_exit.take() {
            exit.validate()?;
            actions.push(("expect_exit", Action::ExpectExit(exit)));
        }
        if let Some(process) = self.expect_process.take() {
            actions.push(("expect_process", Action::ExpectProcess(process)));
        }
        for (name, connection, action) in [
            ("connect", self.connect.take(), Action::Connect),
            ("close", self.close.take(), Action::Close),
            ("half_close", self.half_close.take(), Action::HalfClose),
            ("reset", self.reset.take(), Action::Reset),
        ] {
            if let Some(connection) = connection {
                on = Some(connection);
                actions.push((name, action));
            }
        }
        if let Some(signal) = self.signal.take() {
            let number = parse_signal(&signal.name)?;
            actions.push(("signal", Action::Signal(number, target(signal.to))));
        }
        if let Some(log) = self.wait_log.take() {
            actions.push(("wait_log", Action::WaitLog { line: log.line, within: log.within }));
        }
        if let Some(pause) = self.pause {
            actions.push(("pause", Action::Pause(pause)));
        }

        let names: Vec<String> = actions.iter().map(|(name, _)| format!("`{name}`")).collect();
        let Some((name, action)) = actions.pop() else {
            return Err("this step does nothing: give it an action such as `request` or `expect_eof`".into());
        };
        if self.repeat == Some(0) {
            return Err(
                "`repeat` is how often the step is done, at least 1: to leave it out, take it out".into()
            );
        }
        if names.len() > 1 {
            return Err(format!(
                "a step does one thing, this one has {}: write them as steps of their own",
                names.join(" and ")
            ));
        }
        if on.is_some() && self.on.is_some() {
            return Err(format!("`{name}` names its connection itself; leave `on` out"));
        }
        Ok(Step {
            line,
            column,
            note: self.note,
            repeat: self.repeat.unwrap_or(1),
            on: on.or(self.on).unwrap_or_else(|| MAIN.to_owned()),
            action,
        })
    }

    fn pace(&self) -> Result<Pace, String> {
        let split = self.split.as_ref().map(|split| split.0.clone()).unwrap_or_default();
        let paced = !split.is_empty() || self.drip.is_some();
        if !split.is_empty() && self.drip.is_some() {
            return Err("`split` and `drip` both say where writes begin: use one of them".into());
        }
        if self.drip == Some(0) {
            return Err("`drip` is the number of bytes a write has, at least 1".into());
        }
        if self.gap.is_some() && !paced {
            return Err("`gap` is the time between two writes: it needs `split` or `drip`".into());
        }
        let is_sending = self.request.is_some() || self.send.is_some();
        if (paced || !self.damage.0.is_empty()) && !is_sending {
            return Err(
                "`split`, `drip` and `damage` need something that is sent: `request` or `send`".into()
            );
        }
        Ok(Pace { split, drip: self.drip, gap: self.gap })
    }

    /// The sending and expecting part of the step.
    fn exchange(&mut self, pace: Pace) -> Result<Option<(&'static str, Action)>, String> {
        let expect = match (self.expect.take(), self.expect_packets.take()) {
            (Some(_), Some(_)) => {
                return Err(
                    "a step expects a response or packets, not both: `expect` or `expect_packets`".into()
                );
            }
            (Some(response), None) => Some(Expect::Response(response.0)),
            (None, Some(packets)) if packets.is_empty() => {
                return Err("`expect_packets` lists no packet".into());
            }
            (None, Some(packets)) => {
                if let Some(last) = packets.last().filter(|last| last.repeat != Repeat::Once) {
                    return Err(format!(
                        "the last packet, `{last}`, is not one that has to come exactly once: how long should one wait for more?"
                    ));
                }
                Some(Expect::Packets(packets))
            }
            (None, None) => None,
        };
        Ok(match (self.request.take(), self.send.take(), expect) {
            (Some(_), Some(_), _) => {
                return Err("a step sends a request or bytes, not both: `request` or `send`".into());
            }
            (Some(request), None, expect) => {
                request.validate()?;
                Some(("request", self.sending(Outgoing::Request(request), pace, expect)))
            }
            (None, Some(bytes), expect) => Some(("send", self.sending(Outgoing::Bytes(bytes), pace, expect))),
            (None, None, Some(expect)) => Some(("expect", Action::Expect(expect))),
            (None, None, None) => None,
        })
    }

    fn sending(&mut self, what: Outgoing, pace: Pace, expect: Option<Expect>) -> Action {
        let damage = std::mem::take(&mut self.damage.0);
        Action::Send(Sending { what, damage, pace }, expect)
    }
}

/// The signal `name`.
pub(crate) fn parse_signal(name: &str) -> Result<Signal, String> {
    crate::signal::parse(name)
        .ok_or_else(|| format!("there is no signal `{name}`: write a name such as `TERM` or `KILL`"))
}

fn target(to: Option<Template>) -> SignalTarget {
    match to {
        None => SignalTarget::Subject,
        Some(to) => match to.to_string().as_str() {
            "subject" => SignalTarget::Subject,
            "parent" => SignalTarget::Parent,
            _ => SignalTarget::Pid(to),
        },
    }
}
