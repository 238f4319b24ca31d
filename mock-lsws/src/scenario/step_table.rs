//! Steps as files write them: which keys go together, and what is wrong where they do not.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::Spanned;

use crate::Signal;
use crate::fault::Faults;
use crate::file_error::position;

use super::bytes_spec::BytesSpec;
use super::damage::Damage;
use super::error::Mistake;
use super::expectation::ResponseExpectation;
use super::files::Files;
use super::generate::Generate;
use super::matcher::Matcher;
use super::model::{Mode, Start};
use super::number_range::NumberRange;
use super::one_or_many::OneOrMany;
use super::outcome::ExpectOutcome;
use super::packet_pattern::{PacketPattern, Repeat};
use super::process_expectation::{ExpectExit, ExpectProcess};
use super::program::Program;
use super::request_spec::RequestSpec;
use super::step::{Action, Clients, Expect, MAIN, Outgoing, Pace, Sending, SignalTarget, Step, Traffic};
use super::template::Template;
use super::time::Time;

/// A step as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepTable {
    note: Option<String>,
    repeat: Option<u32>,
    clients: Option<u32>,
    r#for: Option<Time>,
    give_up: Option<Time>,
    #[serde(default)]
    distinct: BTreeMap<String, NumberRange>,
    on: Option<String>,
    request: Option<Box<RequestSpec>>,
    send: Option<BytesSpec>,
    split: Option<OneOrMany<usize>>,
    drip: Option<usize>,
    gap: Option<Time>,
    #[serde(default)]
    damage: OneOrMany<Damage>,
    generate: Option<Generate>,
    expect: Option<OneOrMany<ResponseExpectation>>,
    expect_packets: Option<Vec<PacketPattern>>,
    expect_outcome: Option<ExpectOutcome>,
    expect_eof: Option<EofTable>,
    expect_no_bytes: Option<NoBytesTable>,
    expect_exit: Option<ExpectExit>,
    expect_process: Option<Box<ExpectProcess>>,
    connect: Option<String>,
    close: Option<String>,
    half_close: Option<String>,
    reset: Option<String>,
    faults: Option<Vec<Template>>,
    signal: Option<SignalTable>,
    wait_log: Option<LogTable>,
    write_files: Option<Files>,
    start_again: Option<bool>,
    pause: Option<Time>,
    parallel: Option<Vec<BranchTable>>,
}

