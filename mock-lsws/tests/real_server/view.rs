//! What a client sees of a response, and how two views differ.

use std::fmt::Write as _;
use std::ops::Range;

/// Bytes of one response as they came, framing included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    bytes: Vec<u8>,
}

impl View {
    /// Of these bytes.
    pub(crate) const fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// As they came.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Status line and fields of the final head, without the empty line. `None`: it is not complete.
    fn head(&self) -> Option<Range<usize>> {
        let mut start = 0;
        loop {
            let rest = self.bytes.get(start..)?;
            let end = start + find(rest, b"\r\n\r\n")?;
            let interim = rest.get(9) == Some(&b'1');
            if !interim {
                return Some(start..end);
            }
            start = end + 4;
        }
    }

    /// The value of a field of the final head.
    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        let head = &self.bytes[self.head()?];
        lines(head).find_map(|line| {
            let (key, value) = line.split_at(find(line, b":")?);
            key.eq_ignore_ascii_case(name.as_bytes()).then(|| value[1..].trim_ascii())
        })
    }

    /// The status of the final head.
    pub(crate) fn status(&self) -> Option<u16> {
        let head = self.head()?;
        std::str::from_utf8(self.bytes.get(head.start + 9..head.start + 12)?).ok()?.parse().ok()
    }

    /// The first line.
    pub(crate) fn status_line(&self) -> String {
        let end = find(&self.bytes, b"\r\n").unwrap_or(self.bytes.len());
        String::from_utf8_lossy(&self.bytes[..end]).into_owned()
    }

    /// Where the final response ends, if its framing tells and all of it is there.
    pub(crate) fn end(&self, head_only: bool) -> Option<usize> {
        let body = self.head()?.end + 4;
        let declared = self
            .field("content-length")
            .map(|value| std::str::from_utf8(value).unwrap().parse::<usize>().unwrap());
        let end = match (self.status()?, declared) {
            _ if head_only => body,
            (204 | 304, _) => body,
            (_, Some(length)) => body + length,
            _ if self.is_chunked() => body + self.chunks(body)?.1,
            _ => return None,
        };
        (end <= self.bytes.len()).then_some(end)
    }

    fn is_chunked(&self) -> bool {
        self.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"))
    }

    /// The body without its framing: as much of it as there is.
    pub(crate) fn body(&self) -> Vec<u8> {
        let Some(head) = self.head() else { return Vec::new() };
        let start = head.end + 4;
        if self.is_chunked() {
            return self.chunks(start).map_or_else(Vec::new, |(chunks, _)| chunks.concat());
        }
        self.bytes[start..].to_vec()
    }

    /// The biggest chunk of the body.
    pub(crate) fn biggest_chunk(&self) -> Option<usize> {
        self.chunks(self.head()?.end + 4)?.0.iter().map(|chunk| chunk.len()).max()
    }

    /// The chunks at `start`, and how many bytes they take. `None`: the body is not complete.
    fn chunks(&self, start: usize) -> Option<(Vec<&[u8]>, usize)> {
        let mut rest = &self.bytes[start..];
        let mut chunks = Vec::new();
        loop {
            let line = find(rest, b"\r\n")?;
            let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
            let data = rest.get(line + 2..line + 2 + size + 2)?;
            chunks.push(&data[..size]);
            rest = &rest[line + 2 + size + 2..];
            if size == 0 {
                return Some((chunks, self.bytes.len() - start - rest.len()));
            }
        }
    }

    /// The same response without these fields, in any of its heads.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        let Some(head) = self.head() else { return self.clone() };
        let mut bytes = self.bytes[..head.start].to_vec();
        for line in lines(&self.bytes[head.clone()]) {
            let name = &line[..find(line, b":").unwrap_or(0)];
            if !names.iter().any(|left_out| name.eq_ignore_ascii_case(left_out.as_bytes())) {
                bytes.extend_from_slice(line);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        bytes.extend_from_slice(&self.bytes[head.end + 2..]);
        Self { bytes }
    }

    /// The same response, with the text of its body blotted out. Its length stays.
    pub(crate) fn blotted(&self) -> Self {
        let Some(head) = self.head() else { return self.clone() };
        let mut bytes = self.bytes.clone();
        bytes[head.end + 4..].fill(b'.');
        Self { bytes }
    }

    /// The same response, with the framing of its body gone: where chunks were cut does not count.
    pub(crate) fn unchunked(&self) -> Self {
        let Some(head) = self.head() else { return self.clone() };
        let mut bytes = self.bytes[..head.end + 4].to_vec();
        bytes.extend_from_slice(&self.body());
        Self { bytes }
    }
}

