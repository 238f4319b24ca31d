//! What an application sees of a request: environ and `wsgi.input`.

use lsapi::RequestBuilder;

use crate::support::{Connection, Response, Start};

/// An application that answers with the value of a Python expression over `environ` and a few helpers.
fn evaluate(expression: &str) -> String {
    format!(
        "import sys\n\
         def application(environ, start_response):\n\
         \x20   input = environ['wsgi.input']\n\
         \x20   result = repr({expression})\n\
         \x20   start_response('200 OK', [('Content-Type', 'text/plain')])\n\
         \x20   return [result.encode()]\n"
    )
}

fn post(expression: &str, body: &[u8]) -> String {
    let (_worker, mut connection) = Start::application(&evaluate(expression)).connected();
    connection.post("/", body).text().to_owned()
}

#[test]
fn environ_has_what_pep_3333_requires_and_is_fresh_each_time() {
    let source = evaluate(
        "(type(environ) is dict, environ.setdefault('mine', 1), 'mine' in sys.modules, sorted(\
         k for k in environ if k.startswith('wsgi.')), [environ[k] for k in ('REQUEST_METHOD', 'SCRIPT_NAME', \
         'PATH_INFO', 'QUERY_STRING', 'SERVER_NAME', 'SERVER_PORT', 'SERVER_PROTOCOL', 'GATEWAY_INTERFACE', \
         'wsgi.url_scheme')], 'CONTENT_LENGTH' in environ)",
    );
    let (_worker, mut connection) = Start::application(&source).connected();
    let expected = "(True, 1, False, ['wsgi.errors', 'wsgi.file_wrapper', 'wsgi.input', 'wsgi.input_terminated', 'wsgi.multiprocess', \
                    'wsgi.multithread', 'wsgi.run_once', 'wsgi.url_scheme', 'wsgi.version'], \
                    ['GET', '', '/a', 'q=1', 'localhost', '80', 'HTTP/1.1', 'CGI/1.1', 'http'], False)";
    for _ in 0..2 {
        assert_eq!(connection.get("/a?q=1").text(), expected);
    }
}

#[test]
fn the_root_and_the_path_together_are_the_path_of_the_url() {
    let source = evaluate("(environ['SCRIPT_NAME'], environ['PATH_INFO'])");
    let (_worker, mut connection) = Start::application(&source).connected();
    for (root, path, expected) in [
        ("", "/a", "('', '/a')"),
        ("/", "/a", "('', '/a')"),
        ("/", "", "('', '/')"),
        ("/app", "", "('/app', '')"),
        ("/app", "/", "('/app', '/')"),
        ("/app/", "/a", "('/app', '/a')"),
        ("/app/", "a", "('/app', '/a')"),
        ("/app/", "", "('/app', '/')"),
    ] {
        for root_first in [true, false] {
            let request = RequestBuilder::bare().env("REQUEST_METHOD", "GET");
            let request = if root_first {
                request.env("SCRIPT_NAME", root).env("PATH_INFO", path)
            } else {
                request.env("PATH_INFO", path).env("SCRIPT_NAME", root)
            };
            connection.send(&request.encode());
            assert_eq!(connection.response().text(), expected, "{root} {path}");
        }
    }
}

#[test]
fn other_processes_are_expected_where_a_server_starts_them() {
    let source =
        evaluate("(environ['wsgi.multiprocess'], environ['wsgi.multithread'], environ['wsgi.run_once'])");
    let (_worker, mut connection) = Start::application(&source).connected();
    assert_eq!(connection.get("/").text(), "(True, False, False)");
    let (_worker, path) = Start::application(&source).listening();
    assert_eq!(Connection::to(&path).get("/").text(), "(False, False, False)");
}

#[test]
fn repeated_headers_are_joined_and_deceptive_ones_dropped() {
    let names = ["HTTP_X_A", "HTTP_COOKIE", "HTTP_X_UNDER", "HTTP_PROXY", "HTTP_HOST"];
    let source = evaluate(&format!("[environ.get(name) for name in {names:?}]"));
    let (_worker, mut connection) = Start::application(&source).connected();
    let request = RequestBuilder::get("/")
        .header("X-A", "1")
        .header("Cookie", "a=1")
        .header("X-Under", "right")
        .header("X_Under", "wrong")
        .header("Proxy", "evil")
        .header("Host", "h\u{e9}")
        .header("x-a", "2")
        .header("cookie", "b=2");
    for _ in 0..2 {
        connection.send(&request.encode());
        // A header is bytes; WSGI makes each byte one character.
        assert_eq!(connection.response().text(), "['1, 2', 'a=1; b=2', 'right', None, 'hÃ©']");
    }
}

