use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use lsapi::{BeginRequest, limits};
use tempfile::TempDir;

use super::*;
use crate::config::{ExternalApp, Realm, ScriptHandler, ServerConfig, WsgiApp};
use crate::http::{HeadLimits, ParsedHead};
use crate::request::BodyState;

/// A site with all kinds of mappings, in a folder of its own:
///
/// ```text
/// www/      index.html s.txt x.php folder/index.php empty/ link -> ../scripts
/// static/   a.css
/// app/      wsgi.py public/s.txt public/images/
/// scripts/  one.wsgi
/// secret
/// ```
struct Site {
    folder: TempDir,
    router: Router,
}

impl Site {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in [
            "www/index.html",
            "www/s.txt",
            "www/x.php",
            "www/folder/index.php",
            "static/a.css",
            "static/b.wsgi",
            "app/wsgi.py",
            "app/public/s.txt",
            "scripts/one.wsgi",
            "secret",
        ] {
            fs::create_dir_all(at(path).parent().unwrap()).unwrap();
            fs::write(at(path), path).unwrap();
        }
        fs::create_dir_all(at("www/empty")).unwrap();
        fs::create_dir_all(at("app/public/images")).unwrap();
        symlink(at("scripts"), at("www/link")).unwrap();
        let script = |path: &str| at(path).to_str().unwrap().to_owned();
        let realm = Realm { name: "staff".into(), users: vec![("bob".into(), "a:b".into())] };
        let app = ExternalApp::new;
        let mut config = ServerConfig::new()
            .doc_root(at("www"))
            .app(app("a"))
            .context(Context::lsapi("/app/", "lsapi").set_env("STAGE", "test"))
            .context(Context::lsapi("/app/deep/", "deep"))
            .context(Context::lsapi("/private/", "lsapi").realm(realm))
            .context(Context::wsgi("/py/", "py", at("app"), "wsgi.py"))
            .context(Context::wsgi("/sub/", "py", at("app"), "sub/app.wsgi"))
            .context(Context::files("/static/", at("static")))
            .context(Context::files("/robots.txt", at("www/s.txt")))
            .context(Context::files("/closed/", at("static")).allow_browse(false))
            .script_handler(ScriptHandler::new(["wsgi", "py"], "scripts"))
            .script_handler(ScriptHandler::new(["php"], "php"))
            .alias(
                ScriptAlias::new("/wiki", script("scripts/one.wsgi"), "alias")
                    .variable("WSGICallableObject", "main"),
            )
            .alias(ScriptAlias::new("/many/", script("scripts/"), "alias"))
            .alias(ScriptAlias::new("/gone", script("scripts/none.wsgi"), "alias"))
            .alias(ScriptAlias::matching("^/re/([a-z]+)/v[0-9]", script("scripts/$1.wsgi"), "alias"))
            .alias(ScriptAlias::matching("^/climb(.*)", script("scripts/$1"), "alias"))
            .alias(ScriptAlias::new("/static", script("scripts/one.wsgi"), "alias"));
        config.index_files.push("index.php".into());
        Self { router: Router::new(Arc::new(config)).unwrap(), folder }
    }

    fn path(&self, below: &str) -> String {
        self.folder.path().join(below).to_str().unwrap().to_owned()
    }

    fn route(&self, target: &str) -> Route {
        self.router.resolve(&head("GET", target, ""), Addresses::default())
    }
}

fn head(method: &str, target: &str, fields: &str) -> RequestHead {
    let text = format!("{method} {target} HTTP/1.1\r\nHost: Ex.com:81\r\n{fields}\r\n");
    let limits = HeadLimits { head: 65_536, url: 32_768 };
    match RequestHead::parse(text.as_bytes(), limits).unwrap() {
        ParsedHead::Complete(head, _) => head,
        ParsedHead::Partial => panic!("{text}"),
    }
}

/// An application's name, whether it waits for the whole body, and the named variables.
fn app(route: &Route, names: &[&str]) -> (String, bool, Vec<Option<String>>) {
    let Route::App { app, begin, dispatch, .. } = route else { panic!("{route:?}") };
    let bytes = begin.encode(BodyState::None);
    let packet = BeginRequest::decode(&bytes, limits::MAX_REQUEST_PACKET).unwrap();
    let value = |name: &&str| Some(String::from_utf8(packet.env().get(name.as_bytes())?.to_vec()).unwrap());
    (app.clone(), *dispatch == Dispatch::WholeBody, names.iter().map(value).collect())
}

