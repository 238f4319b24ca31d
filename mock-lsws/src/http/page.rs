//! The server's own pages: for errors, and for redirects it makes itself.

use crate::reply::reason_phrase;

/// A page, and how it is sent.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    /// Whether the connection may stay open: not where the client or the server has lost its way.
    pub(super) keeps_connection: bool,
}

impl Page {
    pub(super) fn new(status: u16) -> Self {
        let mut headers = vec![(b"content-type".to_vec(), b"text/html".to_vec())];
        if status >= 400 {
            headers.push((b"cache-control".to_vec(), b"private, no-cache, max-age=0".to_vec()));
            headers.push((b"pragma".to_vec(), b"no-cache".to_vec()));
        }
        Self {
            headers,
            body: body(status),
            keeps_connection: matches!(status, 301 | 401 | 403 | 404 | 405 | 416),
        }
    }
}

/// The text, as long as the real server's where that was measured: clients that show or count it see no difference.
fn body(status: u16) -> Vec<u8> {
    let reason = reason_phrase(status);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{status} {reason}</title></head>\n\
         <body>\n<h1>{status}</h1>\n<h2>{reason}</h2>\n<p>{}</p>\n</body>\n</html>\n",
        sentence(status)
    );
    if let Some(len) = measured(status) {
        // The padding is a comment, so that it shows nowhere.
        let (open, close) = ("<!--", "-->\n");
        let blanks = len.saturating_sub(page.len() + open.len() + close.len());
        page.push_str(open);
        page.extend(std::iter::repeat_n(' ', blanks));
        page.push_str(close);
    }
    page.into_bytes()
}

/// Length of the real server's page.
const fn measured(status: u16) -> Option<usize> {
    match status {
        301 => Some(818),
        500 => Some(798),
        503 => Some(805),
        _ => None,
    }
}

const fn sentence(status: u16) -> &'static str {
    match status {
        301 => "This page lives at another address; your browser should take you there.",
        400 => "This server could not make sense of the request.",
        401 => "Please log in to see this page.",
        403 => "You may not see what is here.",
        404 => "There is nothing at this address.",
        405 => "What is here cannot be used with this method.",
        408 => "The request took too long to arrive.",
        413 => "The request is larger than this server accepts.",
        414 => "The address is longer than this server accepts.",
        416 => "The requested part lies outside the file.",
        431 => "The headers of the request are larger than this server accepts.",
        500 => "The application answered with something this server could not use.",
        501 => "This server does not know how to do that.",
        503 => "The application does not answer right now. Please try again in a while.",
        505 => "This server does not speak that version of HTTP.",
        _ => "The request could not be answered.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_as_long_as_those_that_were_measured() {
        for (status, len) in [(301, 818), (500, 798), (503, 805)] {
            assert_eq!(Page::new(status).body.len(), len, "{status}");
        }
    }

    #[test]
    fn a_client_that_lost_its_way_is_let_go() {
        for (status, keeps) in
            [(400, false), (413, false), (500, false), (503, false), (404, true), (301, true)]
        {
            assert_eq!(Page::new(status).keeps_connection, keeps, "{status}");
        }
    }
}
