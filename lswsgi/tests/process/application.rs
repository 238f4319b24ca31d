//! What an application may do: `start_response`, `write`, iteration.

use lsapi::RequestBuilder;

use crate::support::{Response, Start};

fn respond(source: &str) -> (Response, String) {
    let (mut worker, mut connection) = Start::application(source).connected();
    let response = connection.get("/x");
    // Whatever the application did, the next request is served.
    assert!(connection.get("/y").packets.len() >= 3);
    drop(connection);
    assert_eq!(worker.wait().code(), Some(0));
    (response, worker.log())
}

#[test]
fn start_response_rules_are_kept() {
    let rules = "import sys\n\
        def attempt(call):\n\
        \x20   try:\n\
        \x20       call()\n\
        \x20       return 'accepted'\n\
        \x20   except Exception as error:\n\
        \x20       return f'{type(error).__name__}: {error}'\n\
        def application(environ, start_response):\n\
        \x20   ok = [('Content-Type', 'text/plain')]\n\
        \x20   results = [attempt(lambda: start_response(*args)) for args in [\n\
        \x20       (200, ok), ('200', ok), ('2000 OK', ok), ('200 OK\\r\\nX: y', ok), ('100 Continue', ok),\n\
        \x20       ('200 OK', tuple(ok)), ('200 OK', [['A', 'b']]), ('200 OK', [('A', 'b', 'c')]),\n\
        \x20       ('200 OK', [('A b', 'c')]), ('200 OK', [('A', 'secret\\r\\nB: c')]), ('200 OK', [('A', 'secret\\0')]),\n\
        \x20       ('200 OK', [('A', '\\u20ac')]), ('200 OK', [('A', 1)]), ('200 OK', [(b'A', 'b')]),\n\
        \x20       ('200 OK', [('Connection', 'close')]), ('200 OK', [('transfer-Encoding', 'chunked')]),\n\
        \x20       ('200 OK', [('Content-Length', '-1')]), ('200 OK', [('Content-Length', '+1')]),\n\
        \x20       ('200 OK', [('Content-Length', '1'), ('content-length', '1')]),\n\
        \x20       ('200 OK', [('A', 'x' * 16001)]), ('200 OK', [('A', 'b')] * 1001)]]\n\
        \x20   start_response(status='200 OK', headers=ok, exc_info=None)\n\
        \x20   results.append(attempt(lambda: start_response('200 OK', ok)))\n\
        \x20   return ['\\n'.join(results).encode()]\n";
    let (response, _) = respond(rules);
    let lines: Vec<&str> = response.text().lines().collect();
    assert_eq!(lines.len(), 22, "{lines:?}");
    for line in &lines {
        assert!(!line.starts_with("accepted"), "{line}");
        assert!(!line.contains("secret"), "values may be secret: {line}");
    }
    assert_eq!(lines[9], "ValueError: response header 'A' has a value with control characters");
    assert!(lines[15].contains("'transfer-Encoding' belongs to the connection"), "{}", lines[15]);
    assert!(lines[21].starts_with("AssertionError"), "{}", lines[21]);
}

#[test]
fn a_head_no_server_would_take_is_answered_with_500_and_the_log_says_what_and_how_much() {
    for (headers, complaint) in [
        ("[('A', 'b')] * 1001", "1001 response headers cannot be sent: the limit is 1000"),
        (
            "[('A', 'b'), ('X-Long', 'x' * 40000)]",
            "response header 'X-Long' cannot be sent: a response header line of 40008 bytes, the limit is 16000",
        ),
        (
            "[('X-Pad', 'x' * 14993)] * 5",
            "response header 'X-Pad' cannot be sent: response headers of 75023 bytes together, the limit is 65535",
        ),
    ] {
        let source = format!(
            "def application(environ, start_response):\n    start_response('200 OK', {headers})\n    return [b'']\n"
        );
        let (response, log) = respond(&source);
        assert_eq!((response.status, response.text()), (500, "500 Internal Server Error\n"), "{headers}");
        assert!(log.contains(complaint), "{headers}: {log}");
    }
    // The most that goes: 1000 headers, and almost the whole packet.
    let (response, _) = respond(
        "def application(environ, start_response):\n\
         \x20   start_response('200 OK', [('A', 'b')] * 996 + [('X-Pad', 'x' * 13900)] * 4)\n\
         \x20   return [b'body']\n",
    );
    assert_eq!((response.status, response.text(), response.headers.len()), (200, "body", 1000));
}

