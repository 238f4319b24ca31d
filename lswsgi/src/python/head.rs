//! What an application may put into a response head (PEP 3333, "The start_response() Callable").
//!
//! A real server passes header lines on as they are, line breaks included, so whatever must not reach a client is stopped
//! here. What a server acts on is passed on as it was given: `Status` replaces the status, and a 200 with `Location: /path`,
//! or `X-LiteSpeed-Location` with any status, is an internal redirect, of which the client sees nothing. Messages name the header and never its value, which may be a secret.

use lsapi::ResponseHead;
use lsapi::limits::MAX_RESPONSE_HEADERS;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};

use super::text::as_latin1;

/// Headers that belong to the connection, which is the server's.
const HOP_BY_HOP: [&[u8]; 9] = [
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"trailers",
    b"transfer-encoding",
    b"upgrade",
];

/// Whether the server passes a status code on. Others it replaces by 200 (lsapi 4.3.2).
pub(super) const fn is_known_status(code: u16) -> bool {
    matches!(code, 200..=208 | 300..=308 | 400..=451 | 500..=510)
}

/// Which bytes may be in a header name: the token characters of RFC 9110.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 255")]
        let c = byte as u8;
        table[byte] = c.is_ascii_alphanumeric()
            || matches!(
                c,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| TOKEN[usize::from(byte)])
}

/// Header values and reason phrases: no control characters but the tab, which is white space there.
fn is_field_text(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}

/// The code of a status such as `404 Not Found`.
pub(super) fn status_code(status: &Bound<'_, PyAny>) -> PyResult<u16> {
    let text = status.cast::<PyString>().map_err(|_| type_error("the status", "str", status))?;
    let refuse = |why: &str| Err(PyValueError::new_err(format!("status {} {why}", text.repr()?)));
    let Some(bytes) = as_latin1(text)? else { return refuse("has characters outside latin-1") };
    let [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', reason @ ..] = bytes else {
        return refuse("is not a three-digit code, a space and a reason phrase");
    };
    if !is_field_text(reason) {
        return refuse("has control characters");
    }
    let digit = |byte: &u8| u16::from(byte - b'0');
    let code = 100 * digit(a) + 10 * digit(b) + digit(c);
    if code < 200 {
        return refuse("is not a final response; interim responses are the server's to send");
    }
    Ok(code)
}

/// Checks `headers` and adds them to `head`. Returns the length of the body if they declare it.
pub(super) fn put_headers(headers: &Bound<'_, PyAny>, head: &mut ResponseHead) -> PyResult<Option<u64>> {
    let headers = headers.cast_exact::<PyList>().map_err(|_| type_error("the headers", "list", headers))?;
    if headers.len() > MAX_RESPONSE_HEADERS {
        let count = headers.len();
        let message = format!("{count} response headers cannot be sent: the limit is {MAX_RESPONSE_HEADERS}");
        return Err(PyValueError::new_err(message));
    }
    let mut declared = None;
    for item in headers.iter() {
        let pair = item
            .cast::<PyTuple>()
            .map_err(|_| type_error("a response header", "(name, value) tuple", &item))?;
        if pair.len() != 2 {
            let message = format!("a response header is a tuple of two, not of {}", pair.len());
            return Err(PyValueError::new_err(message));
        }
        let (name, value) = (pair.get_borrowed_item(0)?, pair.get_borrowed_item(1)?);
        let name =
            name.cast::<PyString>().map_err(|_| type_error("a response header's name", "str", &name))?;
        let refuse =
            |why: &str| Err(PyValueError::new_err(format!("response header {} {why}", name.repr()?)));
        let Ok(value) = value.cast::<PyString>() else {
            let kind = value.get_type().name()?;
            return Err(PyTypeError::new_err(format!(
                "the value of response header {} must be str, not {kind}",
                name.repr()?
            )));
        };
        let Some(name_bytes) = as_latin1(&name)?.filter(|name| is_token(name)) else {
            return refuse("has a name that HTTP does not allow");
        };
        let Some(value_bytes) = as_latin1(&value)? else {
            return refuse("has a value with characters outside latin-1");
        };
        if !is_field_text(value_bytes) {
            return refuse("has a value with control characters");
        }
        if name_bytes.eq_ignore_ascii_case(b"content-length") {
            if declared.is_some() {
                return refuse("is there twice");
            }
            // Anything else would leave the server, which counts in 64 bits with a sign, waiting for a response it cannot measure.
            let text = std::str::from_utf8(value_bytes).ok();
            declared = text
                .and_then(|text| text.trim().parse().ok())
                .filter(|&length: &u64| i64::try_from(length).is_ok());
            if declared.is_none() || !value_bytes.trim_ascii().iter().all(u8::is_ascii_digit) {
                return refuse("is not a number of bytes");
            }
        } else if is_hop_by_hop(name_bytes) {
            return refuse("belongs to the connection, which is the server's");
        }
        if let Err(limit) = head.push(name_bytes, value_bytes) {
            return refuse(&format!("cannot be sent: {limit}"));
        }
    }
    Ok(declared)
}

fn is_hop_by_hop(name: &[u8]) -> bool {
    HOP_BY_HOP.iter().any(|hop| hop.len() == name.len() && hop.eq_ignore_ascii_case(name))
}

fn type_error(what: &str, wanted: &str, got: &Bound<'_, PyAny>) -> PyErr {
    let kind = got.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("{what} must be a {wanted}, not {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tokens_and_values_have_no_line_breaks() {
        assert!(is_token(b"X-Foo_bar.1~"));
        for name in [&b""[..], b"a b", b"a:b", b"a\nb", b"\xe9", b"(x)"] {
            assert!(!is_token(name), "{name:?}");
        }
        assert!(is_field_text(b"text/plain; a=\"\xe9\"\tb"));
        for value in [&b"a\r"[..], b"a\nb", b"\0", b"\x7f"] {
            assert!(!is_field_text(value), "{value:?}");
        }
    }

    #[test]
    fn hop_by_hop_names_are_known_in_any_case() {
        assert!(is_hop_by_hop(b"Transfer-Encoding"));
        assert!(is_hop_by_hop(b"CONNECTION"));
        assert!(!is_hop_by_hop(b"Content-Type"));
    }
}
