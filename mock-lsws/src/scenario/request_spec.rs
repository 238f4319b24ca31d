//! A request as scenarios describe it.

use std::path::Path;

use lsapi::limits::MAX_REQUEST_PACKET;
use lsapi::{BeginRequest, ByteOrder, PacketType, RawEnv, RawHeader, RawRequest};
use serde::Deserialize;

use crate::HttpRequest;

use super::bytes_spec::{BytesError, BytesSpec};
use super::filler::fill;
use super::pairs::Pairs;
use super::raw_overrides::RawOverrides;
use super::suexec_spec::SuexecSpec;
use super::template::Template;
use super::vars::Vars;

/// Longest packet that is made, in bytes; longer ones are said to be and need not be sent.
const LONGEST: usize = 64 << 20;

/// Most headers or variables that are made.
const MOST_ENTRIES: usize = 1_000_000;

/// A request: everything has a default, and everything can be said or broken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
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
    /// Whom it asks to run as: the last of the special variables.
    suexec: Option<SuexecSpec>,
    /// The body. Its length is announced in the packet and as Content-Length.
    body: Option<BytesSpec>,
    /// A length to announce for a body that later steps send.
    body_length: Option<u64>,
    /// Headers `X-1: 1`, `X-2: 2` and so on, this many.
    more_headers: usize,
    /// Short variables behind the others, until the list has this many entries.
    env_entries: usize,
    /// The length of the packet in bytes: one more header, `X-Filler`, takes the room that is left.
    pad_to: Option<usize>,
    /// A recorded packet, with its body, to send instead of one made here: a file, relative to the folder of all
    /// scenarios. What is changed in it is only what `raw` and the subject's own variables change.
    recording: Option<String>,
    /// The byte order of the packet's integers.
    byte_order: Order,
    /// Fields of the packet to set oneself.
    raw: RawOverrides,
}

/// Which way round integers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
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
    /// `raw` is about a part that is not in the packet.
    #[error("the request has no {0} whose fields `raw` could set")]
    Absent(String),
    /// It cannot be padded to be shorter than it is.
    #[error("`pad_to = {len}` is too short: with a filler this request has {shortest} bytes or more")]
    TooShort {
        /// The length asked for.
        len: usize,
        /// The shortest that can be.
        shortest: usize,
    },
    /// So long a packet is not made.
    #[error("`pad_to = {len}` is more than a scenario may make ({LONGEST})")]
    TooLong {
        /// The length asked for.
        len: usize,
    },
    /// A recording is no request.
    #[error("{path} is no BEGIN_REQUEST packet: {source}")]
    Recording {
        /// The file.
        path: String,
        /// Why not.
        source: lsapi::DecodeError,
    },
}

impl RequestSpec {
    /// Checks what can be checked before the request is made.
    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.body.is_some() && self.body_length.is_some() {
            return Err(
                "`body_length` is for a body that a later step sends; leave it out beside `body`".into()
            );
        }
        if self.more_headers > MOST_ENTRIES || self.env_entries > MOST_ENTRIES {
            return Err(format!(
                "a request has at most {MOST_ENTRIES} entries of a kind: no application takes nearly as many"
            ));
        }
        if let Some(recording) = &self.recording {
            let alone = Self { recording: None, raw: RawOverrides::default(), ..self.clone() };
            if alone != Self::default() {
                return Err(format!(
                    "the request is all in `{recording}`: beside `recording` there can only be `raw`"
                ));
            }
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
        let (mut raw, body) = match &self.recording {
            Some(path) => recorded(path, base_env, root)?,
            None => self.laid_out(base_env, root, vars)?,
        };
        self.raw.apply(&mut raw, root, vars)?;
        Ok((raw.encode(), body))
    }