/// How `seen` differs from `expected`, in words; empty when it does not.
pub(crate) fn difference(what: &str, expected: &[u8], seen: &[u8]) -> String {
    if expected == seen {
        return String::new();
    }
    let at = expected.iter().zip(seen).take_while(|(one, other)| one == other).count();
    let mut text = format!("{what} differs at byte {at} ({} expected, {} seen)", expected.len(), seen.len());
    let shown =
        |bytes: &[u8]| bytes[at.saturating_sub(60)..(at + 100).min(bytes.len())].escape_ascii().to_string();
    let _ = write!(text, "\n    expected ..{}\n    seen     ..{}", shown(expected), shown(seen));
    text
}

/// Where `needle` begins.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(text: &str) -> View {
        View::new(text.as_bytes().to_vec())
    }

    #[test]
    fn the_end_of_a_response_is_found_or_not_yet() {
        let declared = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        assert_eq!(view(declared).end(false), Some(declared.len()));
        assert_eq!(view(&declared[..declared.len() - 1]).end(false), None);
        assert_eq!(view(&format!("{declared}more")).end(false), Some(declared.len()));
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
        assert_eq!(view(chunked).end(false), Some(chunked.len()));
        assert_eq!((view(chunked).body(), view(chunked).biggest_chunk()), (b"ok".to_vec(), Some(2)));
        for cut in 1..chunked.len() {
            assert_eq!(view(&chunked[..cut]).end(false), None, "cut at {cut}");
        }
        let interim = format!("HTTP/1.1 100 Continue\r\n\r\n{declared}");
        assert_eq!(view(&interim).end(false), Some(interim.len()));
        assert_eq!(view("HTTP/1.1 100 Continue\r\n\r\n").end(false), None);
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
        assert_eq!(view(head).end(true), Some(head.len()));
        assert_eq!(view("HTTP/1.1 304 Not Modified\r\n\r\n").end(false), Some(29));
    }

    #[test]
    fn fields_are_left_out_and_nothing_else() {
        let full = view("HTTP/1.1 200 OK\r\nDate: now\r\nx-date: stays\r\nserver: s\r\n\r\ndate: a body\r\n");
        let expected = "HTTP/1.1 200 OK\r\nx-date: stays\r\n\r\ndate: a body\r\n";
        assert_eq!(full.without(&["date", "server"]).bytes(), expected.as_bytes());
        assert_eq!(full.without(&[]), full);
    }

    #[test]
    fn a_wrong_byte_a_missing_field_and_another_order_are_differences() {
        let expected = b"HTTP/1.1 200 OK\r\na: 1\r\nb: 2\r\n\r\nok";
        assert_eq!(difference("x", expected, expected), "");
        for other in [
            &b"HTTP/1.1 200 OK\r\na: 1\r\nb: 2\r\n\r\noK"[..],
            b"HTTP/1.1 200 OK\r\na: 1\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nb: 2\r\na: 1\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\na: 1\r\nb: 2\r\n\r\nok\n",
            b"HTTP/1.1 200 OK\r\na: 1\r\nb: 2\r\n\r\no",
            b"",
        ] {
            assert_ne!(difference("x", expected, other), "");
        }
    }
}
