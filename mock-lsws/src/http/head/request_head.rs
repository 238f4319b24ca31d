//! The head of one request, with its bytes as they came.

use std::ops::Range;

use super::framing::BodyLength;
use super::refusal::Refusal;

/// The head of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestHead {
    /// Request line, fields and the empty line, byte for byte, but for folded lines: their line ends are spaces.
    pub(crate) raw: Vec<u8>,
    /// Method, in `raw`.
    pub(crate) method: Range<usize>,
    /// Target as it came, in `raw`.
    pub(crate) target: Range<usize>,
    /// Minor version: 0 or 1.
    pub(crate) minor: u8,
    /// Name and trimmed value of each field, in `raw`, in order.
    pub(crate) fields: Vec<(Range<usize>, Range<usize>)>,
    /// Of the body.
    pub(crate) body: BodyLength,
    /// Whether the client keeps the connection.
    pub(crate) keep_alive: bool,
    /// Whether it waits for 100 Continue.
    pub(crate) expects_continue: bool,
}

impl RequestHead {
    /// A head made of its parts, which are not checked: a test may want wrong ones. Its body is announced by whoever sends
    /// it.
    pub(crate) fn compose<'a>(
        method: &[u8],
        target: &[u8],
        fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Self {
        let mut raw = Vec::new();
        let put = |raw: &mut Vec<u8>, part: &[u8], end: &[u8]| {
            let start = raw.len();
            raw.extend_from_slice(part);
            let range = start..raw.len();
            raw.extend_from_slice(end);
            range
        };
        let method = put(&mut raw, method, b" ");
        let target = put(&mut raw, target, b" HTTP/1.1\r\n");
        let field = |(name, value)| (put(&mut raw, name, b": "), put(&mut raw, value, b"\r\n"));
        let fields = fields.into_iter().map(field).collect();
        raw.extend_from_slice(b"\r\n");
        let mut head = Self::unread(raw, method, target, 1, fields);
        head.expects_continue = head.says_expect();
        head
    }

    /// From the parts of a head whose fields have not been looked at.
    pub(super) fn unread(
        raw: Vec<u8>,
        method: Range<usize>,
        target: Range<usize>,
        minor: u8,
        fields: Vec<(Range<usize>, Range<usize>)>,
    ) -> Self {
        let body = BodyLength::None;
        Self { raw, method, target, minor, fields, body, keep_alive: true, expects_continue: false }
    }

    /// Takes what the fields say of body and connection.
    pub(super) fn read_fields(mut self) -> Result<Self, Refusal> {
        for (name, value) in self.fields() {
            // Applications that put fields into the environment would take these for a variable their HTTP clients trust,
            // and for a function of a shell (lsapi 4.2.3).
            if name.eq_ignore_ascii_case(b"Proxy") {
                return Err(Refusal::bad("a field Proxy"));
            }
            if value.starts_with(b"() {") {
                return Err(Refusal::bad("a value that is a function of a shell"));
            }
        }
        if self.minor == 1 && self.field("host").is_none() {
            return Err(Refusal::bad("HTTP/1.1 without Host"));
        }
        self.body = BodyLength::of(&self)?;
        self.keep_alive = match self.minor {
            0 => self.says_connection(b"keep-alive") && !self.says_connection(b"close"),
            _ => !self.says_connection(b"close"),
        };
        self.expects_continue = self.minor == 1 && self.says_expect();
        Ok(self)
    }

    /// The method.
    pub(crate) fn method(&self) -> &[u8] {
        self.raw.get(self.method.clone()).unwrap_or_default()
    }

    /// Whether the method is `name`.
    pub(crate) fn is_method(&self, name: &str) -> bool {
        self.method() == name.as_bytes()
    }

    /// The target as it came.
    pub(crate) fn target(&self) -> &[u8] {
        self.raw.get(self.target.clone()).unwrap_or_default()
    }

    /// Path and query of the target, which may be a whole URL.
    pub(crate) fn origin_form(&self) -> &[u8] {
        let target = self.target();
        let Some(rest) = behind_scheme(target) else { return target };
        let path = rest.iter().position(|byte| matches!(byte, b'/' | b'?'));
        path.and_then(|at| rest.get(at..)).unwrap_or(b"/")
    }

    /// Name and trimmed value of each field, in order.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let part = |range: &Range<usize>| self.raw.get(range.clone()).unwrap_or_default();
        self.fields.iter().map(move |(name, value)| (part(name), part(value)))
    }

    /// The value of the first field with this name, in any case; trimmed.
    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find_map(|(field, value)| field.eq_ignore_ascii_case(name.as_bytes()).then_some(value))
    }

    fn says_connection(&self, word: &[u8]) -> bool {
        self.fields()
            .filter(|(name, _)| name.eq_ignore_ascii_case(b"Connection"))
            .flat_map(|(_, value)| value.split(|&byte| byte == b','))
            .any(|part| part.trim_ascii().eq_ignore_ascii_case(word))
    }

    fn says_expect(&self) -> bool {
        self.field("expect").is_some_and(is_continue)
    }
}

/// Whether a value of Expect asks for 100 Continue.
pub(crate) fn is_continue(value: &[u8]) -> bool {
    value.eq_ignore_ascii_case(b"100-continue")
}

/// What follows `http://` or `https://`.
pub(super) fn behind_scheme(target: &[u8]) -> Option<&[u8]> {
    [&b"http://"[..], b"https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}
