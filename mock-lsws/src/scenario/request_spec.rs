//! A request as scenarios describe it.

use std::path::Path;

use lsapi::{ByteOrder, RawEnv, RequestBuilder};
use serde::Deserialize;

use super::bytes_spec::{BytesError, BytesSpec};
use super::pairs::Pairs;
use super::raw_overrides::RawOverrides;
use super::template::Template;
use super::vars::Vars;

/// A request: everything has a default, and everything can be said or broken.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSpec {
    /// The method, GET by default.
    method: Option<Template>,
    /// The path with an optional `?query`, `/` by default.
    path: Option<Template>,
    /// Request headers. `Host` is there by default.
    headers: Pairs<BytesSpec>,
    /// Variables, set after the usual ones.
    env: Pairs<BytesSpec>,
    /// Usual variables that are to be missing.
    without_env: Vec<String>,
    /// Special variables; their names start with a control byte.
    special_env: Pairs<BytesSpec>,
    /// The body. Its length is announced in the packet and as Content-Length.
    body: Option<BytesSpec>,
    /// A length to announce for a body that later steps send.
    body_length: Option<u64>,
    /// The byte order of the packet's integers.
    byte_order: Order,
    /// Fields of the packet to set oneself.
    raw: RawOverrides,
}

/// Which way round integers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    /// As this machine does.
    #[default]
    Native,
    /// As a machine of the other kind does.
    Opposite,
}

/// A request could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A value in it could not be made.
    #[error(transparent)]
    Bytes(#[from] BytesError),
    /// A name has no value.
    #[error(transparent)]
    Template(#[from] super::template::TemplateError),
}

impl RequestSpec {
    /// Checks what can be checked before the request is made.
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.body.is_some() && self.body_length.is_some() {
            return Err(
                "`body_length` is for a body that a later step sends; leave it out beside `body`".into()
            );
        }
        self.raw.validate()
    }

    /// The packet and the body. `base_env` are variables the subject needs in every request; `root` is the folder of
    /// all scenarios.
    ///
    /// # Errors
    /// [`RequestError`] names the value that is missing.
    pub fn make(
        &self,
        base_env: &[(String, String)],
        root: &Path,
        vars: &Vars,
    ) -> Result<(Vec<u8>, Vec<u8>), RequestError> {
        let rendered = |template: &Option<Template>, default: &str| match template {
            Some(template) => template.render(vars),
            None => Ok(default.to_owned()),
        };
        let method = rendered(&self.method, "GET")?;
        let path = rendered(&self.path, "/")?;
        let mut builder = RequestBuilder::new(&method, &path);
        for (name, value) in USUAL_ENV {
            builder = builder.env(name, value);
        }
        for (name, value) in base_env {
            builder = builder.env(name, value);
        }
        for (name, value) in &self.env.0 {
            builder = builder.env(name, value.make(root, vars)?);
        }
        for (name, value) in &self.special_env.0 {
            builder = builder.special_env(name, value.make(root, vars)?);
        }
        if !self.headers.0.iter().any(|(name, _)| name.eq_ignore_ascii_case("Host")) {
            builder = builder.header("Host", "example.com");
        }
        for (name, value) in &self.headers.0 {
            builder = builder.header(name, value.make(root, vars)?);
        }
        let body = match &self.body {
            Some(body) => body.make(root, vars)?,
            None => Vec::new(),
        };
        let announced = self.body.as_ref().map(|_| body.len() as u64).or(self.body_length);
        if let Some(len) = announced {
            let has_length =
                self.headers.0.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Length"));
            builder = if has_length {
                builder.raw_body_len(i32::try_from(len).unwrap_or(-2))
            } else {
                builder.body_len(len)
            };
        }
        builder = builder.order(match self.byte_order {
            Order::Native => ByteOrder::NATIVE,
            Order::Opposite => ByteOrder::NATIVE.opposite(),
        });
        let mut raw = builder.build();
        if !self.without_env.is_empty() {
            raw.env.retain(|entry| !self.leaves_out(entry));
            let offset_of = |name: &[u8]| {
                let index = raw.env.iter().position(|entry| entry.key.strip_suffix(b"\0") == Some(name))?;
                raw.env_value_offset(index)
            };
            raw.string_offsets = OFFSET_NAMES.map(|name| offset_of(name.as_bytes()).unwrap_or(0));
        }
        self.raw.apply(&mut raw, root, vars)?;
        Ok((raw.encode(), body))
    }

    fn leaves_out(&self, entry: &RawEnv) -> bool {
        self.without_env.iter().any(|name| entry.key.strip_suffix(b"\0") == Some(name.as_bytes()))
    }
}

/// The variables whose values the packet's four string offsets point at, in that order.
const OFFSET_NAMES: [&str; 4] = ["SCRIPT_FILENAME", "SCRIPT_NAME", "QUERY_STRING", "REQUEST_METHOD"];

/// What a server adds to the request's own variables.
const USUAL_ENV: [(&str, &str); 6] = [
    ("REMOTE_ADDR", "192.0.2.10"),
    ("REMOTE_PORT", "49152"),
    ("SERVER_ADDR", "192.0.2.1"),
    ("SERVER_NAME", "example.com"),
    ("SERVER_PORT", "80"),
    ("SERVER_SOFTWARE", "LiteSpeed/1.9.1 Open"),
];
