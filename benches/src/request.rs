//! Request packets of four sizes.

use lsapi::RequestBuilder;

/// The variables OpenLiteSpeed sends to an LSAPI context, in its order, for a page of a shop.
const ENV: [(&str, &str); 17] = [
    ("DOCUMENT_ROOT", "/home/shop/public_html"),
    ("REMOTE_ADDR", "203.0.113.57"),
    ("REMOTE_PORT", "51724"),
    ("SERVER_ADDR", "198.51.100.12"),
    ("SERVER_NAME", "shop.example.com"),
    ("SERVER_ADMIN", "webmaster@example.com"),
    ("SERVER_PORT", "443"),
    ("REQUEST_URI", "/catalogue/shoes?colour=blue&size=42"),
    ("PATH_INFO", "/catalogue/shoes"),
    ("PATH_TRANSLATED", "/home/shop/public_html/catalogue/shoes"),
    ("LSWS_EDITION", "Openlitespeed 1.9.1"),
    ("X-LSCACHE", "on,crawler"),
    ("QUERY_STRING", "colour=blue&size=42"),
    ("SCRIPT_NAME", ""),
    ("SERVER_PROTOCOL", "HTTP/1.1"),
    ("SERVER_SOFTWARE", "LiteSpeed/1.9.1 Open"),
    ("REQUEST_METHOD", "GET"),
];

/// What a browser sends when a visitor follows a link: seven headers with a slot in the index, then nine without one.
const BROWSER_HEADERS: [(&str, &str); 16] = [
    ("Host", "shop.example.com"),
    ("Connection", "keep-alive"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Referer", "https://shop.example.com/"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en;q=0.9"),
    ("sec-ch-ua", "\"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\""),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", "\"Linux\""),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-User", "?1"),
    ("Sec-Fetch-Dest", "document"),
    ("DNT", "1"),
];

/// The least an application can get: the five variables no request is without, and a Host header.
#[must_use]
pub fn small_request() -> Vec<u8> {
    RequestBuilder::get("/").header("Host", "example.com").encode()
}

/// A typical browser request of about 1.6 kB: 17 variables, seven known headers, nine unknown ones.
#[must_use]
pub fn browser_request() -> Vec<u8> {
    with_headers(BROWSER_HEADERS.iter().map(|(name, value)| (name.to_string(), value.to_string())))
}

/// The browser's variables with 100 unknown headers of 20 bytes each, as an API behind several proxies may see.
#[must_use]
pub fn headers_request() -> Vec<u8> {
    with_headers((0..100).map(|number| (format!("X-Trace-{number:03}"), "0123456789abcdef0123".to_owned())))
}

/// The most header text a server with default limits passes on: a block of 64 kB, in cookie-sized pieces.
#[must_use]
pub fn large_block_request() -> Vec<u8> {
    with_headers((0..16).map(|number| (format!("X-Session-{number:02}"), "v".repeat(4060))))
}

fn with_headers(headers: impl Iterator<Item = (String, String)>) -> Vec<u8> {
    let line = b"GET /catalogue/shoes?colour=blue&size=42 HTTP/1.1";
    let request = ENV.iter().fold(RequestBuilder::bare(), |request, (key, value)| request.env(key, value));
    headers.fold(request.request_line(line), |request, (name, value)| request.header(name, value)).encode()
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsapi::{BeginRequest, limits::MAX_REQUEST_PACKET};

    #[test]
    fn fixtures_have_the_sizes_their_figures_are_quoted_for() {
        let browser = browser_request();
        let request = BeginRequest::decode(&browser, MAX_REQUEST_PACKET).unwrap();
        assert!((1550..1650).contains(&browser.len()), "{} bytes", browser.len());
        assert_eq!((request.env().len(), request.unknown_headers().len()), (17, 9));
        assert_eq!(request.known_headers().iter().count(), 7);

        let headers = headers_request();
        let request = BeginRequest::decode(&headers, MAX_REQUEST_PACKET).unwrap();
        assert_eq!(request.unknown_headers().len(), 100);

        let large = large_block_request();
        let request = BeginRequest::decode(&large, MAX_REQUEST_PACKET).unwrap();
        assert!((65_000..65_536).contains(&request.header_block().len()));
    }
}
