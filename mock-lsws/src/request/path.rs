//! Request paths the way the server reads them: decoded, then made straight.

/// Decodes `%XX` and removes `//`, `.` and `..`. The result starts with `/` and never leaves it. An escape that is none
/// stays as it is.
pub(super) fn decode(raw: &[u8]) -> Vec<u8> {
    normalise(&percent_decode(raw))
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

fn normalise(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut is_folder = true;
    for part in path.split(|&byte| byte == b'/') {
        is_folder = matches!(part, b"" | b"." | b"..");
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    let mut out = Vec::with_capacity(path.len() + 1);
    for part in parts {
        out.push(b'/');
        out.extend_from_slice(part);
    }
    if is_folder || out.is_empty() {
        out.push(b'/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &str) -> String {
        String::from_utf8(decode(raw.as_bytes())).unwrap()
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
}