/// Target, application, whether it waits for the whole body, SCRIPT_NAME, PATH_INFO and SCRIPT_FILENAME.
type Case<'a> = (&'a str, &'a str, bool, &'a str, Option<&'a str>, Option<&'a str>);

#[test]
fn applications_get_their_part_of_the_path() {
    let site = Site::new();
    let one = site.path("scripts/one.wsgi");
    let php = site.path("www/x.php");
    let link = site.path("www/link/one.wsgi");
    let index = site.path("www/folder/index.php");
    let static_script = site.path("static/b.wsgi");
    let cases: [Case<'_>; 25] = [
        ("/app/", "lsapi", false, "/app/", Some("/"), None),
        ("/app/x%20y?q", "lsapi", false, "/app/", Some("/x y"), None),
        ("/app/../app//a/./b", "lsapi", false, "/app/", Some("/a/b"), None),
        ("/app/deep/er", "deep", false, "/app/deep/", Some("/er"), None),
        ("/app/deeper", "lsapi", false, "/app/", Some("/deeper"), None),
        ("http://ex.com/app/a", "lsapi", false, "/app/", Some("/a"), None),
        ("/py/", "py", true, "/py", Some("/"), None),
        ("/py/foo/bar", "py", true, "/py", Some("/foo/bar"), None),
        ("/py/s.txt/x", "py", true, "/py", Some("/s.txt/x"), None),
        ("/py/images/", "py", true, "/py", Some("/images/"), None),
        ("/py/%41/../b", "py", true, "/py", Some("/b"), None),
        ("/py/_wsgi.py", "py", true, "/py/_wsgi.py", None, None),
        ("/py/_wsgi.py/xx", "py", true, "/py/_wsgi.py", Some("/xx"), None),
        ("/py/_wsgi.pyx", "py", true, "/py", Some("/_wsgi.pyx"), None),
        ("/sub/_sub/app.wsgi/xx", "py", true, "/sub/_sub/app.wsgi", Some("/xx"), None),
        ("/x.php", "php", false, "/x.php", None, Some(&php)),
        ("/x.php/pi/?a", "php", false, "/x.php", Some("/pi/"), Some(&php)),
        ("/folder/", "php", false, "/folder/index.php", None, Some(&index)),
        ("/link/one.wsgi/x", "scripts", false, "/link/one.wsgi", Some("/x"), Some(&link)),
        ("/static/b.wsgi/x", "scripts", false, "/static/b.wsgi", Some("/x"), Some(&static_script)),
        ("/wiki", "alias", false, "/wiki", None, Some(&one)),
        ("/wiki/a/b", "alias", false, "/wiki", Some("/a/b"), Some(&one)),
        ("/many/one.wsgi/a", "alias", false, "/many/one.wsgi", Some("/a"), Some(&one)),
        ("/re/one/v2/a", "alias", false, "/re/one/v2", Some("/a"), Some(&one)),
        ("/re/one/v2", "alias", false, "/re/one/v2", None, Some(&one)),
    ];
    for (target, name, whole_body, script_name, path_info, file) in cases {
        let expected =
            [Some(script_name), path_info, file].map(|value| value.map(ToOwned::to_owned)).to_vec();
        let seen = app(&site.route(target), &["SCRIPT_NAME", "PATH_INFO", "SCRIPT_FILENAME"]);
        assert_eq!(seen, (name.to_owned(), whole_body, expected), "{target}");
    }
}

