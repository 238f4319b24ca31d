//! Doing the steps of a case, one after the other.

use std::time::{Duration, Instant};

use lsapi::AppPacket;
use mock_lsws::fault::Faults;
use mock_lsws::scenario::{
    Action, Expect, Files, MAIN, Mode, Outgoing, Pace, PacketKind, Sending, Step, Template,
};
use mock_lsws::{ConnectError, Connection, Incoming, SendError, within};

use super::case::Case;
use super::peer::Peer;
use crate::event::Problem;

/// How long a connection may take to end when the step does not say.
pub(super) const END_LIMIT: Duration = Duration::from_secs(5);

/// How long an application may take to listen at the address it is told.
const BIND_LIMIT: Duration = Duration::from_secs(10);

/// How often it is tried.
const BIND_TICK: Duration = Duration::from_millis(20);

/// Time between two writes of something that is sent in pieces, when the step does not say.
const GAP: Duration = Duration::from_millis(5);

impl<'a> Case<'a> {
    /// Does `steps`; the first that goes wrong ends the case.
    pub(super) async fn do_steps(&mut self, steps: &'a [Step]) -> Result<(), Vec<Problem>> {
        for step in steps {
            self.at = Some(step);
            for _ in 0..step.repeat {
                self.step(step).await?;
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: &'a Step) -> Result<(), Vec<Problem>> {
        match &step.action {
            Action::Send(sending, expect) => {
                self.send(&step.on, sending).await?;
                match expect {
                    Some(expect) => self.expect(&step.on, expect).await,
                    None => Ok(()),
                }
            }
            Action::Generate(rule, sending, expect) => self.generate(step, rule, sending, expect).await,
            Action::Expect(expect) => self.expect(&step.on, expect).await,
            Action::ExpectEof { within, or_reset } => {
                let limit = within.map_or(END_LIMIT, |within| within.0);
                self.expect_eof(&step.on, limit, *or_reset).await
            }
            Action::ExpectNoBytes(time) => {
                let peer = self.peer(&step.on).await?;
                let started = Instant::now();
                loop {
                    let rest = time.0.saturating_sub(started.elapsed());
                    return match peer.next(rest).await {
                        Incoming::TimedOut => Ok(()),
                        // While a request runs, these may come at any time.
                        Incoming::Packet(packet)
                            if !peer.is_idle && !rest.is_zero() && is_by_the_way(&packet.decode()) =>
                        {
                            continue;
                        }
                        other => {
                            Err(vec![problem("silence", &format!("nothing for {time}"), &incoming(&other))])
                        }
                    };
                }
            }
            Action::ExpectExit(expected) => self.expect_exit(expected).await,
            Action::ExpectProcess(expected) => self.expect_process(expected).await,
            Action::Connect => {
                if self.peers.contains_key(&step.on) {
                    return Err(vec![mistake(&format!(
                        "connection `{}` is open already: close it first",
                        step.on
                    ))]);
                }
                self.connect(&step.on).await
            }
            Action::Close => {
                self.take(&step.on)?.connection.close();
                Ok(())
            }
            Action::HalfClose => {
                let peer = self.peer(&step.on).await?;
                peer.connection
                    .half_close()
                    .map_err(|error| vec![problem("half close", "an open connection", &error.to_string())])
            }
            Action::Reset => {
                let peer = self.take(&step.on)?;
                peer.connection.reset().map(|_| ()).map_err(|error| vec![mistake(&error.to_string())])
            }
            Action::Clients(clients) => self.clients(clients).await,
            Action::Faults(faults) => self.set_faults(&step.on, faults),
            Action::Traffic(traffic) => self.traffic(traffic).await,
            Action::Signal(signal, target) => self.signal(*signal, target).await,
            Action::WaitLog { line, within } => {
                self.wait_log(line, within.map_or(END_LIMIT, |within| within.0)).await
            }
            Action::WriteFiles(files) => self.write_files(files),
            Action::StartAgain => self.start_again().await,
            Action::Pause(time) => {
                tokio::time::sleep(time.0).await;
                Ok(())
            }
            Action::Parallel(branches) => self.parallel(branches).await,
        }
    }

    pub(super) async fn expect(&mut self, on: &str, expect: &Expect) -> Result<(), Vec<Problem>> {
        match expect {
            Expect::Response(any_of) => self.expect_response(on, any_of).await,
            Expect::Packets(patterns) => self.expect_packets(on, patterns).await,
            Expect::Outcome(expected) => self.expect_outcome(on, expected).await,
        }
    }

    /// The connection `name`; `main` is opened at its first use.
    pub(super) async fn peer(&mut self, name: &str) -> Result<&mut Peer, Vec<Problem>> {
        if !self.peers.contains_key(name) && name == MAIN && self.stage.address.is_some() {
            self.connect(name).await?;
        }
        self.peers.get_mut(name).ok_or_else(|| vec![not_open(name)])
    }

    fn take(&mut self, name: &str) -> Result<Peer, Vec<Problem>> {
        let peer = self.peers.remove(name).ok_or_else(|| vec![not_open(name)])?;
        self.done.has_cut_off |= !peer.is_idle;
        Ok(peer)
    }

    pub(super) async fn connect(&mut self, name: &str) -> Result<(), Vec<Problem>> {
        let Some(address) = &self.stage.address else {
            return Err(vec![mistake(
                "in worker mode there is one connection, `main`: start with mode = \"listen\"",
            )]);
        };
        let refused =
            |error: &ConnectError| vec![problem("connection", "to be accepted", &error.to_string())];
        let deadline = Instant::now() + BIND_LIMIT;
        let connection = loop {
            match Connection::connect(address, &self.stage.transcript).await {
                Ok(connection) => break connection,
                // An application that makes its socket itself is given time for that.
                Err(_) if self.scenario.start.mode == Mode::Bind && Instant::now() < deadline => {
                    self.still_runs().await?;
                    tokio::time::sleep(BIND_TICK).await;
                }
                Err(error) => return Err(refused(&error)),
            }
        };
        let mut connection = connection;
        let faulty = connection.add_faults(&self.faults);
        faulty.map_err(|error| vec![mistake(&format!("the faults cannot be made: {error}"))])?;
        self.peers.insert(name.to_owned(), Peer::new(connection));
        Ok(())
    }

    fn set_faults(&mut self, on: &str, faults: &[Template]) -> Result<(), Vec<Problem>> {
        let texts = faults.iter().map(|fault| fault.render(&self.vars).map_err(|error| error.to_string()));
        let faults = texts
            .collect::<Result<Vec<_>, _>>()
            .and_then(|texts| Faults::parse(&texts).map_err(|error| error.to_string()));
        self.faults = faults.map_err(|error| vec![mistake(&error)])?;
        match self.peers.get_mut(on) {
            Some(peer) => peer
                .connection
                .add_faults(&self.faults)
                .map_err(|error| vec![mistake(&format!("the faults cannot be made: {error}"))]),
            None => Ok(()),
        }
    }

    fn write_files(&self, files: &Files) -> Result<(), Vec<Problem>> {
        let Some(folder) = &self.stage.app_folder else {
            return Err(vec![mistake("a role has no folder to write files into")]);
        };
        folder.write(files).map_err(|error| vec![problem("files", "to be written", &error.to_string())])
    }

    pub(super) async fn send(&mut self, on: &str, sending: &Sending) -> Result<(), Vec<Problem>> {
        let bytes = self.bytes_of(sending)?;
        self.send_bytes(on, &bytes, &sending.pace).await
    }

    /// What `sending` sends, damage included.
    pub(super) fn bytes_of(&mut self, sending: &Sending) -> Result<Vec<u8>, Vec<Problem>> {
        let root = &self.plan.root;
        let mut bytes = match &sending.what {
            Outgoing::Request(request) => {
                let (plan, start) = (self.plan, &self.scenario.start);
                let env = self.stage.request_env(plan, &plan.subject, start);
                let (mut packet, body) = request
                    .make(&env, root, &self.vars)
                    .map_err(|error| vec![mistake(&error.to_string())])?;
                self.vars.note_body(&body);
                packet.extend(body);
                packet
            }
            Outgoing::Bytes(bytes) => {
                bytes.make(root, &self.vars).map_err(|error| vec![mistake(&error.to_string())])?
            }
        };
        for damage in &sending.damage {
            damage.apply(&mut bytes).map_err(|error| vec![mistake(&error)])?;
        }
        Ok(bytes)
    }

    pub(super) async fn send_bytes(
        &mut self,
        on: &str,
        bytes: &[u8],
        pace: &Pace,
    ) -> Result<(), Vec<Problem>> {
        if let Some(beyond) = pace.split.iter().find(|&&at| at == 0 || at >= bytes.len()) {
            let len = bytes.len();
            return Err(vec![mistake(&format!("`split` at {beyond} cuts nothing off the {len} bytes sent"))]);
        }
        let gap = pace.gap.map_or(GAP, |gap| gap.0);
        let pace = match pace.drip {
            Some(size) => mock_lsws::Pace::drip(size, gap),
            None => mock_lsws::Pace::split(pace.split.iter().copied()).pause(gap),
        };
        let peer = self.peer(on).await?;
        // Further bytes belong to the request whose answer is still expected.
        if peer.is_idle {
            peer.begin();
        }
        match peer.connection.send_paced(bytes, &pace).await {
            // An application may close before it has taken everything: what it has said until then is judged.
            Ok(()) | Err(SendError::Closed { .. } | SendError::Reset { .. }) => Ok(()),
            Err(error) => {
                Err(vec![problem("sending", "the application to take what it is sent", &error.to_string())])
            }
        }
    }

    async fn expect_eof(&mut self, on: &str, limit: Duration, or_reset: bool) -> Result<(), Vec<Problem>> {
        let peer = self.peer(on).await?;
        let deadline = within(limit);
        loop {
            let expected = format!("the connection to close within {limit:?}");
            match peer.connection.next_packet(deadline).await {
                Incoming::Eof { partial: 0 } => return Ok(()),
                Incoming::Reset { partial: 0 } if or_reset => return Ok(()),
                // Behind the end of a response this is how a close is announced.
                Incoming::Packet(packet)
                    if peer.is_idle && packet.packet_type() == lsapi::PacketType::ConnClose => {}
                other => return Err(vec![problem("connection", &expected, &incoming(&other))]),
            }
        }
    }
}

/// Whether `packet` may come between any two others and says nothing to the server: text for its log, and a piece of a body
/// without a byte in it.
pub(super) fn is_by_the_way(packet: &AppPacket<'_>) -> bool {
    match packet {
        AppPacket::Stderr(_) => true,
        AppPacket::RespStream(bytes) => bytes.is_empty(),
        _ => false,
    }
}

/// What arrived, in words.
pub(super) fn incoming(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Packet(packet) => PacketKind::of(&packet.decode()).to_string(),
        Incoming::Invalid(invalid) => format!("bytes that are no packet: {invalid}"),
        Incoming::Eof { partial: 0 } => "the end of the connection".into(),
        Incoming::Eof { partial } => format!("the end of the connection, {partial} bytes into a packet"),
        Incoming::Reset { .. } => "a reset of the connection".into(),
        Incoming::TimedOut => "nothing".into(),
    }
}

pub(super) fn problem(field: &str, expected: &str, actual: &str) -> Problem {
    Problem::new(field, expected, actual)
}

/// A step that cannot be done as it is written.
pub(super) fn mistake(what: &str) -> Problem {
    Problem::plain("the scenario is wrong", what)
}

fn not_open(name: &str) -> Problem {
    mistake(&format!("connection `{name}` is not open: open it with `connect = \"{name}\"`"))
}