    /// The right packet and the body that the keys other than `raw` describe.
    fn laid_out(
        &self,
        base_env: &[(String, String)],
        root: &Path,
        vars: &Vars,
    ) -> Result<(RawRequest, Vec<u8>), RequestError> {
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
        for number in 1..=self.more_headers {
            request = request.header(format!("X-{number}"), number.to_string());
        }
        let body = match &self.body {
            Some(body) => body.make(root, vars)?,
            None => Vec::new(),
        };
        let announced = self.body.as_ref().map(|_| body.len() as u64).or(self.body_length);
        if let Some(len) = announced.filter(|_| !self.has_header("Content-Length")) {
            request = request.header("Content-Length", len.to_string());
        }
        let mut raw = request.to_raw();
        for (name, value) in base_env {
            set(&mut raw.env, name, value.as_bytes());
        }
        for (name, value) in &self.env.0 {
            set(&mut raw.env, name, &value.make(root, vars)?);
        }
        for (name, value) in &self.special_env.0 {
            raw.special_env.push(RawEnv::new(name.as_bytes(), &value.make(root, vars)?));
        }
        raw.special_env.extend(self.suexec.iter().flat_map(SuexecSpec::entries));
        if let Some(len) = announced {
            raw.req_body_len = i32::try_from(len).unwrap_or(-2);
        }
        raw.order = match self.byte_order {
            Order::Native => ByteOrder::NATIVE,
            Order::Opposite => ByteOrder::NATIVE.opposite(),
        };
        raw.header = RawHeader::new(PacketType::BeginRequest, raw.order);
        raw.env.retain(|entry| !self.leaves_out(entry));
        point_at_values(&mut raw);
        if raw.env.len() < self.env_entries {
            raw.env.resize(self.env_entries, RawEnv::new(b"n", b""));
        }
        if let Some(len) = self.pad_to {
            if len > LONGEST {
                return Err(RequestError::TooLong { len });
            }
            fill(&mut raw, len).map_err(|shortest| RequestError::TooShort { len, shortest })?;
        }
        Ok((raw, body))
    }

    fn has_header(&self, name: &str) -> bool {
        self.headers.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    fn leaves_out(&self, entry: &RawEnv) -> bool {
        self.without_env.iter().any(|name| entry.key.strip_suffix(b"\0") == Some(name.as_bytes()))
    }
}

/// Sets a variable: the existing one in its place, a new one at the end.
fn set(env: &mut Vec<RawEnv>, name: &str, value: &[u8]) {
    let entry = RawEnv::new(name.as_bytes(), value);
    match env.iter_mut().find(|known| known.key == entry.key) {
        Some(known) => *known = entry,
        None => env.push(entry),
    }
}

/// The variables whose values the packet's four string offsets point at, in that order.
const OFFSET_NAMES: [&str; 4] = ["SCRIPT_FILENAME", "SCRIPT_NAME", "QUERY_STRING", "REQUEST_METHOD"];

/// The recorded packet and body in the file `path`. An application that is told its script by the request cannot know the
/// recorded one, so the subject's variables replace those of the recording; without any, not a byte is changed.
fn recorded(
    path: &str,
    base_env: &[(String, String)],
    root: &Path,
) -> Result<(RawRequest, Vec<u8>), RequestError> {
    let bytes = BytesSpec::File(path.to_owned()).make(root, &Vars::default())?;
    let request = BeginRequest::decode(&bytes, MAX_REQUEST_PACKET)
        .map_err(|source| RequestError::Recording { path: path.to_owned(), source })?;
    let mut raw = RawRequest::from(&request);
    let body = bytes.get(request.header().len..).unwrap_or_default().to_vec();
    if !base_env.is_empty() {
        for (name, value) in base_env {
            let entry = RawEnv::new(name.as_bytes(), value.as_bytes());
            match raw.env.iter_mut().find(|known| known.key == entry.key) {
                Some(known) => *known = entry,
                None => raw.env.push(entry),
            }
        }
        raw.padding = None;
        point_at_values(&mut raw);
    }
    Ok((raw, body))
}

/// Lets the string offsets point at the values where they are now.
fn point_at_values(raw: &mut RawRequest) {
    let offset_of = |name: &[u8]| {
        let index = raw.env.iter().position(|entry| entry.key.strip_suffix(b"\0") == Some(name))?;
        raw.env_value_offset(index)
    };
    raw.string_offsets = OFFSET_NAMES.map(|name| offset_of(name.as_bytes()).unwrap_or(0));
}

#[cfg(test)]
mod tests {
    use lsapi::BodyLength;

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
    fn lists_that_only_fill_the_memory_are_refused() {
        let spec: RequestSpec = toml::from_str("env_entries = 1000001").unwrap();
        assert!(spec.validate().unwrap_err().contains("at most 1000000 entries"));
    }

