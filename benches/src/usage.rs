//! What a runtime does with a request before it can call the application: it looks at every byte that becomes a variable.

use lsapi::{BeginRequest, DecodeError, limits::MAX_REQUEST_PACKET};
use std::hint::black_box;

/// Decodes `bytes` into a usable request: checks the packet, reads every variable, known and unknown header and the four
/// strings, and settles the body length. The sum of all lengths is returned, so that nothing of it can be left out.
///
/// # Errors
/// As for [`BeginRequest::decode`].
#[inline]
pub fn use_request(bytes: &[u8]) -> Result<usize, DecodeError> {
    let request = BeginRequest::decode(bytes, MAX_REQUEST_PACKET)?;
    let mut seen = 0;
    let mut see = |bytes: &[u8]| seen += black_box(bytes).len();
    for entry in request.env() {
        see(entry.key());
        see(entry.value());
    }
    for (header, value) in request.known_headers().iter() {
        see(header.cgi_name().as_bytes());
        see(value);
    }
    for header in request.unknown_headers().iter() {
        see(header.name);
        see(header.value);
    }
    let strings =
        [request.script_filename(), request.script_name(), request.query_string(), request.request_method()];
    strings.into_iter().flatten().for_each(see);
    black_box(request.body_length());
    Ok(seen)
}