/// One of several rows of steps that are done at the same time.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BranchTable {
    step: Vec<Spanned<StepTable>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EofTable {
    within: Option<Time>,
    or_reset: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoBytesTable {
    r#for: Time,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignalTable {
    name: String,
    to: Option<Template>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogTable {
    line: Box<Matcher>,
    within: Option<Time>,
}

/// The steps that `tables` are, of an application started as `start` says. `text` is the file they stand in.
pub(crate) fn resolve(
    tables: Vec<Spanned<StepTable>>,
    text: &str,
    start: &Start,
) -> Result<Vec<Step>, Mistake> {
    let mut steps = Vec::new();
    for table in tables {
        let offset = table.span().start;
        let (line, column) = position(text, offset);
        let mut table = table.into_inner();
        let branches = table.parallel.take().map(|branches| {
            branches
                .into_iter()
                .map(|branch| resolve(branch.step, text, start))
                .collect::<Result<Vec<_>, _>>()
        });
        let branches = branches.transpose()?;
        let step = table.resolve(branches, line, column).map_err(|message| (offset, message))?;
        if let (Mode::Worker, Action::Generate(Generate::BitFlips { .. }, ..)) = (start.mode, &step.action) {
            let message = "`bit_flips` takes a connection for each variant: start with `mode = \"listen\"`";
            return Err((offset, message.into()));
        }
        if let (Mode::Worker, Action::Clients(_) | Action::Traffic(_)) = (start.mode, &step.action) {
            let message = "`clients` make connections of their own: start with `mode = \"listen\"`";
            return Err((offset, message.into()));
        }
        if !start.mode.is_served()
            && let Some(connection) = step.connections().first()
        {
            let message = format!("connection `{connection}` leads nowhere: {}", start.mode.meaning());
            return Err((offset, message));
        }
        if let (Program::Role(_), Action::WriteFiles(_)) = (&start.program, &step.action) {
            let message =
                "`write_files` writes into the folder of an application in `[start] wsgi`: a role has none";
            return Err((offset, message.into()));
        }
        steps.push(step);
    }
    Ok(steps)
}

impl StepTable {
    /// The step this is, at `line` and `column`; `branches` are its parallel steps.
    fn resolve(
        mut self,
        branches: Option<Vec<Vec<Step>>>,
        line: usize,
        column: usize,
    ) -> Result<Step, String> {
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
            process.validate()?;
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
        if let Some(faults) = self.faults.take() {
            check_faults(&faults)?;
            actions.push(("faults", Action::Faults(faults)));
        }
        if let Some(signal) = self.signal.take() {
            let number = parse_signal(&signal.name)?;
            actions.push(("signal", Action::Signal(number, target(signal.to))));
        }
        if let Some(log) = self.wait_log.take() {
            actions.push(("wait_log", Action::WaitLog { line: log.line, within: log.within }));
        }
        if let Some(files) = self.write_files.take() {
            if files.0.is_empty() {
                return Err("`write_files` lists no file".into());
            }
            actions.push(("write_files", Action::WriteFiles(files)));
        }
        match self.start_again {
            Some(true) => actions.push(("start_again", Action::StartAgain)),
            Some(false) => return Err("`start_again = false` says nothing: take it out".into()),
            None => {}
        }
        if let Some(pause) = self.pause {
            actions.push(("pause", Action::Pause(pause)));
        }
        if let Some(branches) = branches {
            check_branches(&branches)?;
            actions.push(("parallel", Action::Parallel(branches)));
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
        if self.on.is_some() && !action.is_on_a_connection() {
            return Err(format!("`on` names a connection, and `{name}` is not about one; leave it out"));
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
        let is_paced = !split.is_empty() || self.drip.is_some();
        let is_generated = self.generate.is_some();
        if !split.is_empty() && self.drip.is_some() {
            return Err("`split` and `drip` both say where writes begin: use one of them".into());
        }
        if is_generated && is_paced {
            return Err("`generate` says where writes begin: leave `split` and `drip` out".into());
        }
        if self.drip == Some(0) {
            return Err("`drip` is the number of bytes a write has, at least 1".into());
        }
        if self.gap.is_some()
            && !is_paced
            && !matches!(self.generate, Some(Generate::Cut(_) | Generate::Drip(_)))
        {
            return Err("`gap` is the time between two writes: it needs `split` or `drip`".into());
        }
        let is_sending = self.request.is_some() || self.send.is_some();
        if (is_paced || is_generated || !self.damage.0.is_empty()) && !is_sending {
            return Err(
                "`split`, `drip`, `damage` and `generate` need something that is sent: `request` or `send`"
                    .into(),
            );
        }
        Ok(Pace { split, drip: self.drip, gap: self.gap })
    }

    /// The sending and expecting part of the step.
    fn exchange(&mut self, pace: Pace) -> Result<Option<(&'static str, Action)>, String> {
        let expect = self.expectation()?;
        let (name, what) = match (self.request.take(), self.send.take()) {
            (Some(_), Some(_)) => {
                return Err("a step sends a request or bytes, not both: `request` or `send`".into());
            }
            (Some(request), None) => {
                request.validate()?;
                ("request", Outgoing::Request(request))
            }
            (None, Some(bytes)) => ("send", Outgoing::Bytes(bytes)),
            (None, None) if self.clients.is_some() || !self.distinct.is_empty() || self.r#for.is_some() => {
                return Err(
                    "`clients`, `for` and `distinct` need something that is sent: `request` or `send`".into(),
                );
            }
            (None, None) => return Ok(expect.map(|expect| ("expect", Action::Expect(expect)))),
        };
        let sending = Sending { what, damage: std::mem::take(&mut self.damage.0), pace };
        let distinct = std::mem::take(&mut self.distinct);
        if let Some(time) = self.r#for {
            let traffic = self.traffic(time, sending, expect, &distinct)?;
            return Ok(Some(("for", Action::Traffic(traffic))));
        }
        if self.give_up.is_some() {
            return Err("`give_up` is about clients that send for a time: say how long with `for`".into());
        }
        if let Some(count) = self.clients {
            return match (expect, self.generate.take()) {
                (_, Some(_)) => Err("`clients` do the same at the same time: leave `generate` out".into()),
                (None, None) if !distinct.is_empty() => {
                    Err("`distinct` counts what an expectation captures: the step has none".into())
                }
                (_, None) if count == 0 => Err("`clients` is how many there are, at least 1".into()),
                (expect, None) => {
                    Ok(Some(("clients", Action::Clients(Clients { count, sending, expect, distinct }))))
                }
            };
        }
        if !distinct.is_empty() {
            return Err("`distinct` counts what several `clients` capture: say how many there are".into());
        }
        let action = match (self.generate.take(), expect) {
            (None, expect) => Action::Send(sending, expect),
            (Some(_), None) => {
                return Err("`generate` needs an expectation in its step, to hold each time".into());
            }
            (Some(Generate::BitFlips { .. }), Some(Expect::Response(_) | Expect::Packets(_))) => {
                return Err("nobody knows what flipped bits are answered with: use `expect_outcome`".into());
            }
            (Some(generate), Some(expect)) => Action::Generate(generate, sending, expect),
        };
        Ok(Some((name, action)))
    }

    /// Clients that send for a time.
    fn traffic(
        &mut self,
        time: Time,
        sending: Sending,
        mut expect: Option<Expect>,
        distinct: &BTreeMap<String, NumberRange>,
    ) -> Result<Traffic, String> {
        let count = self.clients.ok_or("`for` is how long `clients` send: say how many there are")?;
        if count == 0 || self.generate.is_some() || !distinct.is_empty() || time.0.is_zero() {
            return Err("`for` takes at least one of `clients`, some time, and neither `generate` nor \
                        `distinct`"
                .into());
        }
        match &mut expect {
            Some(Expect::Response(any_of)) => {
                for expected in any_of {
                    expected.within = self.give_up.or(expected.within);
                }
            }
            None => {}
            Some(Expect::Packets(_) | Expect::Outcome(_)) => {
                return Err("with `for` only whole answers can be expected: `expect`, or nothing".into());
            }
        }
        if expect.is_none() && self.give_up.is_none() {
            return Err("clients that take any answer need to know how long to wait for it: `give_up`".into());
        }
        Ok(Traffic { count, time, sending, expect, give_up: self.give_up })
    }

    fn expectation(&mut self) -> Result<Option<Expect>, String> {
        let packets = self.expect_packets.take();
        if let Some(packets) = &packets {
            let Some(last) = packets.last() else { return Err("`expect_packets` lists no packet".into()) };
            if last.repeat != Repeat::Once {
                return Err(format!(
                    "the last packet, `{last}`, is not one that has to come exactly once: how long should one wait for more?"
                ));
            }
        }
        let mut expected = [
            self.expect.take().map(|any_of| Expect::Response(any_of.0)),
            packets.map(Expect::Packets),
            self.expect_outcome.take().map(Expect::Outcome),
        ]
        .into_iter()
        .flatten();
        match (expected.next(), expected.next()) {
            (_, Some(_)) => {
                Err("a step expects one thing: `expect`, `expect_packets` or `expect_outcome`".into())
            }
            (expect, None) => Ok(expect),
        }
    }
}

/// Names in faults get their values later; all others can be looked at now.
fn check_faults(faults: &[Template]) -> Result<(), String> {
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    if texts.iter().any(|text| text.contains('{')) {
        return Ok(());
    }
    Faults::parse(&texts).map(|_| ()).map_err(|error| error.to_string())
}

/// Steps at the same time must not wait for each other's packets.
fn check_branches(branches: &[Vec<Step>]) -> Result<(), String> {
    if branches.len() < 2 {
        return Err("`parallel` has two rows of steps or more, each under a `[[step.parallel]]`".into());
    }
    if branches.iter().any(Vec::is_empty) {
        return Err("a row of parallel steps is empty: write its steps as `[[step.parallel.step]]`".into());
    }
    let mut taken = BTreeSet::new();
    if branches.iter().flatten().any(|step| matches!(step.action, Action::StartAgain)) {
        return Err(
            "`start_again` is about all connections: make it a step of its own beside `parallel`".into()
        );
    }
    for branch in branches {
        let connections: BTreeSet<&str> = branch.iter().flat_map(Step::connections).collect();
        if let Some(shared) = connections.intersection(&taken).next() {
            return Err(format!(
                "two rows of parallel steps use connection `{shared}`: give each its own with `connect` and `on`"
            ));
        }
        taken.extend(connections);
    }
    Ok(())
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
            "all" => SignalTarget::All,
            _ => SignalTarget::Pid(to),
        },
    }
}