    #[test]
    fn a_packet_is_padded_to_the_byte() {
        let (packet, body) = made("pad_to = 70000\nbody = 'hello'");
        assert_eq!((packet.len(), body.as_slice()), (70_000, &b"hello"[..]));
        BeginRequest::decode(&packet, MAX_REQUEST_PACKET).unwrap();
        let spec: RequestSpec = toml::from_str("pad_to = 100").unwrap();
        let error = spec.make(&[], Path::new("."), &Vars::default()).unwrap_err();
        assert!(error.to_string().starts_with("`pad_to = 100` is too short"), "{error}");
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

    #[test]
    fn entries_of_lists_can_be_broken_by_name() {
        let whole = "headers = { X-A = '1' }\nspecial_env = { OPTION = '1' }";
        let right = made(whole).0;
        let decoded = BeginRequest::decode(&right, MAX_REQUEST_PACKET).unwrap();
        let key_len = right.windows(12).position(|window| window == b"REQUEST_URI\0").unwrap() - 4;
        let name_off = right.len() - decoded.header_block().len() - 16;
        for (raw, at) in [
            ("special_env = { OPTION = { key_len = 0 } }", 45),
            ("special_env = { OPTION = { value_len = 0 } }", 47),
            ("env = { REQUEST_URI = { key_len = 0 } }", key_len + 1),
            ("env = { REQUEST_URI = { value_len = 0 } }", key_len + 3),
            ("unknown = { X-A = { name_off = -1 } }", name_off),
            ("unknown = { X-A = { name_len = -1 } }", name_off + 4),
            ("unknown = { X-A = { value_off = -1 } }", name_off + 8),
            ("unknown = { X-A = { value_len = -1 } }", name_off + 12),
        ] {
            let broken = made(&format!("{whole}\nraw = {{ {raw} }}")).0;
            assert_eq!(broken.len(), right.len(), "{raw}");
            assert_eq!(right.iter().zip(&broken).position(|(a, b)| a != b), Some(at), "{raw}");
        }
        for raw in [
            "env = { NAME = { key_len = 0 } }",
            "special_env = { NAME = { key_len = 0 } }",
            "unknown = { X-B = { name_off = 0 } }",
        ] {
            let spec: RequestSpec = toml::from_str(&format!("raw = {{ {raw} }}")).unwrap();
            let error = spec.make(&[], Path::new("."), &Vars::default()).unwrap_err();
            assert!(matches!(error, RequestError::Absent(_)), "{raw}: {error}");
        }
    }

    #[test]
    fn padding_can_be_filled_whatever_its_length() {
        for len in 0..8 {
            let env = format!("env = {{ K = '{}' }}", "v".repeat(len));
            let (right, filled) = (made(&env).0, made(&format!("{env}\nraw = {{ padding_byte = 0xA5 }}")).0);
            assert_eq!(right.len(), filled.len());
            let request = BeginRequest::decode(&filled, MAX_REQUEST_PACKET).unwrap();
            assert!(request.padding().iter().all(|byte| *byte == 0xA5), "{len}: {:?}", request.padding());
            assert_eq!(request.env().get(b"K").map(<[u8]>::len), Some(len));
        }
    }

    #[test]
    fn lists_can_be_made_long() {
        let packet = made("more_headers = 600\nenv_entries = 8192").0;
        let request = BeginRequest::decode(&packet, MAX_REQUEST_PACKET).unwrap();
        assert_eq!(request.env().iter().count(), 8192);
        assert_eq!(request.unknown_headers().entries().count(), 600);
        assert!(packet.len() < 100_000, "{}", packet.len());
    }

    #[test]
    fn a_recording_is_sent_as_it_is_but_for_the_variables_of_the_subject() {
        let recordings = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios"));
        let spec: RequestSpec = toml::from_str("recording = 'recordings/wsgi-post.bin'").unwrap();
        let bytes = std::fs::read(recordings.join("recordings/wsgi-post.bin")).unwrap();
        let (packet, body) = spec.make(&[], recordings, &Vars::default()).unwrap();
        assert_eq!([packet.as_slice(), body.as_slice()].concat(), bytes);
        let script = [("SCRIPT_FILENAME".to_owned(), "/srv/a.php".to_owned())];
        let (packet, _) = spec.make(&script, recordings, &Vars::default()).unwrap();
        let request = BeginRequest::decode(&packet, MAX_REQUEST_PACKET).unwrap();
        assert_eq!(request.script_filename(), Some(&b"/srv/a.php"[..]));
        assert_eq!(request.request_method(), Some(&b"POST"[..]));

        let spec: RequestSpec = toml::from_str("recording = 'x.bin'\npath = '/a'").unwrap();
        assert!(spec.validate().unwrap_err().contains("there can only be `raw`"));
    }
}