#[test]
fn headers_the_server_acts_on_are_sent_as_they_were_given() {
    for (status, name) in
        [("200 OK", "Location"), ("302 Found", "Location"), ("307 Moved", "X-LiteSpeed-Location")]
    {
        let (response, _) = respond(&format!(
            "def application(environ, start_response):\n\
             \x20   start_response('{status}', [('{name}', '/x'), ('Status', '404 Gone')])\n\
             \x20   return [b'']\n"
        ));
        assert_eq!(response.status.to_string(), status[..3]);
        assert_eq!(
            response.headers,
            [format!("{name}: /x"), "Status: 404 Gone".into(), "Content-Length: 0".into()]
        );
    }
}

#[test]
fn exc_info_replaces_a_head_that_was_not_sent_and_is_raised_after_one_that_was() {
    let replaced = "import sys\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [('X-Old', '1')])\n\
        \x20   try:\n\
        \x20       raise ValueError('inner')\n\
        \x20   except ValueError:\n\
        \x20       start_response('503 Busy', [('X-New', '1')], sys.exc_info())\n\
        \x20   return [b'replaced']\n";
    let (response, _) = respond(replaced);
    assert_eq!((response.status, response.text()), (503, "replaced"));
    assert_eq!(response.headers, ["X-New: 1", "Content-Length: 8"]);

    let raised = replaced
        .replace("start_response('200 OK', [('X-Old', '1')])", "start_response('200 OK', [])(b'first')");
    let (response, log) = respond(&raised);
    assert_eq!((response.status, response.text()), (200, "first"));
    assert!(log.contains("ValueError: inner"), "{log}");
    assert!(log.contains("the response ends early, after 5 bytes"), "{log}");
}

#[test]
fn write_and_iteration_keep_their_order_and_each_piece_is_sent_at_once() {
    let source = "def application(environ, start_response):\n\
        \x20   write = start_response('200 OK', [('Content-Type', 'text/plain')])\n\
        \x20   write(b'')\n\
        \x20   write(b'a')\n\
        \x20   write(b'b')\n\
        \x20   return iter([b'', b'c', b'', b'd'])\n";
    let (response, _) = respond(source);
    assert_eq!(response.text(), "abcd");
    assert_eq!(response.chunks, [1, 1, 1, 1]);
    assert_eq!(response.headers, ["Content-Type: text/plain"]);
}

#[test]
fn a_generator_may_call_start_response_late_but_not_after_its_first_bytes() {
    let late = "def application(environ, start_response):\n\
        \x20   yield b''\n\
        \x20   start_response('202 Accepted', [])\n\
        \x20   yield b'late'\n";
    let (response, _) = respond(late);
    assert_eq!((response.status, response.text()), (202, "late"));
    // A response without a header would be an error to the server, so one is made up.
    assert_eq!(response.headers, ["Content-Type: text/plain"]);
    let too_late = late.replace("yield b''", "yield b'early'");
    let (response, log) = respond(&too_late);
    assert_eq!(response.status, 500);
    assert!(log.contains("did not call start_response()"), "{log}");
}

#[test]
fn results_that_are_no_iterable_of_bytes_are_answered_with_500() {
    for (result, complaint) in [
        ("None", "'NoneType' object is not iterable"),
        ("b'bare'", "the application must return an iterable of bytes, not bytes"),
        ("'text'", "the application must return an iterable of bytes, not str"),
        ("['text']", "the application must yield bytes, not str"),
        ("[1]", "the application must yield bytes, not int"),
    ] {
        let source = format!(
            "def application(environ, start_response):\n    start_response('200 OK', [])\n    return {result}\n"
        );
        let (response, log) = respond(&source);
        assert_eq!((response.status, response.text()), (500, "500 Internal Server Error\n"), "{result}");
        assert!(log.contains(complaint), "{result}: {log}");
        assert!(log.contains("GET /x, request 1 of this process"), "{log}");
    }
}

