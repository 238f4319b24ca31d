//! Judging what comes back: a response as a whole, or packets one by one.

use std::path::Path;
use std::time::{Duration, Instant};

use lsapi::AppPacket;
use mock_lsws::scenario::{
    Ack as ExpectedAck, ConnCloseRule, ExpectOutcome, Mismatch, Outcome, PacketKind, PacketPattern, Repeat,
    ResponseExpectation, Vars, assemble,
};
use mock_lsws::{Ack, End, Header, Incoming, Response, Violation};

use super::case::Case;
use super::spot::{self, Spot, Spotted};
use super::steps::{incoming, is_by_the_way, problem};
use crate::event::Problem;

/// How long a response may take when the step does not say.
const RESPONSE_LIMIT: Duration = Duration::from_secs(15);

/// How long an exchange may take whose outcome is all that matters, when the step does not say.
const OUTCOME_LIMIT: Duration = Duration::from_secs(5);

/// How long the next packet may take when the step does not say.
const PACKET_LIMIT: Duration = Duration::from_secs(10);

impl Case<'_> {
    /// Reads a response and compares it with `any_of`; the closest of them is what a failure is about.
    pub(super) async fn expect_response(
        &mut self,
        on: &str,
        any_of: &[ResponseExpectation],
    ) -> Result<(), Vec<Problem>> {
        let limit = any_of
            .iter()
            .filter_map(|expected| expected.within)
            .max()
            .map_or(RESPONSE_LIMIT, |limit| limit.0);
        let peer = self.peer(on).await?;
        let connection = peer.connection.number();
        let response = peer.response(limit).await;
        let broken = broken(&response, any_of, limit);
        // For a probe the manner does not count, but without a head there is no answer at all.
        let is_probe = self.scenario.is_probe();
        let is_answer = is_probe && response.status.is_some();
        let transcript = &self.stage.transcript;
        if !broken.is_empty() && !is_answer {
            return Err(spot::placed(broken, &response, transcript, connection));
        }
        let mut closest: Option<Vec<Spotted>> = None;
        for expected in any_of {
            let mut vars = self.vars.clone();
            let mut wrong = compare(expected, &response, &self.plan.root, &mut vars);
            if !is_probe {
                wrong.extend(compare_manner(expected, &response));
            }
            if wrong.is_empty() {
                self.vars = vars;
                return Ok(());
            }
            if closest.as_ref().is_none_or(|closest| wrong.len() < closest.len()) {
                closest = Some(wrong);
            }
        }
        Err(spot::placed(closest.unwrap_or_default(), &response, transcript, connection))
    }

    /// Reads until a response is whole or the connection ends, whatever is said in it.
    pub(super) async fn expect_outcome(
        &mut self,
        on: &str,
        expected: &ExpectOutcome,
    ) -> Result<(), Vec<Problem>> {
        let limit = expected.within.map_or(OUTCOME_LIMIT, |within| within.0);
        let peer = self.peer(on).await?;
        let connection = peer.connection.number();
        let response = peer.response(limit).await;
        let partial = match &response.end {
            End::Eof | End::Reset => peer.partial().await,
            _ => 0,
        };
        let outcome = outcome(&response, partial).map_err(|problem| vec![problem])?;
        // A response that was given up need not have come to its acknowledgement.
        let is_free =
            |violation: &Violation| outcome != Outcome::Answered && *violation == Violation::NotAcknowledged;
        let broken: Vec<Spotted> = violations(&response, is_free).collect();
        if !broken.is_empty() {
            return Err(spot::placed(broken, &response, &self.stage.transcript, connection));
        }
        if expected.accepts(outcome) {
            return Ok(());
        }
        let status = response.status.map_or_else(String::new, |status| format!(", status {status}"));
        let actual = format!("{outcome}{status}, after {} packets", response.packets.len());
        Err(vec![problem("outcome", &expected.to_string(), &actual)])
    }

    /// Reads packets until the last of `patterns` has come.
    pub(super) async fn expect_packets(
        &mut self,
        on: &str,
        patterns: &[PacketPattern],
    ) -> Result<(), Vec<Problem>> {
        let (plan, mut vars) = (self.plan, self.vars.clone());
        let peer = self.peer(on).await?;
        let mut at = 0;
        // Whether the current pattern has applied already.
        let mut applied = false;
        let mut text = Joined::default();
        while let Some(pattern) = patterns.get(at) {
            let limit = pattern.within.map_or(PACKET_LIMIT, |within| within.0);
            let started = Instant::now();
            let arrived = peer.next(limit).await;
            if peer.is_full() {
                return Err(vec![problem("packets", &pattern.to_string(), "more than the runner takes")]);
            }
            if let Incoming::Packet(packet) = &arrived {
                let packet = packet.decode();
                let is_asked_for = matches!(packet, AppPacket::Stderr(_))
                    && patterns.iter().any(|pattern| pattern.accepts(PacketKind::Stderr));
                if is_by_the_way(&packet) && !is_asked_for {
                    continue;
                }
            }
            let (kind, packet) = match &arrived {
                Incoming::Packet(packet) => (PacketKind::of(&packet.decode()), Some(packet)),
                Incoming::Eof { partial: 0 } => (PacketKind::Eof, None),
                other => return Err(text.wrong_or(unexpected(patterns, at, other, started.elapsed()))),
            };
            // Patterns that may be absent, or have applied, make way for the one this packet fits.
            let Some(found) = fitting(patterns, at, applied, kind) else {
                return Err(text.wrong_or(unexpected(patterns, at, &arrived, started.elapsed())));
            };
            let Some(pattern) = patterns.get(found) else { break };
            if let Some(packet) = packet {
                let packet = packet.decode();
                let packet = text.with(found, packet)?;
                let wrong = pattern.check(&packet, &plan.root, &mut vars);
                let wrong: Vec<_> = wrong.into_iter().map(Problem::from).collect();
                if !wrong.is_empty() {
                    if !is_text(kind) {
                        return Err(wrong);
                    }
                    text.wrong = wrong;
                    (at, applied) = (found, pattern.repeat.may_go_on());
                    continue;
                }
            }
            (at, applied) = if pattern.repeat.may_go_on() { (found, true) } else { (found + 1, false) };
        }
        if peer.is_idle {
            let connection = peer.connection.number();
            let read = std::mem::take(&mut peer.read);
            let response = assemble(Duration::ZERO, read, End::Complete);
            let ack_is_free =
                ResponseExpectation { ack: Some(ExpectedAck::Nothing), ..ResponseExpectation::default() };
            let broken = broken(&response, &[ack_is_free], PACKET_LIMIT);
            if !broken.is_empty() {
                return Err(spot::placed(broken, &response, &self.stage.transcript, connection));
            }
        }
        self.vars = vars;
        Ok(())
    }
}

