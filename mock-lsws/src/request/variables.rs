//! The variables of a request, in the order of the real server (lsapi 4.2.1).

use super::Addresses;
use super::mapping::Split;
use crate::http::RequestHead;

/// LSWS_EDITION of the server that is imitated.
const EDITION: &[u8] = b"Openlitespeed 1.9.1";

/// SERVER_SOFTWARE of the server that is imitated.
const SOFTWARE: &[u8] = b"LiteSpeed/1.9.1 Open";

/// X-LSCACHE of the server that is imitated.
const CACHE: &[u8] = b"on,crawler";

/// What the server knows of a request, beyond what the client said.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) addresses: Addresses,
    /// What its mapping made of the path.
    pub(crate) split: Split,
    pub(crate) server_admin: &'a str,
    pub(crate) https: bool,
    /// The user whose password the server has checked.
    pub(crate) user: Option<&'a [u8]>,
    /// Variables the configuration adds.
    pub(crate) added: &'a [(String, Vec<u8>)],
    /// Where an internal redirect has led it.
    pub(crate) redirected: Option<Redirected<'a>>,
}

/// An internal redirect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Redirected<'a> {
    /// QUERY_STRING of the new target.
    pub(crate) query: &'a [u8],
}

/// Name and value.
pub(super) type Variable = (String, Vec<u8>);

/// All variables. A name may come twice: then the later value counts, in the place of the earlier.
pub(super) fn variables(
    head: &RequestHead,
    protocol: &str,
    method: &[u8],
    facts: &Facts<'_>,
) -> Vec<Variable> {
    let uri = head.origin_form();
    let (path, query) = split_query(uri);
    let mut all = Vec::with_capacity(24);
    let mut put = |key: &str, value: &[u8]| all.push((key.to_owned(), value.to_vec()));
    if let Some(user) = facts.user {
        put("AUTH_TYPE", b"Basic");
        put("REMOTE_USER", user);
    }
    let split = &facts.split;
    if let Some(root) = &split.document_root {
        put("DOCUMENT_ROOT", root);
    }
    let Addresses { client, server } = &facts.addresses;
    put("REMOTE_ADDR", client.ip().to_canonical().to_string().as_bytes());
    put("REMOTE_PORT", client.port().to_string().as_bytes());
    put("SERVER_ADDR", server.ip().to_canonical().to_string().as_bytes());
    put("SERVER_NAME", &server_name(head));
    put("SERVER_ADMIN", facts.server_admin.as_bytes());
    put("SERVER_PORT", server.port().to_string().as_bytes());
    put("REQUEST_URI", uri);
    if let Some(info) = &split.path_info {
        put("PATH_INFO", info);
    }
    if let Some(translated) = &split.path_translated {
        put("PATH_TRANSLATED", translated);
    }
    // Left out in a Python context, as all that is said about the document root.
    if facts.redirected.is_some() && split.document_root.is_some() {
        put("REDIRECT_STATUS", b"200");
        put("REDIRECT_URL", path);
        if !query.is_empty() {
            put("REDIRECT_QUERY_STRING", query);
        }
    }
    if facts.https {
        put("HTTPS", b"on");
    }
    for (key, value) in facts.added {
        put(key, value);
    }
    if facts.user.is_some() {
        put("HttpAuth", b"1");
    }
    put("LSWS_EDITION", EDITION);
    put("X-LSCACHE", CACHE);
    if let Some(file) = &split.script_filename {
        put("SCRIPT_FILENAME", file);
    }
    put("QUERY_STRING", facts.redirected.map_or(query, |redirected| redirected.query));
    put("SCRIPT_NAME", &split.script_name);
    put("SERVER_PROTOCOL", protocol.as_bytes());
    put("SERVER_SOFTWARE", SOFTWARE);
    put("REQUEST_METHOD", method);
    all
}

/// Path and query of an origin-form target.
pub(crate) fn split_query(origin: &[u8]) -> (&[u8], &[u8]) {
    match origin.iter().position(|&byte| byte == b'?').and_then(|at| origin.split_at_checked(at)) {
        Some((path, query)) => (path, query.get(1..).unwrap_or_default()),
        None => (origin, b""),
    }
}

/// Host without its port, in lower case; empty without Host.
fn server_name(head: &RequestHead) -> Vec<u8> {
    let host = head.field("host").unwrap_or_default().to_ascii_lowercase();
    let bracket = host.iter().rposition(|&byte| byte == b']').map_or(0, |at| at + 1);
    let port = host.iter().skip(bracket).position(|&byte| byte == b':');
    let end = port.map_or(host.len(), |at| bracket + at);
    host.get(..end).unwrap_or_default().to_vec()
}
