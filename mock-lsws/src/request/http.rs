//! A request as an HTTP client would make it, and its BEGIN_REQUEST.

use std::net::{Ipv4Addr, SocketAddr};

use lsapi::RawRequest;

use super::begin::{Begin, BodyState};
use super::mapping::Mapping;
use super::path::DecodedPath;
use super::variables::{Facts, split_query};
use crate::SuexecSecret;
use crate::http::RequestHead;

/// Both ends of the HTTP connection a request came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client.
    pub client: SocketAddr,
    /// The server, as the client reached it.
    pub server: SocketAddr,
}

impl Default for Addresses {
    /// A client on this machine, and port 80.
    fn default() -> Self {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { client: local(50_000), server: local(80) }
    }
}

/// An HTTP request, with everything the server knows about it.
///
/// ```
/// use mock_lsws::HttpRequest;
///
/// let request = HttpRequest::new("POST", "/form?x=1").header("Host", "Example.COM").body(b"a=b");
/// let packet = request.to_raw().encode();
/// let decoded = lsapi::BeginRequest::decode(&packet, lsapi::limits::MAX_REQUEST_PACKET)?;
/// assert_eq!(decoded.env().get(b"SERVER_NAME"), Some(&b"example.com"[..]));
/// assert_eq!(decoded.body_length(), lsapi::BodyLength::Known(3));
/// # Ok::<(), lsapi::DecodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    method: String,
    target: Vec<u8>,
    version: String,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    addresses: Addresses,
    mapping: Mapping,
    server_admin: String,
    https: bool,
    remote_user: Option<String>,
    added: Vec<(String, Vec<u8>)>,
    signature: Vec<(Vec<u8>, Vec<u8>)>,
}

impl HttpRequest {
    /// A request for `target`, a path with an optional query, or a whole URL as proxies get it.
    pub fn new(method: impl Into<String>, target: impl Into<Vec<u8>>) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            version: "HTTP/1.1".into(),
            headers: Vec::new(),
            body: Vec::new(),
            addresses: Addresses::default(),
            mapping: Mapping::default(),
            server_admin: String::new(),
            https: false,
            remote_user: None,
            added: Vec::new(),
            signature: Vec::new(),
        }
    }

    /// Adds a header. Names keep their case, duplicates stay.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().trim_ascii().to_vec()));
        self
    }

    /// Sets the body. A Content-Length header is added at the end unless there is one.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the protocol, `HTTP/1.1` otherwise.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Sets the addresses of the connection it came on.
    #[must_use]
    pub const fn addresses(mut self, addresses: Addresses) -> Self {
        self.addresses = addresses;
        self
    }

    /// Sets the mapping it fell under, [`Mapping::root`] otherwise.
    #[must_use]
    pub fn mapping(mut self, mapping: Mapping) -> Self {
        self.mapping = mapping;
        self
    }

    /// Sets SERVER_ADMIN, which is empty otherwise.
    #[must_use]
    pub fn server_admin(mut self, admin: impl Into<String>) -> Self {
        self.server_admin = admin.into();
        self
    }

    /// Says that it came over TLS.
    #[must_use]
    pub const fn https(mut self, on: bool) -> Self {
        self.https = on;
        self
    }

    /// Says that the server has checked the password of this user. The Authorization header stays.
    #[must_use]
    pub fn remote_user(mut self, user: impl Into<String>) -> Self {
        self.remote_user = Some(user.into());
        self
    }

    /// Adds a variable, as the server's rewrite rules and SetEnv do.
    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.added.push((key.into(), value.into()));
        self
    }

    /// Asks the application to run it as another user, and signs that with the secret both know.
    #[must_use]
    pub fn suexec(mut self, secret: &SuexecSecret, uid: u32, gid: u32) -> Self {
        self.signature = secret.sign(uid, gid).into();
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The body.
    #[must_use]
    pub fn body_bytes(&self) -> &[u8] {
        &self.body
    }

    /// The packet, in parts that can still be changed.
    #[must_use]
    pub fn to_raw(&self) -> RawRequest {
        let mut headers = self.headers.clone();
        let is_length = |(name, _): &(Vec<u8>, Vec<u8>)| name.eq_ignore_ascii_case(b"Content-Length");
        if !self.body.is_empty() && !headers.iter().any(is_length) {
            headers.push((b"Content-Length".to_vec(), self.body.len().to_string().into_bytes()));
        }
        let fields = headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        let head = RequestHead::compose(self.method.as_bytes(), &self.target, fields);
        let (path, _) = split_query(head.origin_form());
        let facts = Facts {
            addresses: self.addresses,
            split: self.mapping.split(&DecodedPath::new(path), false),
            server_admin: &self.server_admin,
            https: self.https,
            user: self.remote_user.as_deref().map(str::as_bytes),
            added: &self.added,
            redirected: None,
        };
        let body = match u64::try_from(self.body.len()) {
            Ok(0) | Err(_) => BodyState::None,
            Ok(length) => BodyState::Declared(length),
        };
        Begin::composed(head, &self.version, &facts).special(self.signature.clone()).to_raw(body)
    }
}