/// The bytes of the packets that stand in one place: how an application divides a text into packets is its own affair.
#[derive(Default)]
struct Joined {
    /// The place.
    at: usize,
    kind: Option<PacketKind>,
    bytes: Vec<u8>,
    /// Why they are not yet what is expected there.
    wrong: Vec<Problem>,
}

impl Joined {
    /// `packet`, which stands at `at`, with the bytes that came before it in the same place. An error if another place
    /// comes with it and the bytes of the one before are not right.
    fn with<'a>(&'a mut self, at: usize, packet: AppPacket<'a>) -> Result<AppPacket<'a>, Vec<Problem>> {
        let kind = PacketKind::of(&packet);
        if (self.at, self.kind) != (at, Some(kind)) {
            if !self.wrong.is_empty() {
                return Err(std::mem::take(&mut self.wrong));
            }
            (self.at, self.kind) = (at, Some(kind));
            self.bytes.clear();
        }
        self.wrong.clear();
        Ok(match packet {
            AppPacket::RespStream(bytes) => {
                self.bytes.extend(bytes);
                AppPacket::RespStream(&self.bytes)
            }
            AppPacket::Stderr(bytes) => {
                self.bytes.extend(bytes);
                AppPacket::Stderr(&self.bytes)
            }
            other => other,
        })
    }

    /// What is wrong with the bytes of this place, if that is why `problem` came up.
    fn wrong_or(&mut self, problem: Problem) -> Vec<Problem> {
        if self.wrong.is_empty() { vec![problem] } else { std::mem::take(&mut self.wrong) }
    }
}

/// Packets with bytes that may as well come in several.
const fn is_text(kind: PacketKind) -> bool {
    matches!(kind, PacketKind::RespStream | PacketKind::Stderr)
}

