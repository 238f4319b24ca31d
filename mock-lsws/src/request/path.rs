//! Request paths the way the server reads them: decoded, then made straight.

use std::borrow::Cow;

/// What stood in the real server's memory behind a path that had become shorter, as it was recorded: a pointer, then zeros.
const FREED: [u8; 16] = *b"\x20\x61\x1e\x8b\xff\x55\0\0\0\0\0\0\0\0\0\0";

/// A path that was decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecodedPath {
    /// The memory it was decoded in: the path, a NUL, and what is left of former steps.
    memory: Vec<u8>,
    len: usize,
    raw_len: usize,
}

impl DecodedPath {
    /// Decodes `%XX` and removes `//`, `.` and `..`. The result starts with `/` and never leaves it. An escape that is none
    /// stays as it is.
    pub(crate) fn new(raw: &[u8]) -> Self {
        let raw = if raw.starts_with(b"/") { Cow::Borrowed(raw) } else { [b"/", raw].concat().into() };
        let mut memory = percent_decode(&raw);
        let len = memory.len();
        memory.push(0);
        while memory.len() <= raw.len() {
            memory.push(FREED.get(memory.len() % FREED.len()).copied().unwrap_or_default());
        }
        let len = straighten(&mut memory, len);
        Self { memory, len, raw_len: raw.len() }
    }

    /// The path.
    pub(crate) fn path(&self) -> &[u8] {
        self.memory.get(..self.len).unwrap_or_default()
    }

    /// What the real server takes for the path behind its first `start` bytes in a Python context: it begins at the
    /// decoded path and is as long as the raw one (lsapi 4.2.2).
    pub(crate) fn over_read(&self, start: usize) -> &[u8] {
        self.memory.get(start..self.raw_len).unwrap_or_default()
    }
}

fn percent_decode(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, behind)) = rest.split_first() {
        let escape = match behind {
            [high, low, ..] if byte == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escape {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = behind;
            }
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Removes `//`, `.` and `..` from the path that is the first `len` bytes of `memory` and ends with a NUL. Returns its new
/// length. The rest of a path is moved over what is removed, with its NUL: so what an over-read finds behind it is the same
/// as with the real server.
fn straighten(memory: &mut [u8], mut len: usize) -> usize {
    let mut slash = 0;
    while slash < len {
        let (rest, to) = match memory.get(slash + 1..len).unwrap_or_default() {
            [b'/', ..] => (slash + 1, slash),
            [b'.', b'/', ..] => (slash + 2, slash),
            [b'.'] => (len, slash + 1),
            [b'.', b'.', b'/', ..] => (slash + 3, parent(memory, slash)),
            [b'.', b'.'] => (len, parent(memory, slash) + 1),
            other => {
                slash += 1 + other.iter().position(|&byte| byte == b'/').unwrap_or(other.len());
                continue;
            }
        };
        memory.copy_within(rest..=len, to);
        len -= rest - to;
        slash = to.min(slash);
    }
    len
}

/// Where the folder that `slash` ends begins.
fn parent(memory: &[u8], slash: usize) -> usize {
    memory.get(..slash).and_then(|before| before.iter().rposition(|&byte| byte == b'/')).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &str) -> String {
        String::from_utf8(DecodedPath::new(raw.as_bytes()).path().to_vec()).unwrap()
    }

    #[test]
    fn escapes_are_decoded_once_and_broken_ones_stay() {
        assert_eq!(decoded("/%41%62c"), "/Abc");
        assert_eq!(decoded("/a%2Fb"), "/a/b");
        assert_eq!(decoded("/%2541"), "/%41");
        assert_eq!(decoded("/100%"), "/100%");
        assert_eq!(decoded("/%zz%4"), "/%zz%4");
    }

    #[test]
    fn paths_are_made_straight_and_never_leave_the_root() {
        assert_eq!(decoded("/a//b/./c"), "/a/b/c");
        assert_eq!(decoded("/a/b/../c/"), "/a/c/");
        assert_eq!(decoded("/../../x"), "/x");
        assert_eq!(decoded("/a/%2e%2e"), "/");
        assert_eq!(decoded(""), "/");
        assert_eq!(decoded("/"), "/");
    }

    #[test]
    fn what_lies_behind_a_decoded_path_is_what_a_real_server_leaked() {
        let straightened = DecodedPath::new(b"/py/a/../b//c/./d");
        assert_eq!(straightened.over_read(3), b"/b/c/d\0d\0\0/./d");
        let unescaped = DecodedPath::new(b"/py/%41%42%43%44%45%46%47%48");
        assert_eq!(unescaped.over_read(3), b"/ABCDEFGH\0\0\0\0\x20\x61\x1e\x8b\xff\x55\0\0\0\0\0\0");
        assert_eq!(DecodedPath::new(b"/py/plain").over_read(3), b"/plain");
    }

    #[test]
    fn a_path_without_its_slash_gets_one() {
        assert_eq!(decoded("a/b"), "/a/b");
        assert_eq!(decoded("*"), "/*");
        assert_eq!(decoded("/.hidden/..x/..."), "/.hidden/..x/...");
    }

    proptest::proptest! {
        #[test]
        fn no_path_leaves_the_root(raw in "([/.a]|%2e|%2F|%fe|%){0,20}") {
            let path = DecodedPath::new(raw.as_bytes());
            let path = String::from_utf8_lossy(path.path());
            proptest::prop_assert!(path.starts_with('/'));
            proptest::prop_assert!(path.split('/').skip(1).all(|part| part != "." && part != ".."), "{path}");
            proptest::prop_assert!(!path.contains("//"), "{path}");
        }
    }
}
