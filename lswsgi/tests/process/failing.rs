//! Applications that fail, and what their clients and the log get.

use crate::support::{Event, Response, Start};

/// Fails after a piece of the body; the query says what headers the response has.
const LATE: &str = "def application(environ, start_response):\n\
    \x20   start_response('200 OK', eval(environ['QUERY_STRING']))\n\
    \x20   yield b'part'\n\
    \x20   raise ValueError('late')\n";

const LENGTH: &str = "[('Content-Length','10')]";

#[test]
fn a_failure_in_the_middle_of_a_response_ends_it_and_the_log_says_after_how_much() {
    for option in ["--late-error=end", "--late-error=abort"] {
        let (worker, mut connection) = Start::application(LATE).arg(option).connected();
        let response = connection.get(&format!("/?{LENGTH}"));
        assert_eq!((response.text(), response.header("Content-Length")), ("part", Some("10")), "{option}");
        worker.wait_log("the response ends early, after 4 of the 10 bytes it declared");
        // A method that must not be run again is answered in any case.
        assert_eq!(connection.post("/?[]", b"").text(), "part", "{option}");
        worker.wait_log("the response ends early, after 4 bytes of its body, and looks complete");
    }
    let (_worker, mut connection) = Start::application(LATE).connected();
    assert_eq!(connection.get("/?[]").names().last(), Some(&"RESP_END"));
}

#[test]
fn a_response_is_broken_off_where_the_operator_says_so() {
    let (worker, mut connection) = Start::application(LATE).env("LSWSGI_LATE_ERROR", "abort").connected();
    connection.send(&lsapi::RequestBuilder::get("/?[]").encode());
    let mut response = Response::default();
    while connection.next(&mut response) != Event::End {}
    assert_eq!(response.names(), ["REQ_RECEIVED", "RESP_HEADER", "RESP_STREAM"]);
    worker.wait_log("the response is broken off after 4 bytes of its body");
}

#[test]
fn the_page_shows_the_traceback_only_to_those_who_debug() {
    let source =
        "def application(environ, start_response):\n    raise ValueError('secret \u{20ac} \\udc80')\n";
    let (_worker, mut connection) = Start::application(source).connected();
    assert_eq!(connection.get("/").text(), "500 Internal Server Error\n");
    let (_worker, mut connection) = Start::application(source).arg("--debug").connected();
    let response = connection.get("/");
    assert_eq!((response.status, response.header("Content-Type")), (500, Some("text/plain; charset=utf-8")));
    let page = response.text();
    assert!(page.starts_with("500 Internal Server Error\n\nTraceback (most recent call last):\n"), "{page}");
    assert!(page.ends_with("ValueError: secret \u{20ac} \\udc80\n"), "{page}");
}

#[test]
fn the_log_names_the_request_in_the_clients_own_letters() {
    let (worker, mut connection) = Start::application("def application(*_): raise KeyError\n").connected();
    assert_eq!(connection.get("/stra\u{df}e?q=secret").status, 500);
    let line = worker.wait_log("the application raised KeyError");
    assert!(
        line.ends_with("while it handled the request: GET /stra\u{df}e, request 1 of this process"),
        "{line}"
    );
}

#[test]
fn a_status_the_server_would_replace_is_sent_and_the_log_warns_of_it() {
    let source = "def application(environ, start_response):\n\
        \x20   start_response(environ['QUERY_STRING'] + ' Reason', [])\n\
        \x20   return [b'']\n";
    let (mut worker, mut connection) = Start::application(source).connected();
    for status in [299, 452, 511, 999] {
        assert_eq!(connection.get(&format!("/?{status}")).status, status);
    }
    for status in [200, 208, 308, 404, 451, 510] {
        assert_eq!(connection.get(&format!("/?{status}")).status, status);
    }
    drop(connection);
    worker.wait();
    let log = worker.log();
    let told: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("application's status "))
        .map(|told| &told.1[..3])
        .collect();
    assert_eq!(told, ["299", "452", "511", "999"]);
}

#[test]
fn an_exit_in_close_ends_the_process_without_losing_the_next_request() {
    let source = "class Body(list):\n\
        \x20   def close(self): raise SystemExit(3)\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return Body([b'ok'])\n";
    let (mut worker, mut connection) = Start::application(source).connected();
    let response = connection.get("/");
    assert_eq!((response.status, response.text()), (200, "ok"));
    let mut rest = Response::default();
    while connection.next(&mut rest) != Event::End {
        // The server is told before the connection ends, and may have sent a request by then.
        assert_eq!(rest.names(), ["CONN_CLOSE"]);
        connection.finish();
    }
    assert_eq!(worker.wait().code(), Some(0));
    assert!(worker.log().contains("leaving: the application asked to exit"), "{}", worker.log());
}

#[test]
fn an_application_without_stack_or_memory_gets_a_500_and_the_next_request_is_served() {
    let source = "def deep(n): return deep(n + 1)\n\
        def application(environ, start_response):\n\
        \x20   if environ['PATH_INFO'] == '/deep': deep(0)\n\
        \x20   if environ['PATH_INFO'] == '/big': bytearray(1 << 62)\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let (worker, mut connection) = Start::application(source).connected();
    for (path, error) in [("/deep", "RecursionError"), ("/big", "MemoryError")] {
        assert_eq!(connection.get(path).status, 500, "{path}");
        worker.wait_log(&format!("the application raised {error} while it handled the request: GET {path}"));
        assert_eq!(connection.get("/").text(), "ok");
    }
}
