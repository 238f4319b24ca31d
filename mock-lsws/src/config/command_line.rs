//! Applications named on a command line instead of in a file.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{Context, ExternalApp, ServerConfig, WsgiApp};

impl ServerConfig {
    /// The configuration without a mapping: `command` is a WSGI application context at `/`, `env` its configured
    /// environment, and `directory` both its folder and where it is started, so that relative arguments mean what they
    /// mean to whoever typed them.
    ///
    /// Without LSAPI_CHILDREN it is told the number of connections, as in every WSGI context. With LSAPI_CHILDREN of 1
    /// or less it is one process, which gets one connection at a time.
    #[must_use]
    pub fn for_command(
        command: Vec<OsString>,
        env: Vec<(OsString, OsString)>,
        directory: impl Into<PathBuf>,
    ) -> Self {
        let directory = directory.into();
        let startup_file = startup_file(&command, &directory);
        let context = Context::wsgi("/", ROOT_APP, &directory, startup_file.to_string_lossy());
        let app = ExternalApp::wsgi(ROOT_APP, WsgiApp::new(&directory).startup_file(startup_file))
            .command(command)
            .envs(env)
            .directory(directory);
        Self::new().app(app).context(context)
    }
}

/// What the real server calls the application of a WSGI context at `/`, but for the virtual host.
const ROOT_APP: &str = "wsgi:/";

/// The script after `-m`, below `directory` where it is; without its callable.
fn startup_file(command: &[OsString], directory: &Path) -> PathBuf {
    let mut words = command.iter().skip_while(|word| *word != "-m").skip(1);
    let Some(script) = words.next().and_then(|word| word.to_str()) else { return "wsgi.py".into() };
    let file = script.split_once(':').map_or(script, |(file, _)| file);
    let path = directory.join(file);
    path.strip_prefix(directory).map_or_else(|_| path.clone(), Path::to_path_buf)
}

/// Splits `path` as the real server does: at blanks, with '...' and "..." around words that have some in them. Nothing is
/// escaped, nothing expanded.
///
/// # Errors
/// A quote that is not closed.
pub(super) fn words(text: &str) -> Result<Vec<OsString>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_ascii_whitespace() => words.extend(word.take().map(OsString::from)),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.map(OsString::from));
    match quote {
        Some(quote) => Err(format!("the quote {quote} is not closed")),
        None => Ok(words),
    }
}

/// The variables of the caller's own environment that a command on a command line is configured with: all LSAPI_*.
pub fn own_lsapi_variables() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| is_lsapi(name))
}

fn is_lsapi(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"LSAPI_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn words_are_split_at_blanks_outside_quotes() {
        for (text, expected) in [
            ("/bin/x", &["/bin/x"][..]),
            ("  /bin/x \t-m  a.py ", &["/bin/x", "-m", "a.py"]),
            (r#"/bin/x 'a b' "c 'd'" e"f g"h"#, &["/bin/x", "a b", "c 'd'", "ef gh"]),
            (r"x '' \n", &["x", "", r"\n"]),
            ("", &[]),
        ] {
            assert_eq!(words(text), Ok(command(expected)), "{text}");
        }
        assert_eq!(words("x 'a b"), Err("the quote ' is not closed".to_owned()));
    }

    #[test]
    fn a_command_is_a_wsgi_context_at_the_root() {
        let env = vec![("LSAPI_MAX_REQS".into(), "3".into())];
        let config =
            ServerConfig::for_command(command(&["/bin/lswsgi", "-m", "app.wsgi:app"]), env, "/srv/shop");
        config.validate().unwrap();
        let [context] = &config.contexts[..] else { panic!("{config:?}") };
        assert_eq!(context, &Context::wsgi("/", "wsgi:/", "/srv/shop", "app.wsgi"));
        let [app] = &config.apps[..] else { panic!("{config:?}") };
        assert!(app.is_self_managed());
        assert_eq!(app.effective_max_conns(), 5);
        let environment = app.environment();
        for line in ["LSAPI_MAX_REQS=3", "WSGI_ROOT=/srv/shop/", "LSAPI_CHILDREN=5"] {
            assert!(environment.contains(&line.into()), "{line}: {environment:?}");
        }
        assert_eq!(app.to_command().unwrap().working_directory(), Path::new("/srv/shop"));
    }

    #[test]
    fn children_decide_how_many_connections_a_command_gets() {
        let connections = |children: &str| {
            let env = vec![("LSAPI_CHILDREN".into(), children.into())];
            ServerConfig::for_command(command(&["/bin/x"]), env, "/").apps[0].effective_max_conns()
        };
        assert_eq!(["0", "1", "3", "8", "x"].map(connections), [1, 1, 3, 5, 1]);
    }

    #[test]
    fn the_startup_file_is_found_in_the_command() {
        let file = |words: &[&str]| startup_file(&command(words), Path::new("/srv"));
        assert_eq!(file(&["x", "-m", "sub/app.py:make"]), Path::new("sub/app.py"));
        assert_eq!(file(&["x", "-m", "/srv/a.py"]), Path::new("a.py"));
        assert_eq!(file(&["x", "-m", "/opt/a.py"]), Path::new("/opt/a.py"));
        assert_eq!(file(&["x"]), Path::new("wsgi.py"));
    }

    #[test]
    fn only_lsapi_variables_are_taken_over() {
        assert!(
            is_lsapi("LSAPI_CHILDREN".as_ref())
                && !is_lsapi("PATH".as_ref())
                && !is_lsapi("XLSAPI_".as_ref())
        );
    }
}
