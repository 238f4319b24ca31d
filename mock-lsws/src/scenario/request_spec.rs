//! A request as scenarios describe it.

use std::path::Path;

use lsapi::{ByteOrder, RawEnv};
use serde::Deserialize;

use crate::HttpRequest;

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
        // What every request of a server carries, in its order, comes from the mock server.
        let mut request = HttpRequest::new(method, path);
        if !self.has_header("Host") {
            request = request.header("Host", "example.com");
        }
        for (name, value) in &self.headers.0 {
            request = request.header(name, value.make(root, vars)?);
        }
        let mut builder = request.builder();
        for (name, value) in base_env {
            builder = builder.env(name, value);
        }
        for (name, value) in &self.env.0 {
            builder = builder.env(name, value.make(root, vars)?);
        }
        for (name, value) in &self.special_env.0 {
            builder = builder.special_env(name, value.make(root, vars)?);
        }
        let body = match &self.body {
            Some(body) => body.make(root, vars)?,
            None => Vec::new(),
        };
        let announced = self.body.as_ref().map(|_| body.len() as u64).or(self.body_length);
        if let Some(len) = announced {
            builder = if self.has_header("Content-Length") {
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

    fn has_header(&self, name: &str) -> bool {
        self.headers.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    fn leaves_out(&self, entry: &RawEnv) -> bool {
        self.without_env.iter().any(|name| entry.key.strip_suffix(b"\0") == Some(name.as_bytes()))
    }
}

/// The variables whose values the packet's four string offsets point at, in that order.
const OFFSET_NAMES: [&str; 4] = ["SCRIPT_FILENAME", "SCRIPT_NAME", "QUERY_STRING", "REQUEST_METHOD"];

#[cfg(test)]
mod tests {
    use lsapi::{BeginRequest, BodyLength, limits::MAX_REQUEST_PACKET};

    use super::*;

    fn made(text: &str) -> (Vec<u8>, Vec<u8>) {
        let spec: RequestSpec = toml::from_str(text).unwrap();
        spec.validate().unwrap();
        spec.make(&[], Path::new("."), &Vars::default()).unwrap()
    }

    #[test]
    fn a_request_without_anything_is_a_right_one() {
        let (packet, body) = made("");
        let request = BeginRequest::decode(&packet, MAX_REQUEST_PACKET).unwrap();
        assert_eq!(request.request_method(), Some(&b"GET"[..]));
        assert_eq!(request.env().get(b"PATH_INFO"), Some(&b"/"[..]));
        assert_eq!((request.body_length(), body), (BodyLength::Known(0), Vec::new()));
    }

    #[test]
    fn a_body_is_announced_where_it_belongs() {
        let (packet, body) = made("body = 'hello'");
        let request = BeginRequest::decode(&packet, MAX_REQUEST_PACKET).unwrap();
        assert_eq!((request.body_length(), body.as_slice()), (BodyLength::Known(5), &b"hello"[..]));
        let (packet, body) = made("body_length = 7");
        let request = BeginRequest::decode(&packet, MAX_REQUEST_PACKET).unwrap();
        assert_eq!((request.body_length(), body.len()), (BodyLength::Known(7), 0));
    }

    #[test]
    fn fields_can_be_broken_one_by_one() {
        let right = made("").0;
        for (text, at) in [
            ("raw = { magic = 'XS' }", 0),
            ("raw = { type = 9 }", 2),
            ("raw = { flag = 254 }", 3),
            ("raw = { flag_bits = 0xFF }", 3),
            ("raw = { packet_len = 44 }", 4),
            ("raw = { packet_len_off_by = 1 }", 4),
            ("raw = { http_header_len = -1 }", 8),
            ("raw = { req_body_len = -2 }", 12),
            ("raw = { script_file_off = -1 }", 16),
            ("raw = { script_name_off = -1 }", 20),
            ("raw = { query_string_off = -1 }", 24),
            ("raw = { request_method_off = -1 }", 28),
            ("raw = { cnt_unknown_headers = -1 }", 32),
            ("raw = { cnt_env = -1 }", 36),
            ("raw = { cnt_special_env = -1 }", 40),
            ("raw = { special_env_terminator = { hex = '00000001' } }", 47),
        ] {
            let broken = made(text).0;
            assert_eq!(broken.len(), right.len(), "{text}");
            assert_eq!(right.iter().zip(&broken).position(|(a, b)| a != b), Some(at), "{text}");
        }
    }
}
