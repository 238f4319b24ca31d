//! lswsgi without an application of its own: scripts by suffix, and what an Apache configuration says.

use crate::support::{folder, lswsgi, serve};

/// A script that says which it is, and how it was asked.
fn script(name: &str) -> String {
    format!(
        "def application(environ, start_response):\n\
         \x20   start_response('200 OK', [('Content-Type', 'text/plain')])\n\
         \x20   return [('{name}|' + environ['SCRIPT_NAME'] + '|' + environ['PATH_INFO']).encode()]\n\
         def other(environ, start_response):\n\
         \x20   start_response('200 OK', [('Content-Type', 'text/plain')])\n\
         \x20   return [b'the other callable of {name}']\n"
    )
}

#[test]
fn scripts_of_two_suffixes_lie_between_static_files() {
    let (one, two) = (script("one"), script("two"));
    let folder = folder(&[
        ("html/one.wsgi", &one),
        ("html/sub/two.py", &two),
        ("html/page.html", "<p>static</p>"),
        ("html/notes.txt", "text"),
    ]);
    let args =
        ["--doc-root", "html", "--script-handler", ".wsgi, .py", "--env", "LSAPI_CHILDREN=2", "--", lswsgi()];
    let served = serve(folder.path(), &args);
    for (target, expected) in [
        ("/one.wsgi", "one|/one.wsgi|"),
        ("/one.wsgi/more", "one|/one.wsgi|/more"),
        ("/sub/two.py?x", "two|/sub/two.py|"),
        ("/page.html", "<p>static</p>"),
        ("/notes.txt", "text"),
    ] {
        let answer = served.get(target);
        assert_eq!((answer.status, answer.text()), (200, expected), "{target}: {}", served.stderr());
    }
    assert_eq!(served.get("/three.py").status, 404);
    served.stop();
}

#[test]
fn an_apache_configuration_moves_without_change() {
    let folder = folder(&[
        ("wiki.wsgi", &script("wiki")),
        ("tools/count.wsgi", &script("count")),
        ("files/a.css", "body {}"),
    ]);
    let root = folder.path().display();
    let conf = format!(
        "ServerName example.com\n\
         WSGIDaemonProcess shop processes=2\n\
         Alias /static/ {root}/files/\n\
         WSGIScriptAlias /wiki {root}/wiki.wsgi\n\
         WSGIScriptAliasMatch ^/tools/([a-z]+) {root}/tools/$1.wsgi\n\
         <Location /tools>\n    WSGICallableObject other\n</Location>\n"
    );
    std::fs::write(folder.path().join("site.conf"), conf).expect("the folder is ours");
    let args = ["--apache-conf", "site.conf", "--env", "LSAPI_CHILDREN=2", "--", lswsgi()];
    let served = serve(folder.path(), &args);
    for (target, expected) in [
        ("/wiki", "wiki|/wiki|"),
        ("/wiki/Page/a%20b", "wiki|/wiki|/Page/a b"),
        ("/tools/count", "the other callable of count"),
        ("/static/a.css", "body {}"),
    ] {
        let answer = served.get(target);
        assert_eq!((answer.status, answer.text()), (200, expected), "{target}: {}", served.stderr());
    }
    assert_eq!(served.get("/elsewhere").status, 404);
    let log = served.stop();
    assert!(log.contains("site.conf:2: WSGIDaemonProcess is ignored"), "{log}");
}