#[test]
fn files_pages_and_moves() {
    let site = Site::new();
    let answer = |target: &str| match site.route(target) {
        Route::File(path) => path.strip_prefix(site.folder.path()).unwrap().to_str().unwrap().to_owned(),
        Route::Page(status) => status.to_string(),
        Route::Moved(url) => String::from_utf8(url).unwrap(),
        other => panic!("{target}: {other:?}"),
    };
    let cases = [
        ("/", "www/index.html"),
        ("/s.txt?x", "www/s.txt"),
        ("/%73.txt", "www/s.txt"),
        ("/s.txt/", "404"),
        ("/s.txt/x", "404"),
        ("/none", "404"),
        ("/none.php", "404"),
        ("/empty/", "404"),
        ("/empty", "http://ex.com:81/empty/"),
        ("/folder?a=/b", "http://ex.com:81/folder/?a=/b"),
        ("/robots.txt", "www/s.txt"),
        ("/robots.txt/", "404"),
        ("/static/a.css", "static/a.css"),
        ("/static", "http://ex.com:81/static/"),
        ("/static/", "404"),
        ("/static/none", "404"),
        ("/closed/a.css", "403"),
        ("/py", "http://ex.com:81/py/"),
        ("/py?x=1", "http://ex.com:81/py/?x=1"),
        ("/%70y", "http://ex.com:81/%70y/"),
        ("/py/s.txt", "app/public/s.txt"),
        ("/py/images", "http://ex.com:81/py/images/"),
        ("/app", "http://ex.com:81/app/"),
        ("/app/deep", "http://ex.com:81/app/deep/"),
        ("http://other/app", "http://ex.com:81/app/"),
        ("/gone", "404"),
        ("/many/", "404"),
        ("/many/none.wsgi", "404"),
        ("/wikis", "404"),
        ("/re/none/v2", "404"),
        ("/a%00b", "400"),
        ("/app/%00", "400"),
        // No way up, however it is written.
        ("/../secret", "404"),
        ("/..%2fsecret", "404"),
        ("/%2e%2e/secret", "404"),
        ("/static/../../secret", "404"),
        ("/static/..%2F..%2Fsecret", "404"),
        ("/climb../secret", "404"),
        ("/climb..%2fsecret", "404"),
    ];
    for (target, expected) in cases {
        assert_eq!(answer(target), expected, "{target}");
    }
}

#[test]
fn aliases_and_contexts_add_their_variables() {
    let site = Site::new();
    let names = ["WSGICallableObject", "DOCUMENT_ROOT", "PATH_TRANSLATED"];
    let (_, _, seen) = app(&site.route("/wiki/a"), &names);
    let www = site.path("www");
    assert_eq!(seen, [Some("main".into()), Some(www.clone()), Some(format!("{www}/a"))]);
    assert_eq!(app(&site.route("/many/one.wsgi"), &names).2[0], None);
    assert_eq!(app(&site.route("/app/a"), &["STAGE"]).2, [Some("test".into())]);
    assert_eq!(app(&site.route("/py/a"), &names).2, [None, None, None], "Python contexts");
}

#[test]
fn a_realm_asks_for_a_password() {
    let site = Site::new();
    let try_with = |fields: &str| {
        let head = head("GET", "/private/x", fields);
        (site.router.resolve(&head, Addresses::default()), site.router.login(&head))
    };
    // "bob:a:b", "bob:x", "eve:a:b", no colon, no base64.
    for wrong in
        ["", "Basic Ym9iOng=", "Basic ZXZlOmE6Yg==", "Basic Ym9i", "Basic !", "Bearer Ym9iOmE6Yg==", "Basic"]
    {
        let field = if wrong.is_empty() { String::new() } else { format!("Authorization: {wrong}\r\n") };
        let (route, login) = try_with(&field);
        assert!(matches!(&route, Route::Unauthorized(realm) if realm == "staff"), "{wrong}: {route:?}");
        assert_eq!(login, None, "{wrong}");
    }
    let (route, login) = try_with("Authorization: basic  Ym9iOmE6Yg==\r\n");
    let (_, _, seen) = app(&route, &["AUTH_TYPE", "REMOTE_USER", "HttpAuth"]);
    assert_eq!(seen, [Some("Basic".into()), Some("bob".into()), Some("1".into())]);
    let login = login.unwrap();
    assert_eq!((login.realm.as_str(), login.user.as_slice()), ("staff", &b"bob"[..]));
    assert_eq!(site.router.login(&head("GET", "/app/", "Authorization: basic Ym9iOmE6Yg==\r\n")), None);
}

