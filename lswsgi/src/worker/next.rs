//! Taking the next request off a connection, and acknowledging it.

use std::os::fd::AsFd as _;

use lsapi::{BeginRequest, BodyLength, DecodeError, REQ_RECEIVED, ServerPacket};

use crate::log;
use crate::worker::answer;
use crate::worker::inbound::{Inbound, Wait};

/// What a wait for the next request brought.
#[expect(clippy::large_enum_variant, reason = "moved once per request; boxing would allocate as often")]
pub(super) enum Next<'a> {
    Request { request: BeginRequest<'a>, announced: bool },
    ConnectionEnded,
    Leave { idle: bool },
}

/// Waits for a request on the connection and acknowledges it, if that is to be done. Runs without the GIL, so that the
/// acknowledgement never waits for another thread of the application.
pub(super) fn next_request(inbound: &mut Inbound, is_acknowledged: bool) -> Next<'_> {
    let announced = match wait_request(inbound) {
        Ok(announced) => announced,
        Err(NoRequest::ConnectionEnded) => return Next::ConnectionEnded,
        Err(NoRequest::Leave { idle }) => return Next::Leave { idle },
    };
    match request(inbound) {
        Some(request) if acknowledge(inbound, &request, is_acknowledged) => {
            Next::Request { request, announced }
        }
        _ => Next::ConnectionEnded,
    }
}

/// Why there is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRequest {
    ConnectionEnded,
    Leave { idle: bool },
}

/// Waits for a packet. Returns whether the end of the connection has been announced.
///
/// # Errors
/// When none will come.
pub(crate) fn wait_request(inbound: &mut Inbound) -> Result<bool, NoRequest> {
    match inbound.wait_packet() {
        Wait::Ready { announced } => return Ok(announced),
        Wait::Leave { idle } => return Err(NoRequest::Leave { idle }),
        Wait::Eof => {}
        Wait::CutShort(have) => {
            log::info(format_args!(
                "closing the connection: it ended after {have} bytes of a request packet"
            ));
        }
        Wait::HeaderTimeout(have) => {
            log::warning(format_args!(
                "closing the connection: {have} bytes of a request packet came, and no more for the header timeout"
            ));
        }
    }
    Err(NoRequest::ConnectionEnded)
}

/// The request in the packet that has come, if there is one in it.
pub(crate) fn request(inbound: &Inbound) -> Option<BeginRequest<'_>> {
    match inbound.packet() {
        Ok(ServerPacket::BeginRequest(request)) => return Some(request),
        Ok(ServerPacket::AbortRequest) => {
            log::debug(format_args!(
                "the server ended the connection: the client of its last request is gone"
            ));
        }
        Err(DecodeError::Invalid(invalid)) => {
            log::error(format_args!("closing the connection: not an LSAPI request: {invalid}"));
        }
        Err(DecodeError::Incomplete { need }) => {
            log::error(format_args!("closing the connection: {need} bytes of a request packet did not come"));
        }
    }
    None
}

/// Tells the server that its request has arrived. If that cannot be told, the request must not run: the server will send
/// it again.
fn acknowledge(inbound: &Inbound, request: &BeginRequest<'_>, say: bool) -> bool {
    let Some(socket) = inbound.socket() else { return false };
    answer::begin(socket.as_fd(), request.body_length() != BodyLength::Known(0));
    if !say {
        return true;
    }
    let sent = match socket.send_now(&REQ_RECEIVED) {
        Ok(sent) if sent == REQ_RECEIVED.len() => Ok(()),
        Ok(sent) => socket.send_all(&REQ_RECEIVED[sent..]),
        Err(errno) => Err(errno),
    };
    if let Err(errno) = sent {
        answer::end();
        log::debug(format_args!("dropping a request whose server is gone: {errno}"));
    }
    sent.is_ok()
}
