//! A request as an HTTP client would make it, and its BEGIN_REQUEST.

use std::net::{Ipv4Addr, SocketAddr};

use lsapi::{RawRequest, RequestBuilder};

use super::mapping::Mapping;
use super::path;

/// LSWS_EDITION of the server that is imitated.
const EDITION: &str = "Openlitespeed 1.9.1";

/// SERVER_SOFTWARE of the server that is imitated.
const SOFTWARE: &str = "LiteSpeed/1.9.1 Open";

/// X-LSCACHE of the server that is imitated.
const CACHE: &str = "on,crawler";

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

    /// The first value of a header, its name in any case.
    fn first(&self, name: &str) -> Option<&[u8]> {
        let named = |(known, _): &&(Vec<u8>, Vec<u8>)| known.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().find(named).map(|(_, value)| value.as_slice())
    }

    /// The packet, in parts that can still be changed.
    #[must_use]
    pub fn to_raw(&self) -> RawRequest {
        self.builder().build()
    }

    /// The packet as a builder, for what has to be added or put in another order.
    #[must_use]
    pub fn builder(&self) -> RequestBuilder {
        let origin = origin_form(&self.target);
        let query_at = origin.iter().position(|&byte| byte == b'?');
        let (raw_path, query) = match query_at.and_then(|at| origin.split_at_checked(at)) {
            Some((path, query)) => (path, query.get(1..).unwrap_or_default()),
            None => (origin, &[][..]),
        };
        let split = self.mapping.split(&path::decode(raw_path));

        let mut variables: Vec<(&str, Vec<u8>)> = Vec::new();
        let mut put = |key, value: &[u8]| variables.push((key, value.to_vec()));
        if let Some(user) = &self.remote_user {
            put("AUTH_TYPE", b"Basic");
            put("REMOTE_USER", user.as_bytes());
        }
        if let Some(root) = &split.document_root {
            put("DOCUMENT_ROOT", root);
        }
        let Addresses { client, server } = &self.addresses;
        put("REMOTE_ADDR", client.ip().to_string().as_bytes());
        put("REMOTE_PORT", client.port().to_string().as_bytes());
        put("SERVER_ADDR", server.ip().to_string().as_bytes());
        put("SERVER_NAME", &self.server_name());
        put("SERVER_ADMIN", self.server_admin.as_bytes());
        put("SERVER_PORT", server.port().to_string().as_bytes());
        put("REQUEST_URI", origin);
        if let Some(info) = &split.path_info {
            put("PATH_INFO", info);
        }
        if let Some(translated) = &split.path_translated {
            put("PATH_TRANSLATED", translated);
        }
        if self.https {
            put("HTTPS", b"on");
        }
        for (key, value) in &self.added {
            put(key, value);
        }
        put("LSWS_EDITION", EDITION.as_bytes());
        put("X-LSCACHE", CACHE.as_bytes());
        if let Some(file) = &split.script_filename {
            put("SCRIPT_FILENAME", file);
        }
        put("QUERY_STRING", query);
        put("SCRIPT_NAME", &split.script_name);
        put("SERVER_PROTOCOL", self.version.as_bytes());
        put("SERVER_SOFTWARE", SOFTWARE.as_bytes());
        put("REQUEST_METHOD", self.method.as_bytes());

        let builder =
            variables.into_iter().fold(self.head(), |builder, (key, value)| builder.env(key, value));
        // Bodies of 2 GiB and more do not fit the field: -2 sends the application to Content-Length.
        builder.raw_body_len(i32::try_from(self.body.len()).unwrap_or(-2))
    }

    /// The header block. It says HTTP/1.1 whatever the client said, as the server's does.
    fn head(&self) -> RequestBuilder {
        let line = [self.method.as_bytes(), b" ", &self.target, b" HTTP/1.1"].concat();
        let mut builder = RequestBuilder::bare().request_line(&line);
        let mut hosts = 0;
        for (name, value) in &self.headers {
            if !name.eq_ignore_ascii_case(b"Host") {
                builder = builder.header(name, value);
                continue;
            }
            hosts += 1;
            // A further Host is kept out of the way of the first.
            let name = if hosts == 1 { name.as_slice() } else { b"Hos2" };
            builder = builder.header(name, value.to_ascii_lowercase());
        }
        if !self.body.is_empty() && self.first("Content-Length").is_none() {
            builder = builder.header("Content-Length", self.body.len().to_string());
        }
        builder
    }

    /// Host without its port, in lower case; empty without Host.
    fn server_name(&self) -> Vec<u8> {
        let host = self.first("Host").unwrap_or_default().to_ascii_lowercase();
        let bracket = host.iter().rposition(|&byte| byte == b']').map_or(0, |at| at + 1);
        let port = host.iter().skip(bracket).position(|&byte| byte == b':');
        let end = port.map_or(host.len(), |at| bracket + at);
        host.get(..end).unwrap_or_default().to_vec()
    }
}

/// The path and query of a target that may be a whole URL.
fn origin_form(target: &[u8]) -> &[u8] {
    let is_absolute = |scheme: &[u8]| {
        let start = target.get(..scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then(|| target.get(scheme.len()..))?
    };
    let Some(rest) = is_absolute(b"http://").or_else(|| is_absolute(b"https://")) else { return target };
    let path = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
    path.and_then(|at| rest.get(at..)).unwrap_or(b"/")
}
