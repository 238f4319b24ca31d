//! Requests against the bytes a real server sent for them.

use std::fs;
use std::path::Path;

use lsapi::{BeginRequest, BodyLength, KnownHeader, limits};
use mock_lsws::{Addresses, HttpRequest, Mapping};

/// What a real server sent, in the folder of this name.
fn captured(folder: &str) -> Vec<u8> {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lsapi/tests/captures").join(folder);
    let is_request = |path: &Path| path.to_str().is_some_and(|path| path.ends_with(".server_to_app.bin"));
    let mut files: Vec<_> = fs::read_dir(&captures)
        .unwrap_or_else(|error| panic!("{}: {error}", captures.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| is_request(path))
        .collect();
    files.sort();
    fs::read(&files[0]).unwrap()
}

/// The addresses of a captured request: the client's port is another one each time.
fn addresses(bytes: &[u8]) -> Addresses {
    let request = BeginRequest::decode(bytes, limits::MAX_REQUEST_PACKET).unwrap();
    let env = |key: &str| String::from_utf8(request.env().get(key.as_bytes()).unwrap().to_vec()).unwrap();
    let address = |ip: &str, port: &str| format!("{}:{}", env(ip), env(port)).parse().unwrap();
    Addresses { client: address("REMOTE_ADDR", "REMOTE_PORT"), server: address("SERVER_ADDR", "SERVER_PORT") }
}

fn wsgi(prefix: &str) -> Mapping {
    Mapping::WsgiContext { prefix: prefix.into() }
}

fn lsapi_context() -> Mapping {
    Mapping::LsapiContext { prefix: "/app/".into(), document_root: "/usr/local/lsws/app/html/".into() }
}

#[test]
fn the_bytes_are_those_of_a_real_server() {
    let get = |target: &str| HttpRequest::new("GET", target);
    let cases = [
        (
            "01-get-simple",
            lsapi_context(),
            get("/app/hello/world?a=1&b=2&dump=1").header("Host", "Example.COM:8088"),
        ),
        (
            "03-post-form",
            lsapi_context(),
            HttpRequest::new("POST", "/app/post?dump=1")
                .header("Host", "example.com:8088")
                .header("Content-Type", "application/x-www-form-urlencoded")
                .header("Content-Length", "11")
                .body("hello=world"),
        ),
        (
            "18-post-zero",
            lsapi_context(),
            HttpRequest::new("POST", "/app/post?dump=1")
                .header("Host", "example.com:8088")
                .header("Content-Length", "0"),
        ),
        ("30-wsgi-get", wsgi("/py/"), get("/py/foo/bar?x=1&dump=1").header("Host", "example.com")),
        ("31-wsgi-root", wsgi("/py/"), get("/py/?dump=1").header("Host", "example.com")),
        (
            "37-wsgi-post-split",
            wsgi("/py/"),
            HttpRequest::new("POST", "/py/p?dump=1").header("Host", "example.com").body("hello world"),
        ),
        ("44-wsgi-no-query", wsgi("/py/"), get("/py/e").header("Host", "example.com")),
    ];
    for (folder, mapping, request) in cases {
        let expected = captured(folder);
        let admin = "vhadmin@localhost";
        let request = request.mapping(mapping).addresses(addresses(&expected)).server_admin(admin);
        let ours = [request.to_raw().encode(), request.body_bytes().to_vec()].concat();
        let show = |bytes: &[u8]| bytes.escape_ascii().to_string();
        assert_eq!(show(&ours), show(&expected), "{folder}");
    }
    let expected = captured("70-wsgi-root-context");
    let request = get("/foo/bar?x=1&dump=1").header("Host", "root.test").addresses(addresses(&expected));
    assert!(request.to_raw().encode() == expected, "70-wsgi-root-context");
}

#[test]
fn paths_are_split_by_their_mapping() {
    let script = || Mapping::Script { name: "/x.php".into(), document_root: "/srv/www".into() };
    let cases = [
        (wsgi("/"), "/foo/bar", "", Some("/foo/bar"), None),
        (wsgi("/"), "/", "", Some("/"), None),
        (wsgi("/py/"), "/py/foo", "/py", Some("/foo"), None),
        (wsgi("/py/"), "/py/", "/py", Some("/"), None),
        (wsgi("/py/"), "/py/a%20b//c/%2e%2e/d", "/py", Some("/a b/d"), None),
        (lsapi_context(), "/app/hello", "/app/", Some("/hello"), None),
        (lsapi_context(), "/app/", "/app/", Some("/"), None),
        (script(), "/x.php", "/x.php", None, Some("/srv/www/x.php")),
        (script(), "/x.php/pi", "/x.php", Some("/pi"), Some("/srv/www/x.php")),
        (script(), "/x.phpx", "/x.php", Some("/x.phpx"), Some("/srv/www/x.php")),
    ];
    for (mapping, target, script_name, path_info, script_filename) in cases {
        let bytes = HttpRequest::new("GET", target).mapping(mapping).to_raw().encode();
        let request = BeginRequest::decode(&bytes, limits::MAX_REQUEST_PACKET).unwrap();
        let text = |value: Option<&[u8]>| value.map(|value| String::from_utf8(value.to_vec()).unwrap());
        assert_eq!(text(request.script_name()).as_deref(), Some(script_name), "{target}");
        assert_eq!(text(request.env().get(b"PATH_INFO")).as_deref(), path_info, "{target}");
        assert_eq!(text(request.script_filename()).as_deref(), script_filename, "{target}");
        assert_eq!(text(request.env().get(b"REQUEST_URI")).as_deref(), Some(target));
    }
}

#[test]
fn a_python_application_is_not_told_about_the_document_root() {
    let bytes = HttpRequest::new("GET", "/x").to_raw().encode();
    let request = BeginRequest::decode(&bytes, limits::MAX_REQUEST_PACKET).unwrap();
    for name in
        ["DOCUMENT_ROOT", "PATH_TRANSLATED", "GATEWAY_INTERFACE", "HTTP_HOST", "CONTENT_LENGTH", "HTTPS"]
    {
        assert_eq!(request.env().get(name.as_bytes()), None, "{name}");
    }
    assert_eq!(request.env().get(b"SERVER_NAME"), Some(&b""[..]), "there is no Host");
}

#[test]
fn whole_urls_users_and_second_hosts_are_sent_as_the_server_does() {
    let request = HttpRequest::new("GET", "http://Example.com/a?b")
        .header("Host", "Example.com:81")
        .header("HOST", "Other")
        .header("Authorization", "Basic eDp5")
        .remote_user("x")
        .https(true)
        .env("FOO", "bar")
        .version("HTTP/1.0");
    let bytes = request.to_raw().encode();
    let request = BeginRequest::decode(&bytes, limits::MAX_REQUEST_PACKET).unwrap();
    let env: Vec<_> =
        request.env().iter().map(|entry| String::from_utf8(entry.key().to_vec()).unwrap()).collect();
    assert_eq!(env[..2], ["AUTH_TYPE", "REMOTE_USER"]);
    assert_eq!(env[9..12], ["PATH_INFO", "HTTPS", "FOO"]);
    assert_eq!(request.env().get(b"REQUEST_URI"), Some(&b"/a?b"[..]));
    assert_eq!(request.env().get(b"SERVER_PROTOCOL"), Some(&b"HTTP/1.0"[..]));
    assert_eq!(request.known_header(KnownHeader::Host), Some(&b"example.com:81"[..]));
    assert_eq!(request.known_header(KnownHeader::Authorization), Some(&b"Basic eDp5"[..]));
    let unknown: Vec<_> = request.unknown_headers().iter().collect();
    assert_eq!((unknown[0].name, unknown[0].value), (&b"Hos2"[..], &b"other"[..]));
    assert!(request.header_block().starts_with(b"\0\0\0\0GET http://Example.com/a?b HTTP/1.1\r\n"));
    assert_eq!(request.body_length(), BodyLength::Known(0));
}

#[test]
fn ipv6_hosts_keep_their_colons() {
    for (host, name) in [("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("h:1", "h"), ("", "")] {
        let bytes = HttpRequest::new("GET", "/").header("Host", host).to_raw().encode();
        let request = BeginRequest::decode(&bytes, limits::MAX_REQUEST_PACKET).unwrap();
        assert_eq!(request.env().get(b"SERVER_NAME"), Some(name.as_bytes()), "{host}");
    }
}