#[test]
fn close_is_called_exactly_once_whatever_happens() {
    let source = "import sys\n\
        class Body:\n\
        \x20   def __init__(self, fail): self.fail, self.left = fail, [b'a', b'b']\n\
        \x20   def __iter__(self): return self\n\
        \x20   def __next__(self):\n\
        \x20       if self.fail == len(self.left): raise ValueError('midway')\n\
        \x20       if not self.left: raise StopIteration\n\
        \x20       return self.left.pop(0)\n\
        \x20   def close(self):\n\
        \x20       print('closed', self.fail, file=sys.stderr)\n\
        \x20       if self.fail == 9: raise KeyError('in close')\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return Body(int(environ['QUERY_STRING']))\n";
    let (worker, mut connection) = Start::application(source).connected();
    for (fail, status, body) in
        [(5, 200, "ab"), (2, 500, "500 Internal Server Error\n"), (1, 200, "a"), (9, 200, "ab")]
    {
        let response = connection.get(&format!("/?{fail}"));
        assert_eq!((response.status, response.text()), (status, body), "{fail}");
        worker.wait_log(&format!("closed {fail}"));
    }
    worker.wait_log("KeyError: 'in close'");
    let closed = worker.log().lines().filter(|line| line.starts_with("closed")).count();
    assert_eq!(closed, 4, "{}", worker.log());
}

#[test]
fn declared_lengths_bound_the_body_and_known_ones_are_declared() {
    let body = |headers: &str, result: &str| {
        format!(
            "def application(environ, start_response):\n    start_response('200 OK', {headers})\n    return {result}\n"
        )
    };
    let declared = "[('Content-Length', '3')]";
    for result in ["[b'abcdef']", "[b'ab', b'cdef', b'gh']", "iter([b'abcd', b'e'])"] {
        let (response, log) = respond(&body(declared, result));
        assert_eq!(response.text(), "abc", "{result}");
        assert_eq!(log.matches("more body than the Content-Length").count(), 2, "once a request: {log}");
        assert!(log.contains("the rest is cut: request 2 of this process"), "{log}");
    }
    let (response, log) = respond(&body("[('Content-Length', '9')]", "[b'abc']"));
    assert_eq!((response.text(), response.header("Content-Length")), ("abc", Some("9")));
    assert!(log.contains("declared a Content-Length of 9 and produced 3 bytes: request 2 of"), "{log}");
    let (response, _) = respond(&body("[]", "[b'abc']"));
    assert_eq!(response.header("Content-Length"), Some("3"));
    let (response, _) = respond(&body("[]", "(b'abcd',)"));
    assert_eq!(response.header("Content-Length"), Some("4"));
    let (response, _) = respond(&body("[]", "[]"));
    assert_eq!((response.header("Content-Length"), response.chunks.len()), (Some("0"), 0));
    // Several pieces that are all there have a length as well, and leave together.
    for (result, body_text, chunks) in [
        ("[b'ab', b'', b'cd']", "abcd", &[4][..]),
        ("(b'ab', b'cd')", "abcd", &[4]),
        ("[b'', b'']", "", &[]),
        ("[b'x' * 20000, b'y']", &("x".repeat(20_000) + "y"), &[16_384, 3_617]),
    ] {
        let (response, log) = respond(&body("[]", result));
        assert_eq!((response.text(), &response.chunks[..]), (body_text, chunks), "{result}");
        assert_eq!(response.header("Content-Length"), Some(&*body_text.len().to_string()), "{result}");
        assert!(!log.contains("warning"), "{result}: {log}");
    }
    let large = "[b'a', b'b' * 200_000, b'c' * 100_000, b'd' * 100_000, b'e' * 300_000]";
    let (response, _) = respond(&body("[]", large));
    let expected = [("a", 1), ("b", 200_000), ("c", 100_000), ("d", 100_000), ("e", 300_000)];
    assert!(response.text() == expected.map(|(letter, count)| letter.repeat(count)).concat());
    assert_eq!(response.header("Content-Length"), Some("700001"));
    // What is wrong with one of them is known before any has been sent.
    let (response, log) = respond(&body("[]", "[b'ab', 'cd']"));
    assert_eq!(response.status, 500);
    assert!(log.contains("the application must yield bytes, not str"), "{log}");
}

