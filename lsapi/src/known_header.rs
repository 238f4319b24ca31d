//! The 25 request headers that have a slot of their own in BEGIN_REQUEST.

/// A header with a fixed place in the request's header index. The discriminant is that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "each variant is the HTTP header of that name")]
pub enum KnownHeader {
    Accept,
    AcceptCharset,
    AcceptEncoding,
    AcceptLanguage,
    Authorization,
    Connection,
    ContentType,
    ContentLength,
    Cookie,
    Cookie2,
    Host,
    Pragma,
    Referer,
    UserAgent,
    CacheControl,
    IfModifiedSince,
    IfMatch,
    IfNoneMatch,
    IfRange,
    IfUnmodifiedSince,
    KeepAlive,
    Range,
    XForwardedFor,
    Via,
    TransferEncoding,
}

/// HTTP name and CGI name of each header, by index.
const NAMES: [(&str, &str); KnownHeader::COUNT] = [
    ("Accept", "HTTP_ACCEPT"),
    ("Accept-Charset", "HTTP_ACCEPT_CHARSET"),
    ("Accept-Encoding", "HTTP_ACCEPT_ENCODING"),
    ("Accept-Language", "HTTP_ACCEPT_LANGUAGE"),
    ("Authorization", "HTTP_AUTHORIZATION"),
    ("Connection", "HTTP_CONNECTION"),
    ("Content-Type", "CONTENT_TYPE"),
    ("Content-Length", "CONTENT_LENGTH"),
    ("Cookie", "HTTP_COOKIE"),
    ("Cookie2", "HTTP_COOKIE2"),
    ("Host", "HTTP_HOST"),
    ("Pragma", "HTTP_PRAGMA"),
    ("Referer", "HTTP_REFERER"),
    ("User-Agent", "HTTP_USER_AGENT"),
    ("Cache-Control", "HTTP_CACHE_CONTROL"),
    ("If-Modified-Since", "HTTP_IF_MODIFIED_SINCE"),
    ("If-Match", "HTTP_IF_MATCH"),
    ("If-None-Match", "HTTP_IF_NONE_MATCH"),
    ("If-Range", "HTTP_IF_RANGE"),
    ("If-Unmodified-Since", "HTTP_IF_UNMODIFIED_SINCE"),
    ("Keep-Alive", "HTTP_KEEP_ALIVE"),
    ("Range", "HTTP_RANGE"),
    ("X-Forwarded-For", "HTTP_X_FORWARDED_FOR"),
    ("Via", "HTTP_VIA"),
    ("Transfer-Encoding", "HTTP_TRANSFER_ENCODING"),
];

impl KnownHeader {
    /// How many there are.
    pub const COUNT: usize = 25;

    /// All of them, in index order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Accept,
        Self::AcceptCharset,
        Self::AcceptEncoding,
        Self::AcceptLanguage,
        Self::Authorization,
        Self::Connection,
        Self::ContentType,
        Self::ContentLength,
        Self::Cookie,
        Self::Cookie2,
        Self::Host,
        Self::Pragma,
        Self::Referer,
        Self::UserAgent,
        Self::CacheControl,
        Self::IfModifiedSince,
        Self::IfMatch,
        Self::IfNoneMatch,
        Self::IfRange,
        Self::IfUnmodifiedSince,
        Self::KeepAlive,
        Self::Range,
        Self::XForwardedFor,
        Self::Via,
        Self::TransferEncoding,
    ];

    /// Its place in the header index.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The header of this HTTP name, in any case.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|header| header.http_name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The name in an HTTP request, for example `User-Agent`.
    #[must_use]
    pub fn http_name(self) -> &'static str {
        NAMES.get(self.index()).map_or("", |names| names.0)
    }

    /// The name of the CGI variable, for example `HTTP_USER_AGENT`. Content-Type and Content-Length have no `HTTP_`.
    #[must_use]
    pub fn cgi_name(self) -> &'static str {
        NAMES.get(self.index()).map_or("", |names| names.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_and_variants_agree() {
        for (index, header) in KnownHeader::ALL.into_iter().enumerate() {
            assert_eq!(header.index(), index);
            let folded = header.http_name().to_ascii_uppercase().replace('-', "_");
            assert!(
                header.cgi_name() == folded || header.cgi_name() == format!("HTTP_{folded}"),
                "{header:?}"
            );
            assert_eq!(KnownHeader::from_name(header.http_name().to_lowercase().as_bytes()), Some(header));
        }
        assert_eq!(KnownHeader::ContentLength.cgi_name(), "CONTENT_LENGTH");
        assert_eq!(KnownHeader::TransferEncoding.index(), 24);
        assert_eq!(KnownHeader::from_name(b"X-Other"), None);
    }
}
