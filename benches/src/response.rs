//! The response the codec benches encode and decode: six headers and a page.

use lsapi::{HeadError, REQ_RECEIVED, RESP_END, ResponseHead, put_stream};

/// A body of 4 kB, one RESP_STREAM packet.
pub const BODY: [u8; 4096] = [b'x'; 4096];

const HEADERS: [(&str, &str); 6] = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Length", "4096"),
    ("X-Frame-Options", "DENY"),
    ("Vary", "Cookie, Accept-Language"),
    ("Cache-Control", "private, max-age=0"),
    ("Set-Cookie", "session=0123456789abcdef0123456789abcdef; Path=/; HttpOnly; Secure; SameSite=Lax"),
];

/// Puts the headers of the response into `head`, forgetting what was in it.
///
/// # Errors
/// None with these headers; the caller need not know that.
pub fn response_head(head: &mut ResponseHead) -> Result<(), HeadError> {
    head.clear();
    HEADERS.iter().try_for_each(|(name, value)| head.push(name.as_bytes(), value.as_bytes()))
}

/// Writes everything an application says to one request into `out`, forgetting what was in it.
///
/// # Errors
/// As for [`response_head`].
pub fn encode_response(head: &mut ResponseHead, out: &mut Vec<u8>) -> Result<(), HeadError> {
    out.clear();
    out.extend_from_slice(&REQ_RECEIVED);
    response_head(head)?;
    head.encode(200, out)?;
    put_stream(&BODY, out);
    out.extend_from_slice(&RESP_END);
    Ok(())
}