#[test]
fn head_204_and_304_have_no_body_but_keep_their_headers() {
    let source = "def application(environ, start_response):\n\
        \x20   start_response(environ['QUERY_STRING'].replace('+', ' '), [('X-A', 'b')])\n\
        \x20   return [b'body']\n";
    let (_worker, mut connection) = Start::application(source).connected();
    for status in ["204+No+Content", "304+Not+Modified"] {
        let response = connection.get(&format!("/?{status}"));
        assert_eq!((response.headers, response.body.len()), (vec!["X-A: b".to_owned()], 0), "{status}");
    }
    connection.send(&RequestBuilder::new("HEAD", "/?200+OK").encode());
    let response = connection.response();
    assert_eq!(response.names(), ["REQ_RECEIVED", "RESP_HEADER", "RESP_END"]);
    assert_eq!(response.header("Content-Length"), Some("4"));
}

#[test]
fn what_an_application_keeps_cannot_touch_a_later_request() {
    let source = "kept = []\n\
        def attempt(call, *args):\n\
        \x20   try:\n\
        \x20       return repr(call(*args))\n\
        \x20   except Exception as error:\n\
        \x20       return f'{type(error).__name__}: {error}'\n\
        def application(environ, start_response):\n\
        \x20   results = []\n\
        \x20   if kept:\n\
        \x20       start, write, input = kept\n\
        \x20       results = [attempt(start, '500 Stale', []), attempt(write, b'stale'), attempt(input.read)]\n\
        \x20   write = start_response('200 OK', [])\n\
        \x20   kept[:] = [start_response, write, environ['wsgi.input']]\n\
        \x20   return ['\\n'.join(results).encode()]\n";
    let (_worker, mut connection) = Start::application(source).connected();
    assert_eq!(connection.get("/").text(), "");
    for _ in 0..3 {
        let response = connection.get("/");
        assert_eq!(response.status, 200);
        let lines: Vec<&str> = response.text().lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.contains("of a request that is over")), "{lines:?}");
    }
}

#[test]
fn large_bodies_go_both_ways_whole_and_in_packets_a_server_takes() {
    let source = "def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [environ['wsgi.input'].read()]\n";
    let (_worker, mut connection) = Start::application(source).connected();
    let pattern: Vec<u8> = (0..=250).cycle().take(100_000).collect();
    // Around the size that is copied behind its head, and around multiples of a packet.
    for size in [16_383, 16_384, 16_385, 32_768, 100_000] {
        let response = connection.post("/", &pattern[..size]);
        assert!(response.body == pattern[..size], "{size}");
        assert!(response.chunks.iter().all(|&chunk| 0 < chunk && chunk <= 16_384), "{:?}", response.chunks);
    }
}

#[test]
fn a_reader_that_comes_late_gets_everything_and_other_threads_run_meanwhile() {
    let source = "import sys, threading, time\n\
        sending = threading.Event()\n\
        def watch():\n\
        \x20   sending.wait()\n\
        \x20   for _ in range(50): time.sleep(.001)\n\
        \x20   print('another thread ran', file=sys.stderr)\n\
        threading.Thread(target=watch, daemon=True).start()\n\
        class Body:\n\
        \x20   def __iter__(self):\n\
        \x20       sending.set()\n\
        \x20       yield b'x' * 8_000_000\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return Body()\n";
    let (worker, mut connection) = Start::application(source).connected();
    connection.send(&RequestBuilder::get("/big").encode());
    // Nothing is read until then, so the worker is stuck in its write, and must not hold the interpreter there.
    worker.wait_log("another thread ran");
    assert_eq!(connection.response().body.len(), 8_000_000);
}

