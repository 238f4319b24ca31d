//! The application's file and callable, as they were named.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The application's file and the name of the callable in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The file, absolute. A relative one that was named is under WSGI_ROOT.
    pub path: PathBuf,
    /// The attribute to call.
    pub callable: String,
}

/// The name looked for when the command line names none; the server's own command line never does.
pub(crate) const DEFAULT_CALLABLE: &str = "application";

impl Application {
    /// Splits `FILE[:CALLABLE]` at the last colon, unless a file of the whole name exists. `root` is where a relative one is.
    pub(super) fn parse(text: &OsStr, root: &Path) -> Self {
        let named = |file: &[u8], callable: &str| {
            let path = root.join(OsStr::from_bytes(file));
            Self { path: std::path::absolute(&path).unwrap_or(path), callable: callable.to_owned() }
        };
        let bytes = text.as_bytes();
        let colon = bytes.iter().rposition(|&byte| byte == b':').filter(|_| !root.join(text).exists());
        let Some(colon) = colon else { return named(bytes, DEFAULT_CALLABLE) };
        match std::str::from_utf8(&bytes[colon + 1..]) {
            Ok(callable) if !callable.is_empty() => named(&bytes[..colon], callable),
            _ => named(bytes, DEFAULT_CALLABLE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn application_is_split_at_the_last_colon_unless_such_a_file_exists() {
        let parse = |text: &str| Application::parse(OsStr::new(text), Path::new("/root"));
        let expect =
            |path: &str, callable: &str| Application { path: path.into(), callable: callable.into() };
        assert_eq!(parse("/a/wsgi.py"), expect("/a/wsgi.py", "application"));
        assert_eq!(parse("wsgi.py:app"), expect("/root/wsgi.py", "app"));
        assert_eq!(parse("/a:b/wsgi.py:app"), expect("/a:b/wsgi.py", "app"));
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("odd:name.py");
        std::fs::write(&odd, "").unwrap();
        assert_eq!(Application::parse(OsStr::new("odd:name.py"), dir.path()).path, odd);
    }
}