#[test]
fn headers_with_underscores_are_kept_where_the_operator_says_so() {
    let source =
        evaluate("[environ.get(name) for name in ('HTTP_X_A', 'HTTP_PROXY', 'HTTP_CONTENT_LENGTH')]");
    let request =
        RequestBuilder::get("/").header("X_A", "1").header("Proxy", "evil").header("Content_Length", "9");
    let mut kept = Start::application(&source).arg("--underscore-headers=keep").connected();
    kept.1.send(&request.clone().header("X-A", "2").encode());
    assert_eq!(kept.1.response().text(), "['1, 2', None, None]");
    let mut dropped = Start::application(&source).connected();
    dropped.1.send(&request.encode());
    assert_eq!(dropped.1.response().text(), "[None, None, None]");
}

#[test]
fn a_body_of_unknown_length_is_refused_where_the_operator_says_so() {
    let source = evaluate("input.read()");
    let (mut worker, mut connection) = Start::application(&source).arg("--unknown-length=411").connected();
    let mut request = RequestBuilder::new("POST", "/").header("Content-Length", "5").build();
    request.req_body_len = -1;
    connection.send(&request.encode());
    let response = connection.response();
    assert_eq!((response.status, response.text()), (411, "411 Length Required\n"));
    // Nobody can tell where the body ends, so no request can follow it.
    assert_eq!(response.names(), ["REQ_RECEIVED", "RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"]);
    drop(connection);
    assert_eq!(worker.wait().code(), Some(0));
}

#[test]
fn variables_of_the_server_win_over_headers_and_cannot_touch_the_runtime() {
    let source = evaluate(
        "(environ['HTTP_X_REAL'], environ['wsgi.url_scheme'], environ['HTTPS'], environ['SCRIPT_NAME'], \
         hasattr(environ['wsgi.input'], 'read'))",
    );
    let (_worker, mut connection) = Start::application(&source).connected();
    let request = RequestBuilder::get("/app/x")
        .header("X-Real", "client")
        .env("HTTP_X_REAL", "server")
        .env("HTTPS", "on")
        .env("wsgi.input", "fake")
        .env("SCRIPT_NAME", "/app/");
    connection.send(&request.encode());
    assert_eq!(connection.response().text(), "('server', 'https', 'on', '/app', True)");
    connection.send(&RequestBuilder::get("/").env("HTTPS", "off").env("HTTP_X_REAL", "s").encode());
    assert_eq!(connection.response().text(), "('s', 'http', 'off', '', True)");
}

#[test]
fn content_length_is_what_can_be_read() {
    let source =
        evaluate("(environ.get('CONTENT_LENGTH'), environ['wsgi.input_terminated'], len(input.read(100)))");
    let (_worker, mut connection) = Start::application(&source).connected();
    let header_lies = RequestBuilder::new("POST", "/").header("Content-Length", "5").raw_body_len(3);
    connection.send(&[&header_lies.encode()[..], b"abc"].concat());
    assert_eq!(connection.response().text(), "('3', True, 3)");
    let big = RequestBuilder::new("POST", "/").body_len(5).raw_body_len(-2);
    connection.send(&[&big.encode()[..], b"abcde"].concat());
    assert_eq!(connection.response().text(), "('5', True, 5)");
    let variable = RequestBuilder::new("POST", "/").env("CONTENT_LENGTH", "7");
    connection.send(&variable.encode());
    assert_eq!(connection.response().text(), "(None, True, 0)");
    // A body without a known length ends the connection, because nobody can tell where it ends.
    connection.send(&[&RequestBuilder::new("POST", "/").raw_body_len(-1).encode()[..], b"abc"].concat());
    let response = connection.response();
    assert_eq!(response.text(), "(None, False, 3)");
    assert!(response.names().contains(&"CONN_CLOSE"));
}