/// How an exchange that read `response` ended. `partial` are bytes of a packet that never became whole.
fn outcome(response: &Response, partial: usize) -> Result<Outcome, Problem> {
    let expected = |actual: &str| problem("end of the exchange", "an answer or a close", actual);
    match &response.end {
        End::Complete => Ok(Outcome::Answered),
        End::Eof | End::Reset if partial > 0 => {
            Err(expected(&format!("the end of the connection, {partial} bytes into a packet")))
        }
        End::Eof | End::Reset if response.packets.is_empty() => Ok(Outcome::Refused),
        End::Eof | End::Reset => Ok(Outcome::Closed),
        End::Invalid(invalid) => Err(expected(&format!("bytes that are no packet: {invalid}"))),
        End::TimedOut => Err(expected("silence: neither an answer nor a close")),
        End::TooLong => Err(expected("more than the runner takes")),
    }
}

/// The pattern at or behind `at` that takes `kind`, if what is between may be left out.
fn fitting(patterns: &[PacketPattern], at: usize, applied: bool, kind: PacketKind) -> Option<usize> {
    for (index, pattern) in patterns.iter().enumerate().skip(at) {
        if pattern.accepts(kind) {
            return Some(index);
        }
        let may_pass =
            pattern.repeat.may_be_absent() || (index == at && applied && pattern.repeat == Repeat::Some);
        if !may_pass {
            return None;
        }
    }
    None
}

fn unexpected(patterns: &[PacketPattern], at: usize, arrived: &Incoming, waited: Duration) -> Problem {
    let next = patterns.get(at).map(ToString::to_string).unwrap_or_default();
    let all = patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let actual = match arrived {
        Incoming::TimedOut => format!("nothing for {waited:.1?}"),
        other => incoming(other),
    };
    problem("packets", &format!("{next}, in the sequence {all}"), &actual)
}

/// The rules of the protocol that `response` breaks, but for those that are `free`.
fn violations(response: &Response, is_free: impl Fn(&Violation) -> bool) -> impl Iterator<Item = Spotted> {
    let broken = response.violations().iter().filter(move |violation| !is_free(violation));
    broken
        .map(|violation| (Problem::plain("protocol", violation.to_string()), spot::of_violation(*violation)))
}

/// What is wrong with a response whatever was expected of it.
fn broken(response: &Response, any_of: &[ResponseExpectation], limit: Duration) -> Vec<Spotted> {
    let mut problems = Vec::new();
    let ack_is_free = any_of.iter().any(|expected| expected.ack == Some(ExpectedAck::Nothing));
    problems
        .extend(violations(response, |violation| ack_is_free && *violation == Violation::NotAcknowledged));
    let actual = match &response.end {
        End::Complete => return problems,
        End::Eof => "the application closed the connection".to_owned(),
        End::Reset => "the application reset the connection".to_owned(),
        End::Invalid(invalid) => format!("bytes that are no packet: {invalid}"),
        End::TimedOut => format!("nothing more within {limit:?}"),
        End::TooLong => "more than the runner takes".to_owned(),
    };
    problems.push((problem("end of the response", "RESP_END", &actual), None));
    problems
}

fn compare(
    expected: &ResponseExpectation,
    response: &Response,
    root: &Path,
    vars: &mut Vars,
) -> Vec<Spotted> {
    let mut wrong: Vec<Spotted> = Vec::new();
    let status = response.status.unwrap_or_default();
    if !expected.status.0.is_empty() && !expected.status.0.contains(&status) {
        let status = problem("status", &expected.status.to_string(), &status.to_string());
        wrong.push((status, Some(Spot::Status)));
    }
    for (at, (name, matcher)) in expected.headers.0.iter().enumerate() {
        let before = expected.headers.0.iter().take(at);
        // A name that is there again is about the next header of that name.
        let nth = before.filter(|(earlier, _)| earlier.eq_ignore_ascii_case(name)).count();
        let field =
            if nth == 0 { format!("header {name}") } else { format!("header {name}, number {}", nth + 1) };
        match lines(response, name).nth(nth) {
            Some((line, value)) => {
                let mismatches = matcher.check(&field, value, root, vars).into_iter();
                wrong.extend(
                    mismatches
                        .map(|mismatch| spot::at(mismatch, |byte| Spot::Header { line, byte: Some(byte) })),
                );
            }
            None => wrong.push((problem(&field, &matcher.describe(vars), "no such header"), None)),
        }
    }
    for name in &expected.no_headers.0 {
        if let Some((line, value)) = lines(response, name).next() {
            let field = format!("header {name}");
            let problem = problem(&field, "no such header", &String::from_utf8_lossy(value));
            wrong.push((problem, Some(Spot::Header { line, byte: None })));
        }
    }
    if let Some(body) = &expected.body {
        let mismatches = body.check("body", &response.body, root, vars).into_iter();
        wrong.extend(mismatches.map(|mismatch| spot::at(mismatch, Spot::Body)));
    }
    if let Some(stderr) = &expected.stderr {
        let mismatches = stderr.check("STDERR_STREAM", &response.stderr, root, vars).into_iter();
        wrong.extend(mismatches.map(|mismatch| spot::at(mismatch, Spot::Stderr)));
    }
    wrong
}