#[test]
fn an_internal_redirect_is_a_get_of_another_path() {
    let site = Site::new();
    let post = head("POST", "/py/a?b=1", "Content-Length: 5\r\nX: y\r\n");
    let route = site.router.redirect(&post, Addresses::default(), b"/app/c%20d?e=2");
    let names = [
        "REQUEST_METHOD",
        "REQUEST_URI",
        "PATH_INFO",
        "QUERY_STRING",
        "REDIRECT_URL",
        "REDIRECT_QUERY_STRING",
    ];
    let (name, _, seen) = app(&route, &names);
    assert_eq!(name, "lsapi");
    let expected = ["GET", "/py/a?b=1", "/c d", "e=2", "/py/a", "b=1"];
    assert_eq!(seen, expected.map(|value| Some(value.to_owned())));
    let Route::App { begin, .. } = &route else { panic!() };
    let bytes = begin.encode(BodyState::None);
    let packet = BeginRequest::decode(&bytes, limits::MAX_REQUEST_PACKET).unwrap();
    assert_eq!(packet.req_body_len(), 0);
    assert_eq!(
        packet.known_header(lsapi::KnownHeader::ContentLength),
        None,
        "the body was for the first one"
    );
    assert_eq!(packet.unknown_headers().iter().next().map(|field| field.value), Some(&b"y"[..]));
    let of_python = site.router.redirect(&post, Addresses::default(), b"/py/c");
    assert_eq!(app(&of_python, &["REDIRECT_URL", "PATH_INFO"]).2, [None, Some("/c".into())]);
    let with_head = site.router.redirect(&head("HEAD", "/py/a", ""), Addresses::default(), b"/py/c");
    assert_eq!(app(&with_head, &["REQUEST_METHOD"]).2, [Some("HEAD".into())]);
    let file = site.router.redirect(&post, Addresses::default(), b"/s.txt");
    assert!(matches!(file, Route::File(_)), "{file:?}");
}

#[test]
fn an_expression_that_is_none_is_said_with_its_alias() {
    let config = ServerConfig::new().alias(ScriptAlias::matching("(", "/x", "a"));
    let error = Router::new(Arc::new(config)).unwrap_err().to_string();
    assert!(error.starts_with("script alias '(': `url` is no regular expression"), "{error}");
}

/// Who owns what the mapping of a target goes by. Without root all files are the tester's, and nobody is seen to be mixed
/// up with somebody else.
#[test]
fn the_owner_is_that_of_the_script_the_startup_file_or_the_document_root() {
    let Site { folder, router } = Site::new();
    let at = |path: &str| folder.path().join(path);
    let is_root = rustix::process::geteuid().is_root();
    for (number, path) in ["www", "www/x.php", "scripts/one.wsgi", "app", "app/wsgi.py"].iter().enumerate() {
        if is_root {
            let id = Some(60_000 + u32::try_from(number).unwrap());
            std::os::unix::fs::chown(at(path), id, id).unwrap();
        }
    }
    let route = |suexec: Suexec, target: &str| {
        let mut config = (*router.config).clone();
        let app = |name: &str| ExternalApp::new(name).suexec(suexec.clone());
        let wsgi = ExternalApp::wsgi("py", WsgiApp::new(at("app"))).suexec(suexec.clone());
        config.apps = vec![app("lsapi"), app("scripts"), app("php"), app("alias"), wsgi];
        let router = Router::new(Arc::new(config)).unwrap();
        match router.resolve(&head("GET", target, ""), Addresses::default()) {
            Route::App { owner, .. } => owner,
            other => panic!("{target}: {other:?}"),
        }
    };
    for (target, path) in [
        ("/x.php", "www/x.php"),
        ("/x.php/more", "www/x.php"),
        ("/wiki", "scripts/one.wsgi"),
        ("/link/one.wsgi", "scripts/one.wsgi"),
        ("/py/", "app/wsgi.py"),
        ("/py/_wsgi.py", "app/wsgi.py"),
        ("/app/x", "www"),
    ] {
        let owner = route(Suexec::PerAccount { max_conns: 1 }, target);
        assert_eq!(owner, Account::owner(&at(path)), "{target}");
        assert!(owner.is_some_and(|owner| !is_root || owner.uid >= 60_000), "{target}: {owner:?}");
        assert_eq!(route(Suexec::Off, target), None, "{target}");
    }
    fs::remove_file(at("app/wsgi.py")).unwrap();
    assert_eq!(route(Suexec::PerAccount { max_conns: 1 }, "/py/"), None);
}