#[test]
fn the_body_can_be_read_in_every_form_a_file_has() {
    let body = b"one\ntwo\n\nlast";
    for (expression, expected) in [
        (
            "(input.read(3), input.read(), input.read(), input.read(1))",
            r"(b'one', b'\ntwo\n\nlast', b'', b'')",
        ),
        ("(input.read(0), input.read(-1), input.read(None))", r"(b'', b'one\ntwo\n\nlast', b'')"),
        ("(input.readline(), input.readline(2), input.readline(-1))", r"(b'one\n', b'tw', b'o\n')"),
        ("(input.readline(0), input.readlines())", r"(b'', [b'one\n', b'two\n', b'\n', b'last'])"),
        ("(input.readlines(5), list(input))", r"([b'one\n', b'two\n'], [b'\n', b'last'])"),
        ("(list(input), list(input), input.readline())", r"([b'one\n', b'two\n', b'\n', b'last'], [], b'')"),
    ] {
        assert_eq!(post(expression, body), expected, "{expression}");
    }
    assert_eq!(post("(input.read(), input.readline(), list(input))", b""), "(b'', b'', [])");
}

#[test]
fn lines_longer_than_any_buffer_come_whole() {
    let mut body = vec![b'x'; 200_000];
    body.push(b'\n');
    body.extend(b"tail");
    assert_eq!(post("[len(line) for line in input]", &body), "[200001, 4]");
    assert_eq!(post("(len(input.readline(150000)), len(input.read()))", &body), "(150000, 50005)");
}

#[test]
fn a_body_cut_short_raises_once_with_the_counts() {
    let source = "def application(environ, start_response):\n\
        \x20   input = environ['wsgi.input']\n\
        \x20   try:\n\
        \x20       input.read()\n\
        \x20   except OSError as error:\n\
        \x20       result = f'{type(error).__name__}: {error}; then {input.read()}'\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [result.encode()]\n";
    let (_worker, mut connection) = Start::application(source).connected();
    let bytes = RequestBuilder::new("POST", "/").body_len(1000).encode();
    connection.send(&[&bytes[..], b"0123456789"].concat());
    connection.finish();
    let response = connection.response();
    assert_eq!(
        response.text(),
        "ConnectionAbortedError: request body cut short: 10 of 1000 bytes arrived; then b''"
    );
    assert_eq!(response.names()[1..], ["RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"]);
}

#[test]
fn an_abort_request_is_never_the_end_of_a_body() {
    let source = |read: &str| {
        format!(
            "def application(environ, start_response):\n\
             \x20   input, got = environ['wsgi.input'], 0\n\
             \x20   try:\n\
             \x20       while piece := input.{read}: got += len(piece)\n\
             \x20       print('complete with', got, flush=True)\n\
             \x20   except OSError as error: print(error, flush=True)\n\
             \x20   start_response('200 OK', [])\n\
             \x20   return [b'%d' % got]\n"
        )
    };
    for read in ["read()", "read(7)", "readline()", "read(1)"] {
        for missing in [1, 5, 8, 9, 50] {
            let (mut worker, mut connection) = Start::application(&source(read)).connected();
            let came = 100 - missing;
            let mut bytes = RequestBuilder::new("POST", "/").body_len(100).encode();
            bytes.extend(vec![b'L'; came]);
            // Not all of it in one piece with its request.
            let last = bytes.split_off(bytes.len() - 10);
            connection.send(&bytes);
            connection.send(&last);
            connection.send(&lsapi::ABORT_REQUEST);
            connection.finish();
            connection.response();
            worker.wait();
            let cut = format!("request body cut short: {came} of 100 bytes arrived");
            assert!(worker.log().contains(&cut), "{read}, {missing} missing: {}", worker.log());
        }
        // A body may be anything, and its end as well.
        let (_worker, mut connection) = Start::application(&source(read)).connected();
        for len in 1..=8 {
            for _ in 0..2 {
                let body = [&b"LS"[..], &lsapi::ABORT_REQUEST[..len]].concat();
                assert_eq!(connection.post("/", &body).text(), body.len().to_string(), "{read}");
            }
        }
    }
}

#[test]
fn a_stalled_body_times_out_and_the_worker_goes_on() {
    let source = evaluate("input.read()");
    let (worker, path) = Start::application(&source).arg("--body-timeout").arg("1").listening();
    let mut stalled = Connection::to(&path);
    stalled.send(&RequestBuilder::new("POST", "/").body_len(10).encode());
    assert_eq!(stalled.response().status, 500);
    worker.wait_log("timed out reading the request body: 0 of 10 bytes arrived");
    drop(stalled);
    assert_eq!(Connection::to(&path).get("/").text(), "b''");
}