#[test]
fn prints_and_text_of_any_kind_end_up_in_the_log() {
    let source = "import sys\n\
        def application(environ, start_response):\n\
        \x20   print('printed \\u00eb \\udc80')\n\
        \x20   environ['wsgi.errors'].write('errors \\u20ac \\udcff\\n')\n\
        \x20   start_response('200 OK', [])\n\
        \x20   return [b'ok']\n";
    let (worker, mut connection) = Start::application(source).env("LC_ALL", "C").connected();
    assert_eq!(connection.get("/").text(), "ok");
    worker.wait_log("printed ë \\udc80");
    worker.wait_log("errors € \\udcff");
}

#[test]
fn a_list_that_is_emptied_while_its_bytes_are_sent_loses_none_of_them() {
    let source = "import os, threading, time\n\
        body = []\n\
        def clear():\n\
        \x20   while not os.path.exists('go'): time.sleep(.005)\n\
        \x20   body.clear()\n\
        \x20   print('cleared')\n\
        def application(environ, start_response):\n\
        \x20   start_response('200 OK', [])\n\
        \x20   body[:] = [b'x' * 8_000_000]\n\
        \x20   threading.Thread(target=clear).start()\n\
        \x20   return body\n";
    let (worker, mut connection) = Start::application(source).connected();
    connection.send(&RequestBuilder::get("/").encode());
    let mut response = Response::default();
    // Body has come, and far more of it is there than any socket holds: the worker is in its write.
    while response.body.is_empty() {
        connection.next(&mut response);
    }
    std::fs::write(worker.dir.path().join("go"), "").unwrap();
    worker.wait_log("cleared");
    let rest = connection.response();
    assert_eq!(response.body.len() + rest.body.len(), 8_000_000);
    assert!(response.body.iter().chain(&rest.body).all(|&byte| byte == b'x'));
}

#[test]
fn an_endless_body_of_which_nothing_more_can_be_sent_is_closed() {
    let source = "def application(environ, start_response):\n\
        \x20   start_response(*{'/head': ('200 OK', []), '/204': ('204 No Content', []),\n\
        \x20       '/declared': ('200 OK', [('Content-Length', '3')])}[environ['PATH_INFO']])\n\
        \x20   try:\n\
        \x20       while True: yield b'ab'\n\
        \x20   finally: print('closed', environ['PATH_INFO'])\n";
    let (worker, mut connection) = Start::application(source).connected();
    for (method, path, body) in [("HEAD", "/head", ""), ("GET", "/204", ""), ("GET", "/declared", "aba")] {
        connection.send(&RequestBuilder::new(method, path).encode());
        let response = connection.response();
        assert_eq!((response.text(), response.names().contains(&"CONN_CLOSE")), (body, false), "{path}");
        worker.wait_log(&format!("closed {path}"));
    }
}

#[test]
fn nothing_can_be_written_after_the_end() {
    let source = "class Body:\n\
        \x20   def __init__(self, write): self.write = write\n\
        \x20   def __iter__(self): return iter([b'body'])\n\
        \x20   def close(self): self.write(b'late')\n\
        def application(environ, start_response):\n\
        \x20   return Body(start_response('200 OK', []))\n";
    let (response, log) = respond(source);
    assert_eq!((response.status, response.text()), (200, "body"));
    assert!(log.contains("AssertionError: write() called after the end of the response"), "{log}");
}

#[test]
fn nothing_can_be_written_once_the_replacement_of_a_head_was_refused() {
    let source = "import sys\n\
        def application(environ, start_response):\n\
        \x20   write = start_response('200 OK', [])\n\
        \x20   try:\n\
        \x20       raise KeyError\n\
        \x20   except KeyError:\n\
        \x20       try:\n\
        \x20           start_response('200 OK', [('A b', 'c')], sys.exc_info())\n\
        \x20       except ValueError:\n\
        \x20           write(b'body')\n";
    let (response, log) = respond(source);
    assert_eq!(response.status, 500);
    assert!(log.contains("AssertionError: write() called without a valid start_response()"), "{log}");
}