/// The headers called `name`, in any case: the number of their lines and their values.
fn lines<'a>(response: &'a Response, name: &str) -> impl Iterator<Item = (usize, &'a [u8])> {
    let named = move |(_, header): &(usize, &Header)| header.name.eq_ignore_ascii_case(name.as_bytes());
    response.headers.iter().enumerate().filter(named).map(|(line, header)| (line, header.value.as_slice()))
}

/// How the answer came, as opposed to what it is.
fn compare_manner(expected: &ResponseExpectation, response: &Response) -> Vec<Spotted> {
    let mut wrong: Vec<Mismatch> = Vec::new();
    wrong.extend(compare_ack(expected.ack.unwrap_or(ExpectedAck::Either), response.ack));
    let stream_packets =
        response.packets.iter().filter(|packet| packet.packet_type() == lsapi::PacketType::RespStream);
    if let Some(count) = expected.stream_packets {
        let actual = stream_packets.count();
        if actual != count {
            wrong.push(Mismatch::new("RESP_STREAM packets", count.to_string(), actual.to_string()));
        }
    }
    match (expected.conn_close, response.conn_close) {
        (ConnCloseRule::Absent, Some(_)) => {
            wrong.push(Mismatch::new("CONN_CLOSE", "none: the connection is to stay open", "CONN_CLOSE"));
        }
        (ConnCloseRule::Present, None) => wrong.push(Mismatch::new("CONN_CLOSE", "CONN_CLOSE", "none")),
        _ => {}
    }
    wrong.into_iter().map(|mismatch| (mismatch.into(), None)).collect()
}

fn compare_ack(expected: ExpectedAck, ack: Ack) -> Option<Mismatch> {
    let right = match expected {
        ExpectedAck::ReqReceived => ack == Ack::Received,
        ExpectedAck::PidNotice => matches!(ack, Ack::Pid(_)),
        ExpectedAck::Either => ack != Ack::None,
        ExpectedAck::Nothing => ack == Ack::None,
    };
    let name = |ack| match ack {
        Ack::None => "none".to_owned(),
        Ack::Received => "REQ_RECEIVED".to_owned(),
        Ack::Pid(pid) => format!("the PID notice of {pid}"),
    };
    let expected = match expected {
        ExpectedAck::ReqReceived => "REQ_RECEIVED",
        ExpectedAck::PidNotice => "a PID notice",
        ExpectedAck::Either => "REQ_RECEIVED or a PID notice",
        ExpectedAck::Nothing => "none",
    };
    (!right).then(|| Mismatch::new("acknowledgement", expected, name(ack)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_joined_within_a_place_and_what_is_wrong_with_it_is_told_at_its_end() {
        let mut text = Joined::default();
        assert_eq!(text.with(1, AppPacket::RespStream(b"a")), Ok(AppPacket::RespStream(b"a")));
        text.wrong = vec![problem("payload", "ab", "a")];
        assert_eq!(text.with(1, AppPacket::RespStream(b"b")), Ok(AppPacket::RespStream(b"ab")));
        assert_eq!(text.with(2, AppPacket::RespStream(b"c")), Ok(AppPacket::RespStream(b"c")));
        text.wrong = vec![problem("payload", "d", "c")];
        assert_eq!(text.with(3, AppPacket::RespEnd), Err(vec![problem("payload", "d", "c")]));
    }
}