#[test]
fn a_body_without_a_length_ends_where_the_server_ends_it() {
    let streamed = RequestBuilder::new("POST", "/").raw_body_len(-1).encode();
    for (expression, expected) in [
        ("(input.read(), input.read())", r"(b'one\ntwo', b'')"),
        ("(input.read(2), input.read(100), input.read(100), input.read(1))", r"(b'on', b'e\ntwo', b'', b'')"),
        ("(input.readline(), input.readlines(), input.readline())", r"(b'one\n', [b'two'], b'')"),
        ("(list(input), list(input))", r"([b'one\n', b'two'], [])"),
    ] {
        let (_worker, mut connection) = Start::application(&evaluate(expression)).connected();
        connection.send(&[&streamed[..], b"one\ntwo"].concat());
        connection.finish();
        let response = connection.response();
        assert_eq!(response.text(), expected, "{expression}");
        assert_eq!(response.names()[1..], ["RESP_HEADER", "RESP_STREAM", "CONN_CLOSE", "RESP_END"]);
        connection.expect_end();
    }
}

#[test]
fn a_body_without_a_length_whose_server_is_gone_is_not_taken_for_a_whole_one() {
    let (worker, path) = Start::application(&evaluate("input.read()")).listening();
    let mut connection = Connection::to(&path);
    connection.send(&RequestBuilder::new("POST", "/").raw_body_len(-1).encode());
    connection.next(&mut Response::default());
    connection.send(b"half a fi");
    drop(connection);
    worker.wait_log("request body cut short: 9 bytes arrived, length unknown");
    assert_eq!(Connection::to(&path).get("/").text(), "b''");
}

#[test]
fn a_length_of_minus_two_is_a_content_length_of_any_size_or_no_body() {
    let source = evaluate("(environ.get('CONTENT_LENGTH'), input.read(5), environ['wsgi.input_terminated'])");
    let (_worker, path) = Start::application(&source).listening();
    let huge = RequestBuilder::new("POST", "/").body_len(3_000_000_000).raw_body_len(-2);
    let mut connection = Connection::to(&path);
    connection.send(&[&huge.encode()[..], b"01234567"].concat());
    let response = connection.response();
    assert_eq!(response.text(), "('3000000000', b'01234', True)");
    assert!(response.names().contains(&"CONN_CLOSE"));
    drop(connection);
    let mut connection = Connection::to(&path);
    connection.send(&RequestBuilder::new("POST", "/").raw_body_len(-2).encode());
    assert_eq!(connection.response().text(), "(None, b'', True)");
}

#[test]
fn a_body_there_is_no_memory_for_raises_an_error_the_application_can_catch() {
    let source = "import resource\n\
        def application(environ, start_response):\n\
        \x20   size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n\
        \x20   resource.setrlimit(resource.RLIMIT_AS, (size + (24 << 20), resource.RLIM_INFINITY))\n\
        \x20   try:\n\
        \x20       environ['wsgi.input'].read()\n\
        \x20   except MemoryError:\n\
        \x20       start_response('413 Content Too Large', [])\n\
        \x20   return [b'too large']\n";
    let (_worker, mut connection) = Start::application(source).connected();
    connection.send(&RequestBuilder::new("POST", "/").body_len(64 << 20).encode());
    connection.send_until_closed(&vec![b'x'; 64 << 20]);
    let response = connection.response();
    assert_eq!((response.status, response.text()), (413, "too large"));
}

#[test]
fn header_names_clients_make_up_hold_no_memory() {
    let source = evaluate("int(open('/proc/self/statm').read().split()[1]) * 4");
    let (_worker, mut connection) = Start::application(&source).connected();
    let mut memory = |number: usize| -> u64 {
        let name = format!("X-{number}-{}", "y".repeat(60_000));
        connection.send(&RequestBuilder::get("/").header(name, "v").encode());
        connection.response().text().parse().unwrap()
    };
    let first = memory(0);
    let last = (1..600).map(&mut memory).last().unwrap();
    assert!(last < first + 8 * 1024, "from {first} to {last} kB");
}
