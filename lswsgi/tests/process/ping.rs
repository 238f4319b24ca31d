//! `--ping`: a path that is answered without the application.

use lsapi::RequestBuilder;

use crate::support::Start;

/// Says how it was called.
const APPLICATION: &str = "def application(environ, start_response):\n\
    \x20   start_response('200 OK', [])\n\
    \x20   return [b'application ' + environ['REQUEST_METHOD'].encode()]\n";

fn ping(source: &str) -> Start {
    Start::application(source).arg("--ping").arg("/health/ping")
}

#[test]
fn the_path_is_answered_whatever_the_application_does_with_others() {
    let (_worker, mut connection) = ping(APPLICATION).connected();
    let response = connection.get("/health/ping");
    assert_eq!((response.status, response.text()), (200, "pong\n"));
    assert_eq!(response.header("Content-Type"), Some("text/plain; charset=utf-8"));
    assert_eq!(connection.get("/health/ping?now").text(), "pong\n");
    for path in ["/", "/health/ping/", "/health", "/health/pin", "/?/health/ping"] {
        assert_eq!(connection.get(path).text(), "application GET", "{path}");
    }
    connection.send(&RequestBuilder::new("HEAD", "/health/ping").encode());
    let response = connection.response();
    assert_eq!((response.status, response.text()), (200, ""));
    assert_eq!(connection.post("/health/ping", b"body").text(), "application POST");
}

#[test]
fn the_path_is_what_the_client_has_sent_or_what_the_server_has_made_of_it() {
    let (_worker, mut connection) = ping(APPLICATION).connected();
    for (uri, script, rest, answer) in [
        ("/health/ping", "/app.wsgi", "/rewritten", "pong\n"),
        ("/rewritten", "/health", "/ping", "pong\n"),
        ("/rewritten", "/health/ping", "", "pong\n"),
        ("/rewritten", "/health", "/health/ping", "application GET"),
    ] {
        let request = RequestBuilder::get("/").env("REQUEST_URI", uri).env("PATH_INFO", rest);
        connection.send(&request.env("SCRIPT_NAME", script).encode());
        assert_eq!(connection.response().text(), answer, "{uri} {script} {rest}");
    }
}

#[test]
fn it_says_that_there_is_a_process_also_when_the_application_cannot_be_imported() {
    let (_worker, mut connection) = ping("raise ValueError").connected();
    assert_eq!(connection.get("/").status, 500);
    assert_eq!(connection.get("/health/ping").status, 200);
}

#[test]
fn it_is_a_request_like_any_other_for_limits_and_access_log() {
    let start = ping(APPLICATION).env("LSAPI_MAX_REQS", "2").arg("--access-log").arg("-");
    let (mut worker, mut connection) = start.connected();
    connection.get("/health/ping");
    let line = worker.wait_log("GET /health/ping");
    assert!(line.contains("\" 200 5 "), "{line}");
    assert!(connection.get("/health/ping").names().contains(&"CONN_CLOSE"));
    connection.expect_end();
    assert_eq!(worker.wait().code(), Some(0));
}

#[test]
fn without_the_option_no_path_is_special() {
    let (_worker, mut connection) = Start::application(APPLICATION).connected();
    assert_eq!(connection.get("/health/ping").text(), "application GET");
}
