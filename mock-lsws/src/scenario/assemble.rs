//! A response from packets that were read one by one.

use std::time::Duration;

use crate::response::ResponseBuilder;
use crate::{End, Packet, Response};

/// Puts together the response that `packets` are, judged as one that was read at once. `started` is when reading it began,
/// `end` how it ended.
#[must_use]
pub fn assemble(started: Duration, packets: impl IntoIterator<Item = Packet>, end: End) -> Response {
    let mut response = ResponseBuilder::new(started);
    for packet in packets {
        response.push(&packet);
    }
    response.finish(end)
}
