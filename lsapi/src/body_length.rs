//! How long the request body is: the meaning of `reqBodyLen`.

use crate::error::{DecodeError, Reason};

/// Offset of `reqBodyLen` in BEGIN_REQUEST.
const AT: usize = 12;

/// The length of the raw body that follows a BEGIN_REQUEST packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// This many bytes follow. 0 is no body, whatever a Content-Length header says.
    Known(u64),
    /// `reqBodyLen` -1: the server streams a chunked upload. De-chunked bytes follow as they arrive, and nothing ever
    /// marks their end.
    Streaming,
    /// `reqBodyLen` -2 ("see Content-Length", for bodies of 2 GiB and more) without a Content-Length that is a number:
    /// how much follows cannot be told.
    Unstated,
}

impl BodyLength {
    pub(crate) fn decode(req_body_len: i32, content_length: Option<&[u8]>) -> Result<Self, DecodeError> {
        match req_body_len {
            -1 => Ok(Self::Streaming),
            -2 => Ok(content_length.and_then(decimal).map_or(Self::Unstated, Self::Known)),
            len => u64::try_from(len)
                .map(Self::Known)
                .map_err(|_| DecodeError::invalid("reqBodyLen", AT, len, Reason::Negative)),
        }
    }

    /// The length in bytes where it is known.
    #[must_use]
    pub const fn known(self) -> Option<u64> {
        match self {
            Self::Known(len) => Some(len),
            Self::Streaming | Self::Unstated => None,
        }
    }
}

/// A decimal number of at least one digit and nothing else; blanks around it are allowed, as around any header value.
fn decimal(text: &[u8]) -> Option<u64> {
    let digits = text.trim_ascii();
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_two_takes_sixty_four_bits_from_content_length() {
        let decode = |text: &[u8]| BodyLength::decode(-2, Some(text)).unwrap();
        assert_eq!(decode(b"3000000000"), BodyLength::Known(3_000_000_000));
        assert_eq!(decode(b" 5 "), BodyLength::Known(5));
        assert_eq!(decode(b"18446744073709551615"), BodyLength::Known(u64::MAX));
        for text in [&b""[..], b"18446744073709551616", b"-1", b"5x", b"+5", b"0x10"] {
            assert_eq!(decode(text), BodyLength::Unstated, "{text:?}");
        }
        assert_eq!(BodyLength::decode(-2, None).unwrap(), BodyLength::Unstated);
    }

    #[test]
    fn req_body_len_wins_over_content_length() {
        assert_eq!(BodyLength::decode(0, Some(b"5")).unwrap(), BodyLength::Known(0));
        assert_eq!(BodyLength::decode(-1, Some(b"5")).unwrap(), BodyLength::Streaming);
    }

    #[test]
    fn other_negative_lengths_are_refused() {
        for len in [-3, i32::MIN] {
            let error = BodyLength::decode(len, None).unwrap_err();
            assert!(error.to_string().starts_with(&format!("reqBodyLen = {len} at offset 12")), "{error}");
        }
    }
}
