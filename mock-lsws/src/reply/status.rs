//! The statuses the server knows.

/// The reason phrase the server writes for `status`, whatever the application said. `None`: the server does not know the
/// status, and takes it for 200 (lsapi 4.3.2).
const fn known(status: u16) -> Option<&'static str> {
    Some(match status {
        100 => "Continue",
        101 => "Switching Protocols",
        102 => "Processing",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        207 => "Multi-Status",
        208 => "Already Reported",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "reauthentication required",
        419 => "proxy reauthentication required",
        420 => "Policy Not Fulfilled",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        440 => "Client session has expired",
        449 => "Retry With",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Insufficient Resource",
        509 => "Bandwidth Limit Exceeded",
        510 => "Not Extended",
        // Known, and without a phrase.
        306 | 400..=451 => "",
        _ => return None,
    })
}

/// The reason phrase of a status, empty for one the server does not know.
pub(crate) fn reason_phrase(status: u16) -> &'static str {
    known(status).unwrap_or_default()
}

/// What the server makes of a status an application gave: itself if it knows it, 200 otherwise.
pub(super) fn accepted(status: i32) -> u16 {
    u16::try_from(status).ok().filter(|&status| known(status).is_some()).unwrap_or(200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_does_not_know_becomes_200() {
        for status in [0, -1, 103, 226, 299, 452, 511, 599, 600, 999, 65_736] {
            assert_eq!(accepted(status), 200, "{status}");
        }
        for status in [102, 200, 203, 404, 418, 430, 444, 451, 508, 510] {
            assert_eq!(i32::from(accepted(status)), status);
        }
        assert_eq!((reason_phrase(418), reason_phrase(444)), ("reauthentication required", ""));
    }
}
