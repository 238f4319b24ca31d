//! Waiting for a request packet, and the reasons not to wait any longer: a stop, the parent's death, the idle limit, the
//! header timeout.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use lsapi::{DecodeError, ServerPacket};

use super::buffer::Inbound;
use super::silence::Silence;
use crate::log;
use crate::worker::gate;
use crate::worker::socket::{Received, TICK};

/// How long a connection whose end has been announced may stay silent before it is left.
const LEAVE_AFTER: Duration = Duration::from_millis(500);

/// How a wait for a request packet ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A packet is there, or bytes that can never be one: [`Inbound::packet`] tells.
    Ready {
        /// CONN_CLOSE has been sent already: this is the connection's last request.
        announced: bool,
    },
    /// The server closed the connection between two requests.
    Eof,
    /// The connection ended or broke inside a packet; this many bytes of it had come.
    CutShort(usize),
    /// A packet was begun and not finished in time; this many bytes of it had come.
    HeaderTimeout(usize),
    /// The connection should end, and the server has been told. If there is no other reason, the manager wants it given up.
    Leave {
        /// Because nothing came for the idle limit, and not because of a stop.
        idle: bool,
    },
}

impl Inbound {
    /// Waits until a whole request packet is buffered. The caller has let go of the GIL.
    pub(crate) fn wait_packet(&mut self) -> Wait {
        let mut waiting = false;
        let mut announced = false;
        let mut silence = Silence::default();
        loop {
            let framed = ServerPacket::frame(self.filled(), self.limits.max_packet);
            let Err(DecodeError::Incomplete { need }) = framed else { return Wait::Ready { announced } };
            let between = self.start == self.end;
            if !between && self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Wait::HeaderTimeout(self.filled().len());
            }
            if between && !waiting {
                let Some(socket) = &self.socket else { return Wait::Eof };
                gate::enter_waiting(socket.as_fd());
                waiting = true;
            }
            let received = self.receive_some(need);
            if waiting && !matches!(received, Received::Tick | Received::Interrupted) {
                announced |= gate::leave_waiting();
                waiting = false;
            }
            match received {
                Received::Bytes(_) => {
                    if silence.announced.is_some()
                        && let Some(socket) = &self.socket
                    {
                        // A request that crossed the announcement is served in no more of a hurry than any other.
                        let _ = socket.set_tick(TICK);
                    }
                    silence = Silence::default();
                }
                // The answer to the announcement, or the server's own decision.
                Received::Eof | Received::Broken if between && announced => {
                    return Wait::Leave { idle: silence.idle && !gate::is_stopping() };
                }
                Received::Eof | Received::Broken if between => return Wait::Eof,
                Received::Eof | Received::Broken => return Wait::CutShort(self.filled().len()),
                Received::Tick | Received::Interrupted => {
                    silence.note(received);
                    if let Some(wait) = self.look_around(between, &mut silence) {
                        if waiting {
                            gate::leave_waiting();
                        }
                        return wait;
                    }
                }
            }
        }
    }

    /// An empty tick: is there a reason not to wait any longer?
    fn look_around(&self, between: bool, silence: &mut Silence) -> Option<Wait> {
        log::tick();
        let silent = silence.so_far();
        if !between {
            let timed_out = silent >= self.limits.header_timeout;
            return timed_out.then(|| Wait::HeaderTimeout(self.filled().len()));
        }
        let stopping = gate::must_leave();
        silence.idle |= self.limits.max_idle.is_some_and(|limit| silent >= limit);
        if stopping || silence.idle || gate::is_released() {
            gate::announce_close();
        }
        if !gate::is_announced() {
            return None;
        }
        match silence.announced {
            // From here on the peer has half a second to close, or to say that its request was on the way.
            None => {
                silence.announced = Some(Instant::now());
                if let Some(socket) = &self.socket {
                    let _ = socket.set_tick(LEAVE_AFTER);
                }
                None
            }
            Some(at) => {
                (at.elapsed() >= LEAVE_AFTER).then_some(Wait::Leave { idle: silence.idle && !stopping })
            }
        }
    }
}
